//! The secret that signs tokens: from the environment, or from a file beside the
//! `SQLite` database that is made once and readable by its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::value::weakness;
use super::{Secret, Settings};
use crate::generator::Generator;

impl Settings {
    /// Where the `SQLite` database is.
    pub fn database_file(&self) -> PathBuf {
        let path = self.database_url.split('?').next().unwrap_or_default();
        let path = path.strip_prefix("sqlite:").unwrap_or(path);
        PathBuf::from(path.strip_prefix("//").unwrap_or(path))
    }
}

/// The secret of the settings, or else the one beside the database, made if there is none. The
/// error is a line for the operator, and shows no secret.
pub fn signing_secret(settings: &Settings, generator: &Generator) -> Result<Secret, String> {
    match &settings.jwt_secret {
        Some(secret) => Ok(secret.clone()),
        None => kept_secret(
            &settings.database_file().with_extension("jwt-secret"),
            generator,
        ),
    }
}

fn kept_secret(path: &Path, generator: &Generator) -> Result<Secret, String> {
    let failed = |error: std::io::Error| {
        format!(
            "JWT_SECRET is not set, and {} cannot be used: {error}",
            path.display()
        )
    };
    if !path.try_exists().map_err(failed)? {
        make(path, generator).map_err(failed)?;
    }
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!(
            "{} can be read by others; run `chmod 600` on it, or delete it to have a new one made",
            path.display()
        ));
    }
    let text = fs::read_to_string(path).map_err(failed)?.trim().to_owned();
    match weakness(&text) {
        Some(weakness) => Err(format!("the secret in {} {weakness}", path.display())),
        None => Ok(Secret::new(text)),
    }
}

/// Written in full before it has its name, and never over another: two processes that start at
/// once end up with the same one.
fn make(path: &Path, generator: &Generator) -> std::io::Result<()> {
    let draft = path.with_extension(format!("jwt-secret.{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{}", STANDARD_NO_PAD.encode(generator.bytes::<32>()))?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.jwt-secret");
        let first = kept_secret(&path, &Generator::seeded(1)).unwrap();
        let second = kept_secret(&path, &Generator::seeded(2)).unwrap();
        assert_eq!(first.expose(), second.expose());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.jwt-secret");
        kept_secret(&path, &Generator::seeded(1)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = kept_secret(&path, &Generator::seeded(1)).unwrap_err();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_secret_that_was_cut_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.jwt-secret");
        kept_secret(&path, &Generator::seeded(1)).unwrap();
        fs::write(&path, "abc").unwrap();
        assert!(kept_secret(&path, &Generator::seeded(1)).is_err());
    }
}
