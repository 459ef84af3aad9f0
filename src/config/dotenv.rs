//! Reads `.env`. What is wrong with it is told by the name of the variable or the
//! place of the entry, never by its text, which may be a secret.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;

use super::SETTINGS;

#[derive(Default)]
pub(super) struct File {
    pub values: HashMap<String, String>,
    pub mistakes: Vec<String>,
}

/// Reads that very file; one that is not there is empty.
pub(super) fn read(path: &Path) -> File {
    // dotenvy would go on to look for it in every folder above.
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == ErrorKind::NotFound => File::default(),
        Err(error) => File {
            mistakes: vec![format!("{} cannot be read: {error}", path.display())],
            ..File::default()
        },
    }
}

fn parse(text: &str) -> File {
    // Some editors begin a file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let mut file = File::default();
    for (place, entry) in dotenvy::from_read_iter(text.as_bytes()).enumerate() {
        match entry {
            Ok((name, value)) => {
                file.values.insert(name, value);
            }
            Err(error) => file.mistakes.push(mistake(text, place, &error)),
        }
    }
    file
}

fn mistake(text: &str, place: usize, error: &dotenvy::Error) -> String {
    let name = match error {
        dotenvy::Error::LineParse(value, _) => name_of(text, value.trim_end()),
        _ => None,
    };
    match name {
        Some(name) => {
            format!("{name} cannot be read from .env: put its value in 'single quotes'")
        }
        None => format!(".env: entry {} is not NAME=value", place + 1),
    }
}

/// The setting that was given this value.
fn name_of(text: &str, value: &str) -> Option<&'static str> {
    let names = SETTINGS.iter().map(|setting| setting.name);
    let text = format!("\n{text}");
    names
        .into_iter()
        .find(|name| text.contains(&format!("\n{name}={value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_were_quoted() {
        let file = parse(
            "\u{feff}# Ours\nLISTEN=0.0.0.0:80\nexport SMTP_URL='smtp://u:pa$word @h' # quoted\n",
        );
        assert!(file.mistakes.is_empty());
        assert_eq!(file.values["LISTEN"], "0.0.0.0:80");
        assert_eq!(file.values["SMTP_URL"], "smtp://u:pa$word @h");
    }

    #[test]
    fn every_broken_entry_is_told_by_its_name_or_place_and_not_by_its_text() {
        let file =
            parse("LISTEN=0.0.0.0:80\nSMTP_URL=smtp://u:hunter 2@h\nMAIL_FROM=M <m@h>\nhunter2\n");
        assert_eq!(
            file.mistakes,
            [
                "SMTP_URL cannot be read from .env: put its value in 'single quotes'",
                "MAIL_FROM cannot be read from .env: put its value in 'single quotes'",
                ".env: entry 4 is not NAME=value",
            ]
        );
        assert_eq!(file.values["LISTEN"], "0.0.0.0:80");
    }

    #[test]
    fn a_file_that_is_not_there_is_empty_and_those_above_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), "LISTEN=0.0.0.0:80").unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let file = read(&inner.join(".env"));
        assert!(file.values.is_empty() && file.mistakes.is_empty());
        assert_eq!(read(&folder.path().join(".env")).values.len(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, b"LISTEN=\xff").unwrap();
        assert_eq!(read(&path).mistakes.len(), 1);
        assert_eq!(read(folder.path()).mistakes.len(), 1);
    }
}
