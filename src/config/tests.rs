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
        let default = match default {
            Some(default) if default.contains(' ') => format!("'{default}'"),
            default => default.unwrap_or_default().to_owned(),
        };
        expected.extend(["\n# ", meaning, "\n# ", name, "=", &default, "\n"]);
    }
    let example = include_str!("../../.env.example");
    let (head, settings) = example.split_once("\n\n").unwrap();
    assert!(head.lines().all(|line| line.starts_with('#')));
    assert_eq!(format!("\n{settings}"), expected);
}

#[test]
fn the_example_with_its_lines_switched_on_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    let example = include_str!("../../.env.example").lines();
    let switched_on: Vec<&str> = example
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| {
            SETTINGS
                .iter()
                .any(|setting| line.starts_with(&format!("{}=", setting.name)))
        })
        .collect();
    assert_eq!(switched_on.len(), SETTINGS.len());
    std::fs::write(&path, switched_on.join("\n")).unwrap();
    let settings = combine(dotenv::read(&path), |_| Err(VarError::NotPresent)).unwrap();
    let defaults = read_with(&[]).unwrap();
    assert_eq!(format!("{settings:?}"), format!("{defaults:?}"));
}

/// Whoever sets a value by what its text says shall not be refused, nor wonder what would be.
#[test]
fn the_bounds_that_a_text_names_are_the_ones_that_hold() {
    let mut bounded = Vec::new();
    // What is bounded in an SMTP_URL is a part of it.
    for Setting { name, meaning, .. } in SETTINGS.iter().filter(|s| s.name != "SMTP_URL") {
        let words: Vec<&str> = meaning
            .split(' ')
            .map(|word| word.trim_end_matches([',', ';', '.']))
            .collect();
        let range = words
            .windows(3)
            .find(|words| words[1] == "to" && words[0].starts_with(|c: char| c.is_ascii_digit()));
        let Some([least, _, most]) = range else {
            continue;
        };
        let beside = |text: &str, step: i64| {
            let digits = text.trim_end_matches(char::is_alphabetic);
            let number: i64 = digits.parse().unwrap();
            format!("{}{}", number + step, &text[digits.len()..])
        };
        for (bound, step, holds) in [
            (least, 0, true),
            (most, 0, true),
            (least, -1, false),
            (most, 1, false),
        ] {
            let value = match *name {
                "MAIL_RATE" => format!("{}/s", beside(bound, step)),
                _ => beside(bound, step),
            };
            assert_eq!(
                read_with(&[(*name, &value)]).is_ok(),
                holds,
                "{name}={value}"
            );
        }
        bounded.push(*name);
    }
    assert_eq!(
        bounded,
        [
            "DATABASE_CONNECTIONS",
            "DATABASE_TIMEOUT",
            "CONNECTIONS",
            "PASSWORD_MIN_LENGTH",
            "ACCESS_TOKEN_TTL",
            "REFRESH_TOKEN_TTL",
            "SESSION_MAX_AGE",
            "MAIL_RATE",
        ]
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let file = || dotenv::File {
        values: [("SIGN_UP", "closed"), ("TIME_ZONE", "Asia/Dhaka")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..dotenv::File::default()
    };
    let settings = combine(file(), |name| match name {
        "TIME_ZONE" => Ok("Europe/Zurich".into()),
        _ => Err(VarError::NotPresent),
    })
    .unwrap();
    assert!(!settings.sign_up_open);
    assert_eq!(settings.time_zone, Tz::Europe__Zurich);
}

#[test]
fn mistakes_of_the_file_and_the_environment_are_reported_together() {
    let file = dotenv::File {
        values: [("SIGN_UP".to_owned(), "ajar".to_owned())].into(),
        mistakes: vec![".env: entry 2 is not NAME=value".into()],
    };
    let mistakes = combine(file, |name| match name {
        "MAIL_DIR" => Err(VarError::NotUnicode("\u{fffd}".into())),
        _ => Err(VarError::NotPresent),
    })
    .unwrap_err();
    assert_eq!(
        mistakes.0,
        [
            ".env: entry 2 is not NAME=value",
            "MAIL_DIR must be in UTF-8",
            "SIGN_UP must be open or closed",
        ]
    );
}

#[test]
fn nothing_needs_to_be_set() {
    let settings = read_with(&[]).unwrap();
    assert_eq!(settings.listen.port(), 8000);
    assert_eq!(
        settings.reset_url.as_str(),
        "http://localhost:8000/reset-password"
    );
    assert_eq!(
        settings.confirm_email_url.as_str(),
        "http://localhost:8000/confirm-email"
    );
    assert_eq!(
        settings.invitation_url.as_str(),
        "http://localhost:8000/accept-invitation"
    );
    assert_eq!(settings.session_max_age, TimeDelta::days(90));
    assert!(settings.sign_up_open && settings.worker && settings.introspection);
}

#[test]
fn domains_are_kept_as_addresses_are_compared_by_them() {
    let settings = read_with(&[("SIGN_UP_DOMAINS", "Example.COM, bücher.example ,")]).unwrap();
    assert_eq!(
        settings.sign_up_domains,
        ["example.com", "xn--bcher-kva.example"]
    );
    for wrong in [
        "*",
        "*.example.com",
        "@example.com",
        "example",
        "a b.com",
        "example.com.",
    ] {
        assert!(read_with(&[("SIGN_UP_DOMAINS", wrong)]).is_err(), "{wrong}");
    }
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
        ("MAIL_RATE", "0/s"),
        ("TASK_URL", "https://example.com/tasks"),
        ("TASKS_URL", "nowhere"),
        ("PASSWORD_MIN_LENGTH", "4"),
        ("LOG", "info,muster=loud"),
        ("LOG_FORMAT", "xml"),
        ("REDIS_URL", "http://localhost"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_DIRECT_URL", "mysql://localhost/x"),
        ("DATABASE_CONNECTIONS", "none"),
        ("DATABASE_TIMEOUT", "1ms"),
        ("SIGN_UP_DOMAINS", "example.com,ada@example.com"),
        ("WORKER_LISTEN", "8001"),
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
        "MAIL_RATE",
        "TASK_URL",
        "TASKS_URL",
        "PASSWORD_MIN_LENGTH",
        "LOG",
        "LOG_FORMAT",
        "REDIS_URL",
        "DATABASE_URL",
        "DATABASE_CONNECTIONS",
        "DATABASE_TIMEOUT",
        "SIGN_UP_DOMAINS",
        "WORKER_LISTEN",
    ] {
        let lines = mistakes
            .iter()
            .filter(|line| line.starts_with(&format!("{name} ")));
        assert_eq!(lines.count(), 1, "{name}: {mistakes:#?}");
    }
}

#[test]
fn weak_signing_secrets_are_refused_without_being_shown() {
    let secret = "changeme-changeme-changeme-changeme";
    for (name, value) in [
        ("JWT_SECRET", secret.to_owned()),
        (
            "JWT_PREVIOUS_SECRETS",
            format!("qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4,{secret}"),
        ),
    ] {
        let mistakes = read_with(&[(name, &value)]).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{name}");
        assert!(mistakes[0].starts_with(name) && !mistakes[0].contains(secret));
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
fn the_secret_is_found_beside_the_file_in_the_url() {
    for (url, file) in [
        ("sqlite://muster.db?mode=rwc", "muster.db"),
        (
            "sqlite:///var/lib/muster/muster.db",
            "/var/lib/muster/muster.db",
        ),
        ("sqlite:muster.db", "muster.db"),
        ("sqlite://my%20data/muster.db", "my data/muster.db"),
    ] {
        let settings = read_with(&[("DATABASE_URL", url)]).unwrap();
        let secret = PathBuf::from(file).with_extension("jwt-secret");
        assert_eq!(secret_file(&settings.database_url), secret);
    }
}

#[test]
fn postgres_needs_a_secret_that_its_processes_share() {
    let url = ("DATABASE_URL", "postgres://ada:hunter2@localhost/muster");
    let mistakes = read_with(&[url]).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].starts_with("JWT_SECRET must be set"));
    let secret = ("JWT_SECRET", "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4");
    let settings = read_with(&[url, secret]).unwrap();
    assert!(settings.is_on_postgres());
    assert!(!format!("{settings:?}").contains("hunter2"));
    let direct = ("DATABASE_DIRECT_URL", "postgres://localhost/muster");
    assert!(read_with(&[url, secret, direct]).is_ok());
    let mistakes = read_with(&[direct]).unwrap_err();
    assert!(mistakes[0].starts_with("DATABASE_DIRECT_URL is for PostgreSQL"));
}

#[test]
fn an_unusable_url_is_refused_without_its_password() {
    for (name, url) in [
        (
            "DATABASE_URL",
            "postgres://ada:hunter2@localhost:port/muster",
        ),
        ("REDIS_URL", "redis2://ada:hunter2@localhost"),
    ] {
        let mistakes = read_with(&[(name, url)]).unwrap_err().join("\n");
        assert!(
            mistakes.contains(name) && !mistakes.contains("hunter2"),
            "{mistakes}"
        );
    }
}

#[test]
fn a_database_that_no_file_holds_is_refused() {
    for url in [
        "sqlite:",
        "sqlite://?mode=rwc",
        "sqlite::memory:",
        "sqlite://muster.db?mode=memory",
        "sqlite://muster.db?mode=rwcx",
        "sqlite:file:muster.db?mode=rwc",
        "muster.db",
    ] {
        let mistakes = read_with(&[("DATABASE_URL", url)]).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{url}: {mistakes:?}");
    }
}
