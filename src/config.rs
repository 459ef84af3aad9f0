//! The only reader of the environment, and of `.env` in the working directory.
//! Every mistake is reported, all together, each naming its variable; no report
//! shows the value of a secret.

mod origins;
mod secret;
mod signing;
mod value;

pub use origins::CorsOrigins;
pub use secret::Secret;
pub use signing::signing_secret;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::{NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;
use ipnet::IpNet;
use lettre::message::Mailbox;
use url::Url;

use value::Reader;

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    pub database_url: String,
    pub listen: SocketAddr,
    pub public_url: Url,
    pub jwt_secret: Option<Secret>,
    pub jwt_previous_secrets: Vec<Secret>,
    /// In characters.
    pub password_min_length: usize,
    pub access_token_ttl: TimeDelta,
    pub refresh_token_ttl: TimeDelta,
    pub session_max_age: TimeDelta,
    /// With credentials.
    pub smtp_url: Option<Secret>,
    pub mail_dir: PathBuf,
    pub mail_from: Mailbox,
    pub reminder_time: NaiveTime,
    /// None when switched off.
    pub report_time: Option<(Weekday, NaiveTime)>,
    pub time_zone: Tz,
    pub cors_origins: CorsOrigins,
    pub trusted_proxies: Vec<IpNet>,
    pub reset_url: Url,
    pub sign_up_open: bool,
    pub introspection: bool,
    pub rate_limit: bool,
    pub metrics_token: Option<Secret>,
    pub worker: bool,
    pub log: String,
    /// None: text on a terminal, else JSON.
    pub log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// One variable, as `.env.example` shows it.
pub struct Setting {
    pub name: &'static str,
    /// None where absence means something of its own.
    pub default: Option<&'static str>,
    pub meaning: &'static str,
}

macro_rules! settings {
    ($($name:literal, $default:expr, $meaning:literal;)*) => {
        /// Every variable that Muster reads, in the order of `.env.example`.
        pub const SETTINGS: &[Setting] = &[
            $(Setting { name: $name, default: $default, meaning: $meaning },)*
        ];
    };
}

settings! {
    "DATABASE_URL", Some("sqlite://muster.db?mode=rwc"), "The database: an SQLite file.";
    "REDIS_URL", None, "Shared cache, rate limits and events between several processes; comes with PostgreSQL in the next release.";
    "LISTEN", Some("127.0.0.1:8000"), "Address and port to serve on.";
    "PUBLIC_URL", Some("http://localhost:8000"), "What links in mails start with; tokens are issued in its name.";
    "JWT_SECRET", None, "Signs access tokens, at least 32 bytes; when absent, one is generated and kept in a file beside the SQLite database.";
    "JWT_PREVIOUS_SECRETS", None, "Comma-separated earlier secrets that still verify, while JWT_SECRET is being changed.";
    "PASSWORD_MIN_LENGTH", Some("8"), "Least number of characters of a password, 8 to 64; 15 is advised.";
    "ACCESS_TOKEN_TTL", Some("15m"), "Life of an access token.";
    "REFRESH_TOKEN_TTL", Some("30d"), "Life of a session without use.";
    "SESSION_MAX_AGE", Some("90d"), "Life of a session with use.";
    "SMTP_URL", None, "Mail server, smtp://user:pass@host:port or smtps://…, with ?tls=required for STARTTLS; when absent, mails are written to MAIL_DIR.";
    "MAIL_DIR", Some("mail"), "Folder of .eml files when there is no mail server.";
    "MAIL_FROM", Some("Muster <muster@localhost>"), "Sender of all mails.";
    "REMINDER_TIME", Some("10:00"), "When the daily reminder goes out, on each user's own clock; checked already, used once reminders come.";
    "REPORT_TIME", Some("mon 09:00"), "When managers and admins get the summary report, on their own clock, or off; checked already, used once scheduled reports come.";
    "TIME_ZONE", Some("UTC"), "IANA time zone of users who named none.";
    "CORS_ORIGINS", None, "Comma-separated origins of browser front ends, or * without credentials.";
    "TRUSTED_PROXIES", None, "Comma-separated CIDRs of the proxies whose X-Forwarded-For is believed.";
    "RESET_URL", None, "Page that the reset mail links to, the token follows as #token=…; PUBLIC_URL/reset-password when absent.";
    "SIGN_UP", Some("open"), "open, or closed to refuse sign-ups.";
    "INTROSPECTION", Some("on"), "on, or off to hide the schema and the playground from everyone.";
    "RATE_LIMIT", Some("on"), "on, or off for tests and benchmarks; checked already, used once rate limits come.";
    "METRICS_TOKEN", None, "Bearer token for /metrics, without one only callers on loopback are answered; checked already, used once metrics come.";
    "WORKER", Some("on"), "on, or off when this process shall serve only.";
    "LOG", Some("info"), "What is logged, as a tracing filter such as info,muster=debug.";
    "LOG_FORMAT", None, "text or json; when absent, text on a terminal and json elsewhere.";
}

/// Everything that is wrong with the settings, a line each.
#[derive(Debug)]
pub struct Mistakes(Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// Reads the environment, and `.env` for what it leaves open.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the one reader of the environment"
)]
pub fn load() -> Result<Settings, Mistakes> {
    let file = read_file().map_err(|mistake| Mistakes(vec![mistake]))?;
    read(|name| std::env::var(name).ok().or_else(|| file.get(name).cloned()))
}

