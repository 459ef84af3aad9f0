//! The log, to standard error, as text for people or JSON for machines: each event
//! is one line, whatever it quotes. And traces, to an OpenTelemetry collector if
//! there is one: what was done and for how long, with SQL but without its values.

use std::io::{self, IsTerminal, Write, stderr};

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, Settings};

/// Statements carry people's data. They are logged only by whoever names these targets in LOG.
const QUIET: &[&str] = &["sqlx", "sea_orm", "sea_orm_migration", "apalis", "lettre"];

/// What was started. To be finished, so that the last traces are sent.
pub struct Telemetry(Option<SdkTracerProvider>);

/// Starts log and traces for the rest of the process. The error is a line for the operator.
pub fn start(settings: &Settings) -> Result<Telemetry, String> {
    let on_terminal = stderr().is_terminal();
    let log = log(settings, on_terminal, stderr)?;
    let provider = provider(settings)?;
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("muster"))
            // Our own spans, not what is logged in them: that may name people.
            .with_filter(filter_fn(|metadata| {
                metadata.is_span() && metadata.target().starts_with("muster")
            }))
    });
    tracing_subscriber::registry()
        .with(log)
        .with(traces)
        .try_init()
        .map_err(|error| format!("the log cannot be started: {error}"))?;
    log_panics();
    Ok(Telemetry(provider))
}

impl Telemetry {
    /// Sends what has not been sent yet.
    pub fn finish(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

fn provider(settings: &Settings) -> Result<Option<SdkTracerProvider>, String> {
    let Some(endpoint) = &settings.otlp_endpoint else {
        return Ok(None);
    };
    let endpoint = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| format!("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {error}"))?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("muster").build())
        .build();
    Ok(Some(provider))
}

/// Makes a request's span a part of the trace that its caller is in, by the header `traceparent`
/// (W3C Trace Context), and notes the trace in the span's field `trace_id`.
pub fn join_trace(span: &Span, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    let mut trace_id = parent.span().span_context().trace_id();
    if parent.span().span_context().is_valid() && span.set_parent(parent).is_err() {
        tracing::trace!("there are no traces to join");
    }
    let own = span.context().span().span_context().trace_id();
    if own != opentelemetry::trace::TraceId::INVALID {
        trace_id = own;
    }
    if trace_id != opentelemetry::trace::TraceId::INVALID {
        span.record("trace_id", tracing::field::display(trace_id));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Logs panics like every other failure, with the request that they happened in, instead of
/// printing them beside the log.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("no text");
        let place = panic.location().map(ToString::to_string);
        tracing::error!(text, place, "a panic");
    }));
}

