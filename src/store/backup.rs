//! Copies an `SQLite` database while others work with it. A backup is whole before
//! it has its name, is never written over another, and knows that it is a copy.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{self, Path, PathBuf};

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, PaginatorTrait, Statement,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use super::database::open_to_read;
use super::{installation, migrate};
use crate::config::Secret;
use crate::entity::{task, user};
use crate::error::{Error, Result};
use crate::generator::Generator;

/// What was written.
pub struct Backup {
    pub bytes: u64,
    pub users: u64,
    pub tasks: u64,
}

/// Copies the database at this URL to a file that is not there yet, readable by its owner alone.
pub async fn back_up(
    url: &Secret,
    file: &Path,
    generator: &Generator,
    now: DateTime<Utc>,
) -> Result<Backup> {
    let failed = |error: io::Error| cannot_write(file, &error);
    let file = &path::absolute(file).map_err(failed)?;
    // Told before the work; what decides is the linking at its end.
    if fs::symlink_metadata(file).is_ok() {
        return Err(exists(file));
    }
    let original: DatabaseConnection = open_to_read(url).await?.into();
    migrate::refuse_newer_at(&original).await?;
    migrate::check(&original).await.map_err(|_| {
        Error::BadUserInput("the database is not migrated; run `muster migrate` first".into())
    })?;
    let draft = Draft::beside(file, generator).map_err(failed)?;
    copy(&original, &draft).await?;
    original.close().await?;
    let (users, tasks) = mark(&draft, now).await?;
    let bytes = draft.publish(file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(file),
        _ => failed(error),
    })?;
    Ok(Backup {
        bytes,
        users,
        tasks,
    })
}

fn cannot_write(file: &Path, error: &dyn std::error::Error) -> Error {
    Error::internal(format!("{} cannot be written: {error}", file.display()))
}

fn exists(file: &Path) -> Error {
    let line = format!("{} is there already, and is left as it is", file.display());
    Error::BadUserInput(line)
}

/// As of one moment: `SQLite` reads it in one transaction, and no writer waits for that.
async fn copy(original: &DatabaseConnection, draft: &Draft) -> Result<()> {
    let text = draft.0.to_str().ok_or_else(|| {
        let line = format!("{} is not a name in UTF-8", draft.0.display());
        Error::BadUserInput(line)
    })?;
    let vacuum = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [text.into()]);
    original
        .execute_raw(vacuum)
        .await
        .map_err(|error| cannot_write(&draft.0, &error))?;
    Ok(())
}

/// Lets the copy know that it is one, and counts what is in it.
async fn mark(draft: &Draft, now: DateTime<Utc>) -> Result<(u64, u64)> {
    let options = SqliteConnectOptions::new()
        .filename(&draft.0)
        // What is torn is thrown away, so nothing is kept on disk for mending it.
        .journal_mode(SqliteJournalMode::Memory);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .map_err(|error| cannot_write(&draft.0, &error))?;
    let copy: DatabaseConnection = pool.into();
    installation::mark_as_copy(&copy, now).await?;
    let users = user::Entity::find().count(&copy).await?;
    let tasks = task::Entity::find().count(&copy).await?;
    copy.close().await?;
    Ok((users, tasks))
}

/// A file beside the one that it is to become; gone when dropped.
struct Draft(PathBuf);

impl Draft {
    /// Empty, which `SQLite` takes for absent, so that it never makes a file that others can read.
    fn beside(file: &Path, generator: &Generator) -> io::Result<Self> {
        let mut name = file
            .file_name()
            .ok_or(ErrorKind::InvalidFilename)?
            .to_owned();
        name.push(format!(".{:016x}", u64::from_be_bytes(generator.bytes())));
        let draft = file.with_file_name(name);
        create(&draft)?;
        Ok(Self(draft))
    }

    /// Gives it its name, and says how large it is. Fails where there is a file of that name.
    fn publish(self, file: &Path) -> io::Result<u64> {
        let written = File::open(&self.0)?;
        written.sync_all()?;
        match fs::hard_link(&self.0, file) {
            // Memory sticks and some networks know no links: there the name is taken first, and
            // then only what was just made is written over.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Unsupported | ErrorKind::PermissionDenied
                ) =>
            {
                create(file)?;
                fs::rename(&self.0, file)?;
            }
            linked => linked?,
        }
        if let Some(folder) = file.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(written.metadata()?.len())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It has another name by now, or was not finished.
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

fn create(file: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
}
