//! A way to a server that can fail as networks do: it passes everything on, or
//! swallows it, so that both ends believe in a connection that is dead.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Proxy {
    port: u16,
    fate: Arc<Fate>,
}

#[derive(Default)]
struct Fate {
    swallows: AtomicBool,
    /// Connections of an earlier age are dead.
    age: AtomicU64,
    /// How many more packets go to the server before the line is cut; none is never.
    until_cut: Mutex<Option<u32>>,
}

impl Fate {
    /// Whether the line is cut before this packet.
    fn cuts(&self) -> bool {
        let mut until_cut = self.until_cut.lock().unwrap();
        match &mut *until_cut {
            None => false,
            Some(0) => true,
            Some(packets) => {
                *packets -= 1;
                false
            }
        }
    }
}

impl Proxy {
    /// In front of what listens on this port.
    pub async fn start(port: &str) -> Self {
        let upstream = format!("127.0.0.1:{port}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fate = Arc::new(Fate::default());
        let told = Arc::clone(&fate);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&upstream).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                // Whoever was swallowed once stays dead: that is what half-open means.
                let dead = AtomicBool::new(false);
                let age = told.age.load(Ordering::SeqCst);
                let told = told.clone();
                tokio::spawn(async move {
                    let there = carry(from_client, to_server, &told, age, &dead, true);
                    let back = carry(from_server, to_client, &told, age, &dead, false);
                    // Who is cut off at one end is at the other.
                    tokio::select! {
                        () = there => {}
                        () = back => {}
                    }
                });
            }
        });
        Self { port, fate }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn swallows_everything(&self) {
        self.fate.swallows.store(true, Ordering::SeqCst);
    }

    /// As a router does that was restarted: it knows no connection any more, and makes new ones.
    pub fn forgets_everybody(&self) {
        self.fate.age.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets so many more packets through to the server, and then cuts every line.
    pub fn cuts_after(&self, packets: Option<u32>) {
        *self.fate.until_cut.lock().unwrap() = packets;
    }

    /// New connections live; those that were swallowed do not come back.
    pub fn passes_again(&self) {
        self.fate.swallows.store(false, Ordering::SeqCst);
    }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    fate: &Fate,
    age: u64,
    dead: &AtomicBool,
    to_server: bool,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if to_server && fate.cuts() {
            return;
        }
        if fate.swallows.load(Ordering::SeqCst) || fate.age.load(Ordering::SeqCst) != age {
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
