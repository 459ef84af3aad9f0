//! Carries events between this process and the others, for as long as it runs.
//! Whatever the transport suffers, it is tried again.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{Event, Events};
use crate::redis::Redis;
use crate::store::Db;

const CHANNEL: &str = "muster_events";
const PAUSE: Duration = Duration::from_secs(2);
/// Events of one kind within this time are one: a hundred sign-ups need not wake a worker a
/// hundred times.
const GATHERING: Duration = Duration::from_millis(5);

#[derive(Clone)]
pub enum Transport {
    Redis(Redis),
    Postgres(Db),
}

impl Transport {
    async fn send(&self, event: Event) {
        match self {
            // It tells the log itself.
            Self::Redis(redis) => {
                redis.publish(CHANNEL, event.name()).await;
            }
            Self::Postgres(db) => {
                if let Err(error) = db.notify(CHANNEL, event.name()).await {
                    tracing::debug!(%error, "an event was lost");
                }
            }
        }
    }

    /// Returns when the connection has ended.
    async fn receive(&self, events: &Events) {
        let hear = |name: &str| {
            if let Some(event) = Event::named(name) {
                events.receive(event);
            }
        };
        match self {
            Self::Redis(redis) => {
                if let Some(messages) = redis.subscribe(CHANNEL).await {
                    let mut messages = pin!(messages);
                    while let Some(name) = messages.next().await {
                        hear(&name);
                    }
                }
            }
            Self::Postgres(db) => match db.listen(CHANNEL).await {
                Ok(mut listener) => {
                    while let Ok(name) = listener.next().await {
                        hear(&name);
                    }
                }
                Err(error) => tracing::debug!(%error, "events of other processes are not heard"),
            },
        }
    }
}

/// Runs until it is cancelled.
pub async fn relay(events: Events, transport: Transport, cancel: CancellationToken) {
    let work = async { tokio::join!(send(&events, &transport), receive(&events, &transport)) };
    tokio::select! {
        () = cancel.cancelled() => {}
        ((), ()) = work => {}
    }
}

async fn send(events: &Events, transport: &Transport) {
    let mut outward = events.0.outward.subscribe();
    loop {
        let event = match outward.recv().await {
            Ok(event) => event,
            // What was missed is of the same few kinds as what comes next.
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        tokio::time::sleep(GATHERING).await;
        let mut gathered = vec![event];
        while let Ok(event) = outward.try_recv() {
            if !gathered.contains(&event) {
                gathered.push(event);
            }
        }
        for event in gathered {
            transport.send(event).await;
        }
    }
}

async fn receive(events: &Events, transport: &Transport) {
    loop {
        transport.receive(events).await;
        tokio::time::sleep(PAUSE).await;
    }
}
