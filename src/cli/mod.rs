//! The commands. Each ends with status 0, or with one clear line on standard
//! error and status 1; unusable arguments end with status 2.

mod create_admin;
mod inspect;
mod serve;
mod transfer;

use std::io::{ErrorKind, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::error::{Error, Problem};
use crate::generator::Generator;
use crate::graphql;
use crate::mail::Mailer;
use crate::telemetry;

/// People sign up, an admin lets them in, managers hand out tasks, mail goes out.
///
/// Settings come from the environment and from `.env` in the working directory; `.env.example`
/// lists every one.
#[derive(Parser)]
#[command(name = "muster", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Migrate the database, then serve the API and, unless WORKER=off, run the job worker (the default)
    Serve,
    /// Run only the job worker and the schedules
    Worker,
    /// Migrate the database and exit
    Migrate {
        /// What to do: apply all that is missing, undo the newest, or list them
        #[arg(value_enum, default_value_t = Direction::Up)]
        direction: Direction,
    },
    /// Make an admin; asks for what is not given
    CreateAdmin(create_admin::CreateAdminArguments),
    /// Fill an empty database with sample people and tasks, and print how to log in
    Demo,
    /// Copy the SQLite database to a new file, also while a server runs on it
    Backup {
        /// The file to write; one that is there already is left as it is
        file: PathBuf,
    },
    /// Move everything from SQLite to PostgreSQL, and compare both to the last row
    MigrateStore(transfer::MigrateStoreArguments),
    /// Print the GraphQL schema as SDL
    Schema,
    /// Read the settings, reach the database and the mail server, and say what was found
    Check,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Direction {
    Up,
    Down,
    Status,
}

/// How a command failed.
enum Failure {
    /// Lines for standard error.
    Failed(String),
    /// The arguments cannot be used together or in this place.
    Unusable(String),
}

impl From<String> for Failure {
    fn from(line: String) -> Self {
        Self::Failed(line)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(match error {
            Error::Refused(problems) => problems
                .iter()
                .map(|Problem { field, message, .. }| match field {
                    Some(field) => format!("{field}: {message}"),
                    None => message.clone(),
                })
                .collect::<Vec<_>>()
                .join(" "),
            Error::BadUserInput(line) => line,
            other => other.to_string(),
        })
    }
}

pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("the runtime cannot be started: {error}")))
        .and_then(|runtime| runtime.block_on(run(arguments.command.unwrap_or(Command::Serve))));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(lines)) => {
            complain(&lines);
            ExitCode::from(1)
        }
        Err(Failure::Unusable(line)) => {
            complain(&line);
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve => Box::pin(logged(serve::serve)).await,
        Command::Worker => Box::pin(logged(serve::worker)).await,
        Command::Migrate { direction } => inspect::migrate(&settings()?, direction).await,
        Command::CreateAdmin(arguments) => {
            // What is wrong with the arguments is told before anything is opened.
            let answers = create_admin::ask(arguments)?;
            Box::pin(create_admin::create_admin(settings()?, answers)).await
        }
        Command::Demo => inspect::demo(settings()?).await,
        Command::Backup { file } => transfer::backup(&settings()?, &file).await,
        Command::MigrateStore(arguments) => transfer::migrate_store(arguments).await,
        Command::Schema => {
            print(graphql::sdl().trim_end());
            Ok(())
        }
        Command::Check => inspect::check(settings()?).await,
    }
}

fn settings() -> Result<Settings, Failure> {
    config::load().map_err(|mistakes| Failure::Failed(mistakes.to_string()))
}

/// Runs a command with log and traces. Commands that end soon have none: what they have to say,
/// they print.
async fn logged<F>(command: impl FnOnce(Settings) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let settings = settings()?;
    let telemetry = telemetry::start(&settings)?;
    let done = command(settings).await;
    telemetry.finish();
    done
}

fn mailer(settings: &Settings) -> Result<Mailer, Failure> {
    Ok(match &settings.smtp_url {
        Some(url) => Mailer::smtp(url.expose()).map_err(|line| format!("SMTP_URL: {line}"))?,
        None => Mailer::files(settings.mail_dir.clone()),
    })
}

fn machine() -> Result<(Clock, Generator), Failure> {
    Ok((Clock::system(), Generator::system()?))
}

/// Whoever reads may have seen enough, as `head` has after its lines: that is no failure.
fn print(line: &str) {
    if let Err(error) = writeln!(stdout(), "{line}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        complain(&format!("standard output cannot be written to: {error}"));
    }
}

#[allow(
    clippy::print_stderr,
    reason = "the promise is a line on standard error, whatever LOG says"
)]
fn complain(lines: &str) {
    for line in lines.lines() {
        eprintln!("muster: {line}");
    }
}
