//! `muster backup` and `muster migrate-store`: copies of a database, and the move to
//! another engine. What is printed holds no password and no secret.

use std::io::{IsTerminal, Write, stdout};
use std::path::Path;

use clap::Args;

use super::{Failure, machine, print};
use crate::config::{self, Secret, Settings};
use crate::store::{self, Progress, Work};

pub(super) async fn backup(settings: &Settings, file: &Path) -> Result<(), Failure> {
    if settings.is_on_postgres() {
        return Err(Failure::Failed(
            "backups of PostgreSQL are made with its own pg_dump; this command is for SQLite"
                .into(),
        ));
    }
    let (clock, generator) = machine()?;
    let url = &settings.database_url;
    let backup = store::back_up(url, file, &generator, clock.now()).await?;
    print(&format!(
        "{} is written: {} KiB with {} users and {} tasks.",
        file.display(),
        backup.bytes.div_ceil(1_024),
        backup.users,
        backup.tasks
    ));
    if settings.jwt_secret.is_none() {
        print(&format!(
            "The signing secret is not in it: keep {}, too. Without it, everybody has to log in \
             again, and codes of authenticator apps are refused.",
            config::secret_file(url).display()
        ));
    }
    Ok(())
}

#[derive(Args)]
pub(super) struct MigrateStoreArguments {
    /// The database to leave, such as `sqlite://muster.db`; nothing may run on it meanwhile
    #[arg(long, value_name = "URL")]
    from: String,
    /// The empty database to move to, <postgres://user:pass@host/name>, not by way of a pooler
    #[arg(long, value_name = "URL")]
    to: String,
}

pub(super) async fn migrate_store(arguments: MigrateStoreArguments) -> Result<(), Failure> {
    // The URLs are not repeated, since they hold passwords.
    if !arguments.from.starts_with("sqlite:") {
        return Err(Failure::Unusable(
            "--from must be the URL of an SQLite file, such as sqlite://muster.db".into(),
        ));
    }
    if !config::is_postgres(&arguments.to) {
        return Err(Failure::Unusable(
            "--to must be the URL of a PostgreSQL database, such as postgres://user:pass@host/name"
                .into(),
        ));
    }
    let (from, to) = (Secret::new(arguments.from), Secret::new(arguments.to));
    let mut screen = Screen::default();
    store::move_everything(&from, &to, |progress| screen.shows(progress)).await?;
    print(&format!(
        "Everything is in PostgreSQL, the same to the last row. Set DATABASE_URL to it, and \
         JWT_SECRET {}: then nobody has to log in again, and codes of authenticator apps go on \
         working.",
        secret(&config::secret_file(&from))
    ));
    Ok(())
}

/// Where the secret is that the sessions were signed with.
fn secret(file: &Path) -> String {
    if file.exists() {
        let file = file.display();
        format!("to what is in {file} (or to what it was set to before)")
    } else {
        "to what it was before".into()
    }
}

/// On a terminal a line that rewrites itself; elsewhere a line for each table that is done.
struct Screen {
    is_terminal: bool,
    is_dirty: bool,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            is_terminal: stdout().is_terminal(),
            is_dirty: false,
        }
    }
}

impl Screen {
    fn shows(&mut self, progress: Progress) {
        let Progress {
            work,
            table,
            done,
            all,
        } = progress;
        let is_done = done >= all;
        if is_done {
            self.is_wiped();
            let work = match work {
                Work::Moving => "moved",
                Work::Comparing => "compared",
            };
            print(&format!("{work:<9} {table:<15} {all}"));
        } else if self.is_terminal {
            let work = match work {
                Work::Moving => "moving",
                Work::Comparing => "comparing",
            };
            self.is_dirty = true;
            write(&format!("{WIPE}{work:<9} {table:<15} {done} of {all}"));
        }
    }

    fn is_wiped(&mut self) {
        if self.is_dirty {
            self.is_dirty = false;
            write(WIPE);
        }
    }
}

fn write(text: &str) {
    let mut out = stdout();
    // A terminal that is gone is no reason to stop moving.
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .unwrap_or_default();
}

/// Back to the beginning of the line, and all of it blank.
const WIPE: &str = "\r\x1b[2K";

impl Drop for Screen {
    fn drop(&mut self) {
        // What comes next, such as what went wrong, has a line of its own.
        self.is_wiped();
    }
}
