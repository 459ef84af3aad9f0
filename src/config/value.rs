//! Reads values of each form that a setting can have, and collects what is wrong
//! with them. A value that is wrong is read as its default, so that the others
//! are looked at, too.

use std::path::PathBuf;
use std::str::FromStr;

use chrono::{NaiveTime, TimeDelta, Weekday};
use email_address::EmailAddress;
use http::HeaderValue;
use ipnet::IpNet;
use lettre::message::Mailbox;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::strength::weakness;
use super::task_url::TaskUrl;
use super::{CorsOrigins, LogFormat, SETTINGS, Secret, network};

pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    mistakes: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            mistakes: Vec::new(),
        }
    }

    pub fn mistakes(self) -> Vec<String> {
        self.mistakes
    }

    pub fn mistake(&mut self, name: &str, what: impl std::fmt::Display) {
        self.mistakes.push(format!("{name} {what}"));
    }

    pub fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    pub fn text(&self, name: &str) -> String {
        self.optional(name)
            .unwrap_or_else(|| default(name).to_owned())
    }

    /// What `parse` makes of the value, or of the default where it makes nothing of the value.
    fn value<T>(&mut self, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> T
    where
        T: Clone,
    {
        let given = self.optional(name);
        if let Some(value) = given.as_deref().map(&parse) {
            match value {
                Some(value) => return value,
                None => self.mistake(name, format_args!("must be {expected}")),
            }
        }
        #[allow(
            clippy::expect_used,
            reason = "the table of defaults is ours, and tested"
        )]
        parse(default(name)).expect("a default has the form of its setting")
    }

    pub fn parsed<T: FromStr + Clone>(&mut self, name: &str, expected: &str) -> T {
        self.value(name, expected, |text| text.parse().ok())
    }

    /// None when absent.
    pub fn optional_parsed<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let text = self.optional(name)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.mistake(name, format_args!("must be {expected}"));
        }
        value
    }

    /// Whether the first of two words was chosen.
    pub fn choice(&mut self, name: &str, [yes, no]: [&str; 2]) -> bool {
        self.value(name, &format!("{yes} or {no}"), |text| match text {
            text if text == yes => Some(true),
            text if text == no => Some(false),
            _ => None,
        })
    }

    pub fn number<T>(&mut self, name: &str, min: T, max: T) -> T
    where
        T: FromStr + PartialOrd + Copy + std::fmt::Display,
    {
        self.value(name, &format!("a number from {min} to {max}"), |text| {
            text.parse()
                .ok()
                .filter(|number| (min..=max).contains(number))
        })
    }

    pub fn duration(&mut self, name: &str, min: TimeDelta, max: TimeDelta) -> TimeDelta {
        let show = |delta: TimeDelta| {
            humantime::format_duration(delta.to_std().unwrap_or_default()).to_string()
        };
        let expected = format!(
            "a time such as 15m or 30d, from {} to {}",
            show(min),
            show(max)
        );
        self.value(name, &expected, |text| {
            let delta = TimeDelta::from_std(humantime::parse_duration(text).ok()?).ok()?;
            (min..=max).contains(&delta).then_some(delta)
        })
    }

    /// How long there is between two, where so many come in a second, minute or hour.
    pub fn rate(&mut self, name: &str) -> Option<TimeDelta> {
        let text = self.optional(name)?;
        let interval = interval(&text);
        if interval.is_none() {
            self.mistake(
                name,
                "must be a number of 1 to 1000 and s, m or h, such as 10/s",
            );
        }
        interval
    }

    pub fn time(&mut self, name: &str) -> NaiveTime {
        self.value(name, "a time of day, such as 10:00", time)
    }

    pub fn weekly(&mut self, name: &str) -> Option<(Weekday, NaiveTime)> {
        self.value(name, "a day and time, such as mon 09:00, or off", |text| {
            if text == "off" {
                return Some(None);
            }
            let (day, hour) = text.split_once(' ')?;
            Some(Some((day.parse().ok()?, time(hour.trim())?)))
        })
    }

    pub fn base_url(&mut self, name: &str) -> Url {
        self.value(
            name,
            "an http or https URL without a query, such as https://muster.example.com",
            |text| {
                page(text).filter(|url| {
                    url.query().is_none() && url.username().is_empty() && url.password().is_none()
                })
            },
        )
    }

    pub fn optional_url(&mut self, name: &str) -> Option<Url> {
        let text = self.optional(name)?;
        let url = page(&text);
        if url.is_none() {
            self.mistake(name, "must be an http or https URL");
        }
        url
    }

    pub fn task_url(&mut self, name: &str) -> Option<TaskUrl> {
        let text = self.optional(name)?;
        let pattern = TaskUrl::parse(&text);
        if pattern.is_none() {
            self.mistake(
                name,
                "must be an http or https URL with {id} in it, such as https://app.example.com/tasks/{id}",
            );
        }
        pattern
    }

    /// A page that a mail links to; by default, the one of ours at this path.
    pub fn page_url(&mut self, name: &str, public_url: &Url, path: &str) -> Url {
        let mut default = public_url.clone();
        default.set_path(&format!(
            "{}/{path}",
            public_url.path().trim_end_matches('/')
        ));
        match self.optional(name).map(|text| page(&text)) {
            None => default,
            Some(Some(url)) => url,
            Some(None) => {
                self.mistake(name, "must be an http or https URL without a fragment");
                default
            }
        }
    }

    pub fn database_url(&mut self, name: &str) -> Secret {
        let url = self.text(name);
        if is_postgres(&url) {
            self.check_postgres_url(name, &url);
        } else if !is_of_sqlite_file(&url) {
            self.mistake(
                name,
                "must be the URL of an SQLite file, such as sqlite://muster.db?mode=rwc, or postgres://user:pass@host/name",
            );
        } else if url.contains(":memory:") || url.contains("mode=memory") {
            self.mistake(
                name,
                "must name a file: a database in memory is gone when Muster stops",
            );
        }
        Secret::new(url)
    }

    pub fn postgres_url(&mut self, name: &str) -> Option<Secret> {
        let url = self.optional(name)?;
        self.check_postgres_url(name, &url);
        Some(Secret::new(url))
    }

    fn check_postgres_url(&mut self, name: &str, url: &str) {
        // What is wrong with it is not told: the text could hold the password.
        if !is_postgres(url) || url.parse::<PgConnectOptions>().is_err() {
            self.mistake(
                name,
                "must be the URL of a PostgreSQL database, such as postgres://user:pass@host:5432/name",
            );
        }
    }

    pub fn redis_url(&mut self, name: &str) -> Option<Secret> {
        let text = self.optional(name)?;
        let is_redis = Url::parse(&text)
            .is_ok_and(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host());
        if !is_redis {
            self.mistake(name, "must be redis://user:pass@host:6379 or rediss://…");
        }
        Some(Secret::new(text))
    }

    pub fn smtp_url(&mut self, name: &str) -> Option<Secret> {
        let text = self.optional(name)?;
        let is_smtp = Url::parse(&text)
            .is_ok_and(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host());
        if !is_smtp {
            self.mistake(name, "must be smtp://user:pass@host:port or smtps://…");
        }
        Some(Secret::new(text))
    }

    pub fn mailbox(&mut self, name: &str) -> Mailbox {
        self.parsed(name, "a sender, such as Muster <muster@example.com>")
    }

    pub fn signing_secret(&mut self, name: &str) -> Option<Secret> {
        let text = self.optional(name)?;
        if let Some(weakness) = weakness(&text) {
            self.mistake(name, weakness);
        }
        Some(Secret::new(text))
    }

    pub fn signing_secrets(&mut self, name: &str) -> Vec<Secret> {
        let texts = self.list(name);
        if let Some(weakness) = texts.iter().find_map(|text| weakness(text)) {
            self.mistake(name, format_args!("holds a secret that {weakness}"));
        }
        texts.into_iter().map(Secret::new).collect()
    }

    pub fn origins(&mut self, name: &str) -> CorsOrigins {
        let texts = self.list(name);
        if texts.is_empty() {
            return CorsOrigins::None;
        }
        if texts == ["*"] {
            return CorsOrigins::Any;
        }
        let origins: Option<Vec<HeaderValue>> = texts.iter().map(|text| origin(text)).collect();
        if let Some(origins) = origins {
            CorsOrigins::List(origins)
        } else {
            self.mistake(
                name,
                "must be origins such as https://app.example.com, separated by commas, or * alone",
            );
            CorsOrigins::None
        }
    }

    /// Domains of e-mail addresses, in the form that addresses are compared by.
    pub fn domains(&mut self, name: &str) -> Vec<String> {
        let texts = self.list(name);
        let domains: Option<Vec<String>> = texts.iter().map(|text| domain(text)).collect();
        domains.unwrap_or_else(|| {
            self.mistake(
                name,
                "must be domains such as example.com, separated by commas, without @ or *",
            );
            Vec::new()
        })
    }

    pub fn networks(&mut self, name: &str) -> Vec<IpNet> {
        let texts = self.list(name);
        let networks: Option<Vec<IpNet>> = texts.iter().map(|text| network::parse(text)).collect();
        if networks.is_none() {
            self.mistake(
                name,
                "must be networks such as 10.0.0.0/8, separated by commas",
            );
        }
        networks.unwrap_or_default()
    }

    pub fn log_filter(&mut self, name: &str) -> String {
        self.value(
            name,
            "a tracing filter, such as info,muster=debug",
            |text| EnvFilter::try_new(text).is_ok().then(|| text.to_owned()),
        )
    }

    pub fn log_format(&mut self, name: &str) -> Option<LogFormat> {
        match self.optional(name)?.as_str() {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => {
                self.mistake(name, "must be text or json");
                None
            }
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        let text = self.optional(name).unwrap_or_default();
        text.split(',')
            .map(|item| item.trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect()
    }
}

fn default(name: &str) -> &'static str {
    SETTINGS
        .iter()
        .find(|setting| setting.name == name)
        .and_then(|setting| setting.default)
        .unwrap_or_default()
}

