//! The secret that signs tokens: from the environment, or from a file beside the
//! `SQLite` database that is made once and readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::strength::weakness;
use super::value::{database_file, is_postgres};
use super::{Secret, Settings};
use crate::generator::Generator;

impl Settings {
    pub fn is_on_postgres(&self) -> bool {
        is_postgres(self.database_url.expose())
    }
}

/// The secret of the settings, or else the one beside the database, made if there is none. The
/// error is a line for the operator, and shows no secret.
pub fn signing_secret(settings: &Settings, generator: &Generator) -> Result<Secret, String> {
    match &settings.jwt_secret {
        Some(secret) => Ok(secret.clone()),
        None => kept_secret(&secret_file(&settings.database_url), generator),
    }
}

/// Whether `signing_secret` would have one, and where from; makes none. The error is a line for the
/// operator, and shows no secret.
pub fn check_signing_secret(settings: &Settings) -> Result<String, String> {
    if settings.jwt_secret.is_some() {
        return Ok("set by JWT_SECRET".into());
    }
    let path = secret_file(&settings.database_url);
    if path.try_exists().map_err(|error| unusable(&path, &error))? {
        read_kept(&path)?;
        Ok(format!("kept in {}", path.display()))
    } else {
        Ok(format!(
            "none yet; one will be made and kept in {}",
            path.display()
        ))
    }
}

/// Where the secret is kept that was made for the `SQLite` database at this URL.
pub fn secret_file(database_url: &Secret) -> PathBuf {
    let file = database_file(database_url.expose()).unwrap_or_default();
    file.with_extension("jwt-secret")
}

fn kept_secret(path: &Path, generator: &Generator) -> Result<Secret, String> {
    let failed = |error| unusable(path, &error);
    if !path.try_exists().map_err(failed)? {
        make(path, generator).map_err(failed)?;
    }
    read_kept(path)
}

fn unusable(path: &Path, error: &std::io::Error) -> String {
    format!(
        "JWT_SECRET is not set, and {} cannot be used: {error}",
        path.display()
    )
}

fn read_kept(path: &Path) -> Result<Secret, String> {
    let failed = |error| unusable(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    // Of the file that is read, whatever has the name by now.
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!(
            "{} can be read by others; run `chmod 600` on it, or delete it to have a new one made",
            path.display()
        ));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    let text = text.trim().to_owned();
    match weakness(&text) {
        Some(weakness) => Err(format!("the secret in {} {weakness}", path.display())),
        None => Ok(Secret::new(text)),
    }
}

/// Written in full before it has its name, and never over another: two processes that start at
/// once end up with the same one.
fn make(path: &Path, generator: &Generator) -> std::io::Result<()> {
    // Of a name that nobody else makes: in two containers on one volume, process ids are the same.
    let name = u64::from_be_bytes(generator.bytes());
    let draft = path.with_extension(format!("jwt-secret.{name:016x}"));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let linked = writeln!(file, "{}", STANDARD_NO_PAD.encode(generator.bytes::<32>()))
        .and_then(|()| file.sync_all())
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
    // Also when the disk was full.
    fs::remove_file(&draft).and(linked)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

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

    #[test]
    fn many_that_start_at_once_agree_on_one_secret() {
        for round in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("muster.jwt-secret");
            let start = Barrier::new(4);
            let secrets: Vec<String> = thread::scope(|scope| {
                let starters: Vec<_> = (0..4)
                    .map(|starter| {
                        let (path, start) = (&path, &start);
                        scope.spawn(move || {
                            let generator = Generator::seeded(round * 4 + starter);
                            start.wait();
                            kept_secret(path, &generator).unwrap().expose().to_owned()
                        })
                    })
                    .collect();
                let ended = starters.into_iter().map(|starter| starter.join().unwrap());
                ended.collect()
            });
            assert!(secrets.iter().all(|secret| *secret == secrets[0]));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_by_the_path() {
        let error = kept_secret(
            Path::new("nowhere/muster.jwt-secret"),
            &Generator::seeded(1),
        );
        let error = error.unwrap_err();
        assert!(error.contains("nowhere/muster.jwt-secret"), "{error}");
    }
}
