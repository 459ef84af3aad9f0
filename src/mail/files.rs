//! Writes mails into a folder, for machines without a mail server. Called by
//! `mailer` only.
//!
//! One delivery is one file, whole or not there: a repeat replaces it. Nobody
//! else on the machine can read it, since it may hold a reset link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, NaiveDateTime, Utc};
use sea_orm::ActiveEnum;

use super::send_error::SendError;
use crate::entity::{DeliveryId, MailKind};

const TIME: &str = "%Y%m%dT%H%M%S%.3fZ";
const ENDING: &str = ".eml";

pub(super) struct Files {
    dir: PathBuf,
}

impl Files {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "mails are written to {} because SMTP_URL is not set",
            self.dir.join("").display()
        )
    }

    pub(super) async fn send(
        &self,
        id: DeliveryId,
        kind: MailKind,
        date: DateTime<Utc>,
        message: &[u8],
    ) -> Result<String, SendError> {
        let name = file_name(id, kind, date);
        let path = self.dir.join(&name);
        let (dir, message) = (self.dir.clone(), message.to_vec());
        self.blocking(move || replace(&dir, &name, &message))
            .await
            .map(|()| format!("written to {}", path.display()))
            .map_err(SendError::transient)
    }

    pub(super) async fn check(&self) -> Result<String, String> {
        let dir = self.dir.clone();
        self.blocking(move || {
            create_dir(&dir)?;
            let probe = temporary(&dir, "check");
            write(&probe, b"")?;
            fs::remove_file(&probe)
        })
        .await?;
        Ok(self.describe())
    }

    async fn blocking(
        &self,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<(), String> {
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| format!("cannot write to {}: {error}", self.dir.display()))
    }
}

/// What `from_file_name` reads again.
fn file_name(id: DeliveryId, kind: MailKind, date: DateTime<Utc>) -> String {
    let time = date.format(TIME);
    format!("{time}-{}-{id}{ENDING}", kind.to_value())
}

/// None where no mail of ours has such a name.
pub(super) fn from_file_name(name: &str) -> Option<(DateTime<Utc>, MailKind, DeliveryId)> {
    let (time, rest) = name.strip_suffix(ENDING)?.split_once('-')?;
    let (kind, id) = rest.rsplit_once('-')?;
    let time = NaiveDateTime::parse_from_str(time, TIME).ok()?.and_utc();
    let kind = MailKind::try_from_value(&kind.to_owned()).ok()?;
    Some((time, kind, id.parse().ok()?))
}

fn replace(dir: &Path, name: &str, message: &[u8]) -> io::Result<()> {
    create_dir(dir)?;
    let temporary = temporary(dir, name);
    let written = write(&temporary, message).and_then(|()| fs::rename(&temporary, dir.join(name)));
    if written.is_err() {
        // The first error tells more than this one would.
        fs::remove_file(&temporary).unwrap_or_default();
        return written;
    }
    sync_dir(dir)
}

/// A name that no other writer uses at the same time, in this process or another.
fn temporary(dir: &Path, name: &str) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    dir.join(format!(".{name}.{}-{count}.tmp", std::process::id()))
}

fn write(path: &Path, message: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(message)?;
    file.sync_all()
}

fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// A new name is on the disk only once its folder is.
fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(dir)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ID: DeliveryId = DeliveryId(Uuid::from_u128(7));

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    async fn send(files: &Files, id: DeliveryId, message: &[u8]) -> Result<String, SendError> {
        let date = "2026-01-05T09:00:00.250Z".parse().unwrap();
        files.send(id, MailKind::Welcome, date, message).await
    }

    #[tokio::test]
    async fn a_delivery_that_is_sent_again_is_still_one_file() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("deep/mail");
        let files = Files::new(dir.clone());
        send(&files, ID, b"first").await.unwrap();
        let answer = send(&files, ID, b"second").await.unwrap();
        let name = "20260105T090000.250Z-welcome-delivery_00000000000000000000000007.eml";
        assert_eq!(names(&dir), [name]);
        assert_eq!(fs::read(dir.join(name)).unwrap(), b"second");
        assert_eq!(answer, format!("written to {}", dir.join(name).display()));

        send(&files, DeliveryId(Uuid::from_u128(8)), b"another")
            .await
            .unwrap();
        assert_eq!(names(&dir).len(), 2);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_read_the_mails() {
        use std::os::unix::fs::PermissionsExt;

        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("mail");
        send(&Files::new(dir.clone()), ID, b"secret").await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join(&names(&dir)[0])), 0o600);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_worth_a_retry_and_fails_the_check() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("mail");
        fs::write(&dir, "a file in its place").unwrap();
        let files = Files::new(dir.clone());
        let error = send(&files, ID, b"lost").await.unwrap_err();
        assert!(!error.permanent);
        let expected = format!("cannot write to {}", dir.display());
        assert!(error.answer.starts_with(&expected), "{}", error.answer);
        assert!(files.check().await.unwrap_err().starts_with(&expected));
    }

    #[tokio::test]
    async fn the_check_leaves_nothing_behind() {
        let temp = tempfile::tempdir().unwrap();
        let files = Files::new(temp.path().to_owned());
        assert_eq!(files.check().await.unwrap(), files.describe());
        assert_eq!(names(temp.path()), Vec::<String>::new());
    }

    #[test]
    fn the_name_of_a_file_tells_the_mail_and_other_names_tell_nothing() {
        let date = "2026-01-05T09:00:00.250Z".parse().unwrap();
        let name = file_name(ID, MailKind::PasswordReset, date);
        assert_eq!(
            from_file_name(&name),
            Some((date, MailKind::PasswordReset, ID))
        );
        for stranger in [
            "",
            ".eml",
            "notes.txt",
            &name.replace(".eml", ".tmp"),
            &format!(".{name}.7-0.tmp"),
            &name.replace("password-reset", "passwords"),
            &name.replace("2026", "20x6"),
            &name.replace("delivery_", "user_"),
            &format!("../{name}"),
        ] {
            assert_eq!(from_file_name(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn the_log_says_where_mails_go() {
        assert_eq!(
            Files::new("mail".into()).describe(),
            "mails are written to mail/ because SMTP_URL is not set"
        );
    }
}
