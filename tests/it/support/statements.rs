//! What the store says to the database, in the test's own process.

use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::Dispatch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Listens as long as it lives, to what runs on this thread.
pub struct Statements {
    heard: Heard,
    _listening: DefaultGuard,
    /// While there is only one, `tracing` asks the thread that comes by a place first whether anybody
    /// listens there, and believes the answer for all threads.
    _another: Dispatch,
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Statements {
    pub fn listen() -> Self {
        let another = Dispatch::new(tracing_subscriber::registry());
        let heard = Heard::default();
        let subscriber = tracing_subscriber::registry().with(heard.clone());
        let listening = tracing::subscriber::set_default(subscriber);
        Self {
            heard,
            _listening: listening,
            _another: another,
        }
    }

    /// The texts since the last time, with placeholders where values go.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.0.lock().unwrap())
    }
}

impl<S: tracing::Subscriber> Layer<S> for Heard {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if span.metadata().name() == "sql" {
            span.record(&mut Text(self));
        }
    }
}

struct Text<'a>(&'a Heard);

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "db.query.text" {
            self.0.0.lock().unwrap().push(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
