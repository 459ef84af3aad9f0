//! The log: to standard error, as text for people or JSON for machines.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFormat, Settings};

/// Statements carry people's data. They are logged only by whoever names these targets in LOG.
const QUIET: &[&str] = &["sqlx", "sea_orm", "sea_orm_migration", "apalis", "lettre"];

/// Logs panics like every other failure, with the request that they happened in, instead of
/// printing them beside the log.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("no text");
        let place = panic.location().map(ToString::to_string);
        tracing::error!(text, place, "a panic");
    }));
}

/// Starts the log for the rest of the process. The error is a line for the operator.
pub fn start(settings: &Settings) -> Result<(), String> {
    let mut filter = EnvFilter::try_new(&settings.log).map_err(|error| {
        format!("LOG must be a tracing filter such as info,muster=debug: {error}")
    })?;
    for target in QUIET {
        if !settings.log.contains(target)
            && let Ok(directive) = format!("{target}=warn").parse()
        {
            filter = filter.add_directive(directive);
        }
    }
    let format = settings.log_format.unwrap_or_else(|| {
        if stderr().is_terminal() {
            LogFormat::Text
        } else {
            LogFormat::Json
        }
    });
    let builder = fmt().with_env_filter(filter).with_writer(stderr);
    match format {
        LogFormat::Text => builder.with_ansi(stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| format!("the log cannot be started: {error}"))?;
    log_panics();
    Ok(())
}
