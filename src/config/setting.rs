//! The table of all settings: names, defaults, and what they mean. Defaults are
//! read from here, and `.env.example` is compared with it by a test.

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
    "DATABASE_URL", Some("sqlite://muster.db?mode=rwc"), "The database: an SQLite file, or postgres://user:pass@host/name, PostgreSQL 15 or newer, for several processes.";
    "DATABASE_DIRECT_URL", None, "PostgreSQL without the pooler, when DATABASE_URL goes through one in transaction mode, as PgBouncer's; for migrations, jobs and events.";
    "DATABASE_CONNECTIONS", Some("10"), "Most connections of one process to PostgreSQL, 2 to 1000, beside three for its worker, one for events and one for the job board.";
    "DATABASE_TIMEOUT", Some("3s"), "How long a statement or a lock is waited for on PostgreSQL, 1s to 60s; half of it for a free connection.";
    "REDIS_URL", None, "Redis 5 or newer, or Valkey, redis://… or rediss://…, for what several processes share: rate limits, events and cached figures.";
    "LISTEN", Some("127.0.0.1:8000"), "Address and port to serve on.";
    "CONNECTIONS", Some("10000"), "Most connections of clients at once, 10 to 1000000; beyond, those of the busiest source that wait longest make room. It asks the system for as many open files.";
    "PUBLIC_URL", Some("http://localhost:8000"), "What links in mails start with; tokens are issued in its name.";
    "JWT_SECRET", None, "Signs access tokens, at least 32 bytes; when absent, one is generated and kept in a file beside the SQLite database. PostgreSQL needs it set.";
    "JWT_PREVIOUS_SECRETS", None, "Comma-separated earlier secrets that still verify, while JWT_SECRET is being changed.";
    "PASSWORD_MIN_LENGTH", Some("8"), "Least number of characters of a password, 8 to 64; 15 is advised.";
    "ACCESS_TOKEN_TTL", Some("15m"), "Life of an access token, 10s to 24h.";
    "REFRESH_TOKEN_TTL", Some("30d"), "Life of a session without use, 1m to 366d.";
    "SESSION_MAX_AGE", Some("90d"), "Life of a session with use, 1m to 3660d.";
    "SMTP_URL", None, "Mail server, smtps://user:pass@host:port for TLS (port 465 when none is named), smtp://…?tls=required for STARTTLS or ?tls=opportunistic for STARTTLS where the server offers it (both 587); smtp:// without tls (25) sends password and mails in clear. &ca=FILE is for an authority of one's own, &timeout=30s for each step, 1s to 30s, the message having a second more for every 32 KiB. When absent, mails are written to MAIL_DIR.";
    "MAIL_DIR", Some("mail"), "Folder of .eml files when there is no mail server.";
    "MAIL_FROM", Some("Muster <muster@localhost>"), "Sender of all mails.";
    "MAIL_RATE", None, "Most mails that go out, from all workers together, such as 10/s, 100/m or 1000/h, the number being 1 to 1000; as many as there are when absent.";
    "REMINDER_TIME", Some("10:00"), "When the daily reminder goes out, on each user's own clock, unless they chose another hour.";
    "REPORT_TIME", Some("mon 09:00"), "When managers and admins get the weekly report, on their own clock, or off.";
    "TIME_ZONE", Some("UTC"), "IANA time zone of users who named none.";
    "CORS_ORIGINS", None, "Comma-separated origins of browser front ends, or * without credentials.";
    "TRUSTED_PROXIES", None, "Comma-separated CIDRs of the proxies whose X-Forwarded-For is believed.";
    "RESET_URL", None, "Page that the reset mail links to, the token follows as #token=…; PUBLIC_URL/reset-password when absent.";
    "CONFIRM_EMAIL_URL", None, "Page that mails link to for confirming an address, the token follows as #token=…; PUBLIC_URL/confirm-email when absent.";
    "INVITATION_URL", None, "Page that invitations link to, the token follows as #token=…; PUBLIC_URL/accept-invitation when absent.";
    "TASK_URL", None, "The front end's page of a task, with {id} in the place of its id, such as https://app.example.com/tasks/{id}; mails name tasks without links when absent.";
    "TASKS_URL", None, "The front end's page of one's own tasks, which reminders link to; PUBLIC_URL when absent.";
    "APPROVALS_URL", None, "The front end's page of sign-ups that wait, which mails to admins link to; PUBLIC_URL when absent.";
    "SIGN_UP", Some("open"), "open, or closed to refuse sign-ups.";
    "ADMIN_SECOND_FACTOR", Some("optional"), "optional, or required to let admins do no more than employees until they have set up a second factor.";
    "SIGN_UP_DOMAINS", None, "Comma-separated domains of the addresses that people may sign up with, such as example.com; subdomains count only when named. All when absent.";
    "INTROSPECTION", Some("on"), "on, or off to hide the schema and the playground from everyone.";
    "RATE_LIMIT", Some("on"), "on, or off for tests and benchmarks, where nothing is too often; docs/security.md has the limits.";
    "METRICS_TOKEN", None, "Bearer token for /metrics; without one only callers on loopback are answered.";
    "WORKER", Some("on"), "on, or off when this process shall serve only.";
    "WORKER_LISTEN", None, "Address and port where `muster worker` answers /healthz, /readyz and /metrics, such as 127.0.0.1:8100; nowhere when absent.";
    "LOG", Some("info"), "What is logged, as a tracing filter such as info,muster=debug.";
    "OTEL_EXPORTER_OTLP_ENDPOINT", None, "OpenTelemetry collector that traces are sent to by OTLP over HTTP, such as http://localhost:4318.";
    "LOG_FORMAT", None, "text or json; when absent, text on a terminal and json elsewhere.";
}
