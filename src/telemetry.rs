//! The log: to standard error, as text for people or JSON for machines. Each
//! event is one line, whatever it quotes.

use std::io::{self, IsTerminal, Write, stderr};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, Settings};

/// Statements carry people's data. They are logged only by whoever names these targets in LOG.
const QUIET: &[&str] = &["sqlx", "sea_orm", "sea_orm_migration", "apalis", "lettre"];

/// Starts the log for the rest of the process. The error is a line for the operator.
pub fn start(settings: &Settings) -> Result<(), String> {
    let on_terminal = stderr().is_terminal();
    let subscriber = subscriber(settings, on_terminal, stderr)?;
    subscriber
        .try_init()
        .map_err(|error| format!("the log cannot be started: {error}"))?;
    log_panics();
    Ok(())
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

fn subscriber<W: Write + 'static>(
    settings: &Settings,
    on_terminal: bool,
    writer: impl Fn() -> W + Send + Sync + 'static,
) -> Result<Box<dyn Subscriber + Send + Sync>, String> {
    let builder = fmt::Subscriber::builder().with_env_filter(filter(&settings.log)?);
    let format = match settings.log_format {
        Some(format) => format,
        None if on_terminal => LogFormat::Text,
        None => LogFormat::Json,
    };
    let styled = on_terminal && format == LogFormat::Text;
    let builder = builder.with_ansi(styled).with_writer(move || OneLine {
        writer: writer(),
        styled,
    });
    Ok(match format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
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
            let style = STYLES.iter().find(|style| rest.starts_with(**style));
            let taken = match style {
                Some(style) if self.styled => {
                    line.push_str(style);
                    style.len()
                }
                _ => {
                    push_printable(&mut line, character);
                    character.len_utf8()
                }
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
        let subscriber = subscriber(&settings, on_terminal, move || writer.clone()).unwrap();
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
