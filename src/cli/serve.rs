//! `muster serve` and `muster worker`: run until a signal, then finish what is in
//! flight.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Failure, machine, mailer};
use crate::app::App;
use crate::config::Settings;
use crate::http;

pub(super) async fn serve(settings: Settings) -> Result<(), Failure> {
    let mailer = mailer(&settings)?;
    let (clock, generator) = machine()?;
    // Before the database: a second server on the same port should not touch anything.
    let (listener, listen) = listen_on("LISTEN", settings.listen).await?;
    let public_url = settings.public_url.clone();
    let with_worker = settings.worker;
    let connections = settings.connections;
    let mail = mailer.describe();
    let app = App::open(settings, clock, generator, mailer).await?;

    let cancel = stop_on_signal()?;
    tracing::info!(%listen, %public_url, "serving");
    let relay = relay(&app, &cancel);
    let worker = with_worker.then(|| {
        tracing::info!("{mail}");
        work(&app, &cancel)
    });
    let served = http::server::serve(listener, app.router(), connections, cancel.clone()).await;
    // Whatever ended the serving, the worker shall end, too.
    cancel.cancel();
    app.finish().await;
    let worked = match worker {
        Some(worker) => worker.await,
        None => Ok(()),
    };
    relay.abort();
    served.map_err(|error| format!("serving ended: {error}"))?;
    worked.map_err(|error| format!("the worker ended: {error}"))?;
    tracing::info!("stopped");
    Ok(())
}

pub(super) async fn worker(settings: Settings) -> Result<(), Failure> {
    let mailer = mailer(&settings)?;
    let (clock, generator) = machine()?;
    let watch = match settings.worker_listen {
        Some(address) => Some(listen_on("WORKER_LISTEN", address).await?),
        None => None,
    };
    let connections = settings.connections;
    let mail = mailer.describe();
    let app = App::attach(settings, clock, generator, mailer).await?;
    let cancel = stop_on_signal()?;
    tracing::info!("working; {mail}");
    let relay = relay(&app, &cancel);
    let worker = work(&app, &cancel);
    let watched = match watch {
        Some((listener, listen)) => {
            tracing::info!(%listen, "answering those who watch");
            let router = app.watch_router();
            http::server::serve(listener, router, connections, cancel.clone()).await
        }
        None => Ok(()),
    };
    if let Err(error) = watched {
        // Mails go on.
        tracing::error!(%error, "nobody can watch this worker any more");
    }
    let worked = worker.await;
    relay.abort();
    worked.map_err(|error| format!("the worker ended: {error}"))?;
    tracing::info!("stopped");
    Ok(())
}

/// With port 0 it is the system's choice which one it becomes.
async fn listen_on(
    setting: &str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("{setting}: cannot listen on {address}: {error}"))?;
    let address = listener.local_addr().unwrap_or(address);
    Ok((listener, address))
}

/// Works in the background. Should that ever end before it shall, the process ends, too, rather than
/// live on without a worker: whatever runs it starts it again.
fn work(app: &App, cancel: &CancellationToken) -> JoinHandle<()> {
    let (worker, cancel) = (app.worker(), cancel.clone());
    tokio::spawn(async move {
        let _ends_the_process = cancel.clone().drop_guard();
        Box::pin(worker.run(cancel)).await;
    })
}

/// Carries events to and from the other processes, in the background.
fn relay(app: &App, cancel: &CancellationToken) -> JoinHandle<()> {
    let (app, cancel) = (app.clone(), cancel.clone());
    tokio::spawn(async move { app.relay(cancel).await })
}

/// Cancelled by SIGTERM or SIGINT.
fn stop_on_signal() -> Result<CancellationToken, Failure> {
    let watch = |kind| signal(kind).map_err(|error| format!("signals cannot be watched: {error}"));
    let mut terminate = watch(SignalKind::terminate())?;
    let mut interrupt = watch(SignalKind::interrupt())?;
    let cancel = CancellationToken::new();
    let stopped = cancel.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping; what is in flight is finished first");
        stopped.cancel();
    });
    Ok(cancel)
}