fn log<S, W: Write + 'static>(
    settings: &Settings,
    on_terminal: bool,
    writer: impl Fn() -> W + Send + Sync + 'static,
) -> Result<Box<dyn Layer<S> + Send + Sync>, String>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let format = match settings.log_format {
        Some(format) => format,
        None if on_terminal => LogFormat::Text,
        None => LogFormat::Json,
    };
    let styled = on_terminal && format == LogFormat::Text;
    let layer = fmt::layer().with_ansi(styled).with_writer(move || OneLine {
        writer: writer(),
        styled,
    });
    let filter = filter(&settings.log)?;
    Ok(match format {
        LogFormat::Text => layer.with_filter(filter).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

fn filter(log: &str) -> Result<EnvFilter, String> {
    let mut filter = EnvFilter::try_new(log).map_err(|error| {
        format!("LOG must be a tracing filter, such as info,muster=debug: {error}")
    })?;
    let named: Vec<&str> = log
        .split(',')
        .filter_map(|directive| directive.split(['=', '[']).next())
        .map(str::trim)
        .collect();
    for target in QUIET {
        // A directive for a part of the target, such as `sqlx::query`, goes before this one anyway.
        if !named.contains(target)
            && let Ok(directive) = format!("{target}=warn").parse()
        {
            filter = filter.add_directive(directive);
        }
    }
    Ok(filter)
}

/// Keeps whoever chose a name or title from ending the line and making up the next one, and from
/// steering the terminal: the formatter writes fields as they are.
struct OneLine<W> {
    writer: W,
    /// Whether the formatter's own styles are let through.
    styled: bool,
}

/// What the formatter writes around times, levels and names. None of these hides or moves text.
const STYLES: &[&str] = &[
    "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[3m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m",
    "\x1b[35m",
];

impl<W: Write> Write for OneLine<W> {
    /// Takes a whole event, as the formatter hands it over.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (mut rest, end) = match text.strip_suffix('\n') {
            Some(body) => (body, "\n"),
            None => (&*text, ""),
        };
        let mut line = String::with_capacity(text.len());
        while let Some(character) = rest.chars().next() {
            let style = match character {
                '\x1b' if self.styled => STYLES.iter().find(|style| rest.starts_with(**style)),
                _ => None,
            };
            let taken = if let Some(style) = style {
                line.push_str(style);
                style.len()
            } else {
                push_printable(&mut line, character);
                character.len_utf8()
            };
            rest = &rest[taken..];
        }
        line.push_str(end);
        // In one piece, so that the lines of several threads do not mix.
        self.writer.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Escapes as JSON does, so that this is right inside its strings, too.
fn push_printable(line: &mut String, character: char) {
    match character {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        _ if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') => {
            line.extend(format!("\\u{:04x}", u32::from(character)).chars());
        }
        _ => line.push(character),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::registry::Registry;

    use super::*;
    use crate::config;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(given: &[(&str, &str)], on_terminal: bool, events: impl FnOnce()) -> String {
        let settings = config::read(|name| {
            let found = given.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        })
        .unwrap();
        let memory = Memory::default();
        let writer = memory.clone();
        let log = log::<Registry, _>(&settings, on_terminal, move || writer.clone()).unwrap();
        let subscriber = tracing_subscriber::registry().with(log);
        tracing::subscriber::with_default(subscriber, events);
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_name_neither_leaves_its_line_nor_steers_the_terminal() {
        for (format, on_terminal) in [
            ("text", false),
            ("text", true),
            ("json", false),
            ("json", true),
        ] {
            let log = logged(&[("LOG_FORMAT", format)], on_terminal, || {
                let name = "ada\r\n2026-01-01 INFO all is well\u{2028}\u{9b}2J\x1b[2J\x1b[8m";
                tracing::info!(%name, cause = ?"a\nb", "hello {name}");
                tracing::info!("goodbye");
            });
            assert_eq!(log.lines().count(), 2, "{log:?}");
            assert!(log.contains("all is well") && log.ends_with('\n'));
            if format == "json" {
                let event: serde_json::Value =
                    serde_json::from_str(log.lines().next().unwrap()).unwrap();
                assert!(event["name"].as_str().unwrap().starts_with("ada\r\n2026"));
            }
            for steering in ["\r", "\u{9b}", "\x1b[2J", "\x1b[8m"] {
                assert!(!log.contains(steering), "{format}: {log:?}");
            }
        }
    }

    #[test]
    fn the_styles_of_every_level_reach_the_terminal() {
        let log = logged(&[("LOG", "trace")], true, || {
            let _span = tracing::info_span!("request", id = 1).entered();
            tracing::trace!(id = 1, "a");
            tracing::debug!(id = 1, "b");
            tracing::info!(id = 1, "c");
            tracing::warn!(id = 1, "d");
            tracing::error!(id = 1, "e");
        });
        assert_eq!(log.lines().count(), 5);
        assert!(log.contains("\x1b[") && !log.contains("\\u001b"), "{log:?}");
    }

    #[test]
    fn machines_get_json_and_people_text() {
        let event = || tracing::info!(user = "ada", "somebody logged in");
        let line = logged(&[], false, event);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "somebody logged in");
        assert_eq!(value["user"], "ada");
        assert!(logged(&[], true, event).contains("\x1b["));
        assert!(serde_json::from_str::<serde_json::Value>(&logged(&[], true, event)).is_err());
    }

    #[test]
    fn statements_are_logged_only_for_who_names_their_target() {
        let statement = || {
            tracing::info!(target: "sqlx::query", "SELECT");
            tracing::info!(target: "sea_orm_migration::migrator", "Applying");
            tracing::warn!(target: "sqlx::pool", "slow");
        };
        for (log, lines) in [
            ("info", 1),
            ("trace", 1),
            // Neither of these names sqlx.
            ("info,my_sqlx_story=debug", 1),
            ("sea_orm_migration=info", 2),
            ("info,sqlx=info", 2),
            ("info,sqlx::query=info", 2),
            ("sqlx,sea_orm_migration", 3),
        ] {
            let written = logged(&[("LOG", log)], false, statement);
            assert_eq!(written.lines().count(), lines, "{log}: {written}");
        }
    }
}