fn read_file() -> Result<HashMap<String, String>, String> {
    let entries = match dotenvy::from_filename_iter(".env") {
        Ok(entries) => entries,
        Err(error) if error.not_found() => return Ok(HashMap::new()),
        Err(error) => return Err(format!(".env cannot be read: {error}")),
    };
    // dotenvy's error quotes the line, which may be a secret.
    entries
        .enumerate()
        .map(|(place, entry)| {
            entry.map_err(|_| format!(".env: entry {} is not NAME=value", place + 1))
        })
        .collect()
}

/// Reads settings from anywhere; blank is as good as absent.
pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Settings, Mistakes> {
    let mut reader = Reader::new(&lookup);
    let public_url = reader.base_url("PUBLIC_URL");
    let reset_url = reader.reset_url("RESET_URL", &public_url);
    let settings = Settings {
        database_url: reader.database_url("DATABASE_URL"),
        listen: reader.parsed("LISTEN", "an address and port, such as 127.0.0.1:8000"),
        jwt_secret: reader.signing_secret("JWT_SECRET"),
        jwt_previous_secrets: reader.signing_secrets("JWT_PREVIOUS_SECRETS"),
        password_min_length: reader.length("PASSWORD_MIN_LENGTH", 8, 64),
        access_token_ttl: reader.duration(
            "ACCESS_TOKEN_TTL",
            TimeDelta::seconds(10),
            TimeDelta::hours(24),
        ),
        refresh_token_ttl: reader.duration(
            "REFRESH_TOKEN_TTL",
            TimeDelta::minutes(1),
            TimeDelta::days(366),
        ),
        session_max_age: reader.duration(
            "SESSION_MAX_AGE",
            TimeDelta::minutes(1),
            TimeDelta::days(3660),
        ),
        smtp_url: reader.smtp_url("SMTP_URL"),
        mail_dir: PathBuf::from(reader.text("MAIL_DIR")),
        mail_from: reader.mailbox("MAIL_FROM"),
        reminder_time: reader.time("REMINDER_TIME"),
        report_time: reader.weekly("REPORT_TIME"),
        time_zone: reader.parsed("TIME_ZONE", "an IANA time zone, such as Asia/Dhaka"),
        cors_origins: reader.origins("CORS_ORIGINS"),
        trusted_proxies: reader.networks("TRUSTED_PROXIES"),
        sign_up_open: reader.choice("SIGN_UP", ["open", "closed"]),
        introspection: reader.choice("INTROSPECTION", ["on", "off"]),
        rate_limit: reader.choice("RATE_LIMIT", ["on", "off"]),
        metrics_token: reader.optional("METRICS_TOKEN").map(Secret::new),
        worker: reader.choice("WORKER", ["on", "off"]),
        log: reader.text("LOG"),
        log_format: reader.log_format("LOG_FORMAT"),
        public_url,
        reset_url,
    };
    if reader.optional("REDIS_URL").is_some() {
        // Taken silently, it would promise several processes something that they do not get.
        reader.mistake(
            "REDIS_URL",
            "is not supported by this release; leave it out",
        );
    }
    let mistakes = reader.mistakes();
    if mistakes.is_empty() {
        Ok(settings)
    } else {
        Err(Mistakes(mistakes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(given: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let lookup = |name: &str| {
            let found = given.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        read(lookup).map_err(|mistakes| mistakes.0)
    }

    #[test]
    fn the_example_lists_every_setting_with_its_default_and_meaning() {
        let mut expected = String::new();
        for Setting {
            name,
            default,
            meaning,
        } in SETTINGS
        {
            let default = default.unwrap_or_default();
            expected.extend(["\n# ", meaning, "\n# ", name, "=", default, "\n"]);
        }
        let example = include_str!("../.env.example");
        let (head, settings) = example.split_once("\n\n").unwrap();
        assert!(head.lines().all(|line| line.starts_with('#')));
        assert_eq!(format!("\n{settings}"), expected);
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let settings = read_with(&[]).unwrap();
        assert_eq!(settings.listen.port(), 8000);
        assert_eq!(
            settings.reset_url.as_str(),
            "http://localhost:8000/reset-password"
        );
        assert_eq!(settings.session_max_age, TimeDelta::days(90));
        assert!(settings.sign_up_open && settings.worker && settings.introspection);
    }

    #[test]
    fn all_mistakes_are_reported_together_each_by_its_name() {
        let mistakes = read_with(&[
            ("LISTEN", "everywhere"),
            ("ACCESS_TOKEN_TTL", "soon"),
            ("SIGN_UP", "ajar"),
            ("TIME_ZONE", "Mars/Olympus"),
            ("REMINDER_TIME", "25:00"),
            ("REPORT_TIME", "someday 09:00"),
            ("CORS_ORIGINS", "*,https://app.example.com"),
            ("TRUSTED_PROXIES", "10.0.0.0/99"),
            ("PUBLIC_URL", "ftp://example.com"),
            ("MAIL_FROM", "nobody"),
            ("PASSWORD_MIN_LENGTH", "4"),
            ("LOG_FORMAT", "xml"),
            ("REDIS_URL", "redis://localhost"),
            ("DATABASE_URL", "mysql://localhost/x"),
        ])
        .unwrap_err();
        for name in [
            "LISTEN",
            "ACCESS_TOKEN_TTL",
            "SIGN_UP",
            "TIME_ZONE",
            "REMINDER_TIME",
            "REPORT_TIME",
            "CORS_ORIGINS",
            "TRUSTED_PROXIES",
            "PUBLIC_URL",
            "MAIL_FROM",
            "PASSWORD_MIN_LENGTH",
            "LOG_FORMAT",
            "REDIS_URL",
            "DATABASE_URL",
        ] {
            let lines = mistakes
                .iter()
                .filter(|line| line.starts_with(&format!("{name} ")));
            assert_eq!(lines.count(), 1, "{name}: {mistakes:#?}");
        }
    }

    #[test]
    fn weak_signing_secrets_are_refused_without_being_shown() {
        for secret in [
            "tiny-key",
            "changeme-changeme-changeme-changeme",
            "secretsecretsecretsecretsecretsecret",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "your-256-bit-secret-your-256-bit-secret",
            "abcabcabcabcabcabcabcabcabcabcabcabcabc",
        ] {
            let mistakes = read_with(&[("JWT_SECRET", secret)]).unwrap_err();
            assert_eq!(mistakes.len(), 1, "{secret}");
            assert!(!mistakes[0].contains(secret));
        }
        assert!(read_with(&[("JWT_SECRET", "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4")]).is_ok());
    }

    #[test]
    fn secrets_do_not_print() {
        let settings = read_with(&[
            ("JWT_SECRET", "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4"),
            ("SMTP_URL", "smtp://user:hunter2@mail.example.com"),
        ])
        .unwrap();
        let printed = format!("{settings:?}");
        assert!(!printed.contains("qQ0v") && !printed.contains("hunter2"));
    }

    #[test]
    fn the_database_file_is_found_in_the_url() {
        for (url, file) in [
            ("sqlite://muster.db?mode=rwc", "muster.db"),
            (
                "sqlite:///var/lib/muster/muster.db",
                "/var/lib/muster/muster.db",
            ),
            ("sqlite:muster.db", "muster.db"),
        ] {
            let settings = read_with(&[("DATABASE_URL", url)]).unwrap();
            assert_eq!(settings.database_file(), PathBuf::from(file));
        }
    }
}
