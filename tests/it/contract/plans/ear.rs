//! What the program says, and the server answers, while statements run.

use super::*;

#[derive(Clone, Debug)]
pub(super) enum Heard {
    Statement(String),
    Plan(String),
}

/// Hears the statements of `store`, and what PostgreSQL says beside its answers.
#[derive(Clone, Default)]
pub(super) struct Ear(pub(super) Arc<Mutex<Vec<Heard>>>);

impl Ear {
    pub(super) fn all(&self) -> Vec<Heard> {
        self.0.lock().unwrap().clone()
    }
}

impl<S: Subscriber> Layer<S> for Ear {
    fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        if span.metadata().name() == "sql" {
            let mut text = Text::of("db.query.text");
            span.record(&mut text);
            self.0.lock().unwrap().push(Heard::Statement(text.value));
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            let mut text = Text::of("message");
            event.record(&mut text);
            self.0.lock().unwrap().push(Heard::Plan(text.value));
        }
    }
}

pub(super) struct Text {
    pub(super) field: &'static str,
    pub(super) value: String,
}

impl Text {
    pub(super) fn of(field: &'static str) -> Self {
        Self {
            field,
            value: String::new(),
        }
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == self.field {
            value.clone_into(&mut self.value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == self.field {
            self.value = format!("{value:?}");
        }
    }
}
