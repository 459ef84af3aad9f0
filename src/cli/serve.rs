//! `muster serve` and `muster worker`: run until a signal, then finish what is in
//! flight.

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, machine, mailer};
use crate::app::App;
use crate::config::Settings;
use crate::http;

pub(super) async fn serve(settings: Settings) -> Result<(), Failure> {
    let mailer = mailer(&settings)?;
    let (clock, generator) = machine()?;
    let listen = settings.listen;
    // Before the database: a second server on the same port should not touch anything.
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("LISTEN: cannot listen on {listen}: {error}"))?;
    // With port 0 it is the system's choice.
    let listen = listener.local_addr().unwrap_or(listen);
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
        let worker = app.worker();
        let cancel = cancel.clone();
        tokio::spawn(async move { worker.run(cancel).await })
    });
    let served = http::server::serve(listener, app.router(), connections, cancel.clone()).await;
    // Whatever ended the serving, the worker shall end, too.
    cancel.cancel();
    if let Some(worker) = worker
        && let Err(error) = worker.await
    {
        tracing::error!(%error, "the worker ended badly");
    }
    relay.abort();
    served.map_err(|error| format!("serving ended: {error}"))?;
    tracing::info!("stopped");
    Ok(())
}

pub(super) async fn worker(settings: Settings) -> Result<(), Failure> {
    let mailer = mailer(&settings)?;
    let (clock, generator) = machine()?;
    let mail = mailer.describe();
    let app = App::attach(settings, clock, generator, mailer).await?;
    let cancel = stop_on_signal()?;
    tracing::info!("working; {mail}");
    let relay = relay(&app, &cancel);
    app.worker().run(cancel).await;
    relay.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Carries events to and from the other processes, in the background.
fn relay(app: &App, cancel: &CancellationToken) -> tokio::task::JoinHandle<()> {
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