pub fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres:") || url.starts_with("postgresql:")
}

/// The file that the URL leads to, as sqlx reads it: with what `%20` stands for.
pub(super) fn database_file(url: &str) -> Option<PathBuf> {
    let options: SqliteConnectOptions = url.parse().ok()?;
    let file = options.get_filename().to_owned();
    // Without a name, SQLite makes a file that is gone when it is closed.
    (!file.as_os_str().is_empty()).then_some(file)
}

/// Whether it names a file as such. SQLite would take `file:` for the beginning of a URI of its own, and
/// mean another file than everybody else.
fn is_of_sqlite_file(url: &str) -> bool {
    let is_path = |file: PathBuf| !file.as_os_str().as_encoded_bytes().starts_with(b"file:");
    url.starts_with("sqlite:") && database_file(url).is_some_and(is_path)
}

fn domain(text: &str) -> Option<String> {
    let domain = idna::domain_to_ascii_strict(text).ok()?;
    let is_of_addresses = EmailAddress::is_valid(&format!("somebody@{domain}"));
    (is_of_addresses && domain.contains('.') && !domain.ends_with('.')).then_some(domain)
}

fn interval(text: &str) -> Option<TimeDelta> {
    let (count, unit) = text.split_once('/')?;
    let span = match unit.trim() {
        "s" => TimeDelta::seconds(1),
        "m" => TimeDelta::minutes(1),
        "h" => TimeDelta::hours(1),
        _ => return None,
    };
    let count: i32 = count.trim().parse().ok()?;
    (1..=1_000).contains(&count).then(|| span / count)
}

fn time(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok()
}

fn page(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none()
    })
}

/// As a browser sends it: scheme, host and port, nothing behind.
fn origin(text: &str) -> Option<HeaderValue> {
    let origin = page(text)?.origin().ascii_serialization();
    if origin == text.trim_end_matches('/') {
        HeaderValue::from_str(&origin).ok()
    } else {
        None
    }
}
