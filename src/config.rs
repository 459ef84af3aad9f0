//! The only reader of the environment, and of `.env` in the working directory.
//! Every mistake is reported, all together, each naming its variable; no report
//! shows the value of a secret.

mod dotenv;
mod network;
mod origins;
mod secret;
mod setting;
mod signing;
mod strength;
mod task_url;
mod value;

pub use origins::CorsOrigins;
pub use secret::Secret;
pub use setting::{SETTINGS, Setting};
pub use signing::{check_signing_secret, secret_file, signing_secret};
pub use task_url::TaskUrl;
pub use value::is_postgres;

use std::env::VarError;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chrono::{NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;
use ipnet::IpNet;
use lettre::message::Mailbox;
use url::Url;

use value::Reader;

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// With credentials.
    pub database_url: Secret,
    /// PostgreSQL itself, where `database_url` is a pooler in transaction mode.
    pub database_direct_url: Option<Secret>,
    pub database_connections: u32,
    pub database_timeout: TimeDelta,
    /// With credentials.
    pub redis_url: Option<Secret>,
    pub listen: SocketAddr,
    /// Of clients, at once.
    pub connections: usize,
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
    /// Between two mails, of all workers together. None: as fast as they go.
    pub mail_rate: Option<TimeDelta>,
    pub reminder_time: NaiveTime,
    /// None when switched off.
    pub report_time: Option<(Weekday, NaiveTime)>,
    pub time_zone: Tz,
    pub cors_origins: CorsOrigins,
    pub trusted_proxies: Vec<IpNet>,
    pub reset_url: Url,
    pub confirm_email_url: Url,
    pub invitation_url: Url,
    /// The front end's page of a task. None: mails name tasks without links.
    pub task_url: Option<TaskUrl>,
    /// The front end's page of one's own tasks.
    pub tasks_url: Url,
    /// The front end's page of sign-ups that wait.
    pub approvals_url: Url,
    pub sign_up_open: bool,
    /// Whether admins need a second factor to do more than employees.
    pub admin_second_factor: bool,
    /// In IDNA lower case. Empty: people of every domain may sign up.
    pub sign_up_domains: Vec<String>,
    pub introspection: bool,
    pub rate_limit: bool,
    pub metrics_token: Option<Secret>,
    pub worker: bool,
    /// None where `muster worker` answers nobody.
    pub worker_listen: Option<SocketAddr>,
    /// Where traces go, if anywhere.
    pub otlp_endpoint: Option<Url>,
    pub log: String,
    /// None: text on a terminal, else JSON.
    pub log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
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
    let file = dotenv::read(Path::new(".env"));
    combine(file, |name| std::env::var(name))
}

fn combine(
    file: dotenv::File,
    environment: impl Fn(&str) -> Result<String, VarError>,
) -> Result<Settings, Mistakes> {
    let mut mistakes = file.mistakes;
    for Setting { name, .. } in SETTINGS {
        // Passed over, it would silently give way to the file or the default.
        if matches!(environment(name), Err(VarError::NotUnicode(_))) {
            mistakes.push(format!("{name} must be in UTF-8"));
        }
    }
    let read = read(|name| {
        let given = environment(name).ok();
        given.or_else(|| file.values.get(name).cloned())
    });
    match read {
        Ok(settings) if mistakes.is_empty() => Ok(settings),
        Ok(_) => Err(Mistakes(mistakes)),
        Err(Mistakes(others)) => {
            mistakes.extend(others);
            Err(Mistakes(mistakes))
        }
    }
}

/// Reads settings from anywhere; blank is as good as absent.
pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Settings, Mistakes> {
    let mut reader = Reader::new(&lookup);
    let public_url = reader.base_url("PUBLIC_URL");
    let reset_url = reader.page_url("RESET_URL", &public_url, "reset-password");
    let invitation_url = reader.page_url("INVITATION_URL", &public_url, "accept-invitation");
    let confirm_email_url = reader.page_url("CONFIRM_EMAIL_URL", &public_url, "confirm-email");
    let tasks_url = reader.page_url("TASKS_URL", &public_url, "");
    let approvals_url = reader.page_url("APPROVALS_URL", &public_url, "");
    let settings = Settings {
        database_url: reader.database_url("DATABASE_URL"),
        database_direct_url: reader.postgres_url("DATABASE_DIRECT_URL"),
        database_connections: reader.number("DATABASE_CONNECTIONS", 2, 1_000),
        database_timeout: reader.duration(
            "DATABASE_TIMEOUT",
            TimeDelta::seconds(1),
            TimeDelta::seconds(60),
        ),
        redis_url: reader.redis_url("REDIS_URL"),
        listen: reader.parsed("LISTEN", "an address and port, such as 127.0.0.1:8000"),
        connections: reader.number("CONNECTIONS", 10, 1_000_000),
        jwt_secret: reader.signing_secret("JWT_SECRET"),
        jwt_previous_secrets: reader.signing_secrets("JWT_PREVIOUS_SECRETS"),
        password_min_length: reader.number("PASSWORD_MIN_LENGTH", 8, 64),
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
        mail_rate: reader.rate("MAIL_RATE"),
        reminder_time: reader.time("REMINDER_TIME"),
        report_time: reader.weekly("REPORT_TIME"),
        time_zone: reader.parsed("TIME_ZONE", "an IANA time zone, such as Asia/Dhaka"),
        cors_origins: reader.origins("CORS_ORIGINS"),
        trusted_proxies: reader.networks("TRUSTED_PROXIES"),
        sign_up_open: reader.choice("SIGN_UP", ["open", "closed"]),
        admin_second_factor: reader.choice("ADMIN_SECOND_FACTOR", ["required", "optional"]),
        sign_up_domains: reader.domains("SIGN_UP_DOMAINS"),
        introspection: reader.choice("INTROSPECTION", ["on", "off"]),
        rate_limit: reader.choice("RATE_LIMIT", ["on", "off"]),
        metrics_token: reader.optional("METRICS_TOKEN").map(Secret::new),
        worker: reader.choice("WORKER", ["on", "off"]),
        worker_listen: reader.optional_parsed(
            "WORKER_LISTEN",
            "an address and port, such as 127.0.0.1:8100",
        ),
        otlp_endpoint: reader.optional_url("OTEL_EXPORTER_OTLP_ENDPOINT"),
        log: reader.log_filter("LOG"),
        log_format: reader.log_format("LOG_FORMAT"),
        public_url,
        reset_url,
        confirm_email_url,
        invitation_url,
        task_url: reader.task_url("TASK_URL"),
        tasks_url,
        approvals_url,
    };
    if settings.is_on_postgres() {
        if settings.jwt_secret.is_none() && reader.optional("JWT_SECRET").is_none() {
            // Each process would make up its own, and refuse the tokens of the others.
            reader.mistake(
                "JWT_SECRET",
                "must be set with PostgreSQL: `openssl rand -base64 32` makes a good one",
            );
        }
    } else if settings.database_direct_url.is_some() {
        reader.mistake(
            "DATABASE_DIRECT_URL",
            "is for PostgreSQL behind a pooler; leave it out with SQLite",
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
mod tests;
