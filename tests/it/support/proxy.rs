//! A way to a server that can fail as networks do: it passes everything on, or
//! swallows it, so that both ends believe in a connection that is dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Proxy {
    port: u16,
    swallows: Arc<AtomicBool>,
}

impl Proxy {
    /// In front of what listens on this port.
    pub async fn start(port: &str) -> Self {
        let upstream = format!("127.0.0.1:{port}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let swallows = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&swallows);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&upstream).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                // Whoever was swallowed once stays dead: that is what half-open means.
                let dead = Arc::new(AtomicBool::new(false));
                tokio::spawn(carry(from_client, to_server, told.clone(), dead.clone()));
                tokio::spawn(carry(from_server, to_client, told.clone(), dead));
            }
        });
        Self { port, swallows }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn swallows_everything(&self) {
        self.swallows.store(true, Ordering::SeqCst);
    }

    /// New connections live; those that were swallowed do not come back.
    pub fn passes_again(&self) {
        self.swallows.store(false, Ordering::SeqCst);
    }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    swallows: Arc<AtomicBool>,
    dead: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if swallows.load(Ordering::SeqCst) {
            dead.store(true, Ordering::SeqCst);
        }
        if !dead.load(Ordering::SeqCst) && to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
    if dead.load(Ordering::SeqCst) {
        // Neither end hears that the other has gone.
        std::future::pending::<()>().await;
    }
}
