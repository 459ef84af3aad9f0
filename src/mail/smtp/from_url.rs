//! Reads `SMTP_URL`: which server, how to speak to it, and in whose name. No
//! complaint repeats what may be a secret.

use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use url::{Url, form_urlencoded};

use super::super::answer::Redaction;
use super::{STEP, Smtp};

const EXAMPLE: &str = "smtp://user:password@mail.example.com:587?tls=required";
/// The least that a step may be allowed to take.
const STEP_MIN: Duration = Duration::from_secs(1);

impl Smtp {
    pub(in crate::mail) fn from_url(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|error| format!("SMTP_URL is not a URL ({error}), such as {EXAMPLE}"))?;
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| format!("SMTP_URL names no host; write it as {EXAMPLE}"))?
            .trim_matches(['[', ']'])
            .to_owned();
        check_parameters(&url)?;
        let (tls, default_port) = tls(&url, &host)?;
        let (credentials, redaction) = credentials(&url)?;
        Ok(Self {
            port: url.port().unwrap_or(default_port),
            tls,
            hello: match url.path().trim_matches('/') {
                "" => ClientId::default(),
                name => ClientId::Domain(name.to_owned()),
            },
            credentials,
            redaction,
            host,
            step: step(&url)?,
        })
    }
}

/// What may stand behind the question mark, once each. Whatever is misspelt there would be passed
/// over, and mails would go without TLS while somebody believes that it is required.
fn check_parameters(url: &Url) -> Result<(), String> {
    let mut left = vec!["tls", "ca", "timeout"];
    // Where a password has a question mark in it, what follows looks like parameters.
    let behind = url.as_str().split_once('?').map_or("", |(_, rest)| rest);
    let may_be_secret = behind.contains('@');
    for (name, _) in url.query_pairs() {
        let Some(place) = left.iter().position(|known| *known == name) else {
            let which = if may_be_secret {
                String::new()
            } else {
                format!(" ({name})")
            };
            return Err(format!(
                "SMTP_URL has a parameter that is unknown or there already{which}; \
                 tls, ca and timeout may be there once each"
            ));
        };
        left.remove(place);
    }
    if url.fragment().is_some() {
        return Err(format!("SMTP_URL has a #; write it as {EXAMPLE}"));
    }
    Ok(())
}

/// The one of this name behind the question mark.
fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn tls(url: &Url, host: &str) -> Result<(Tls, u16), String> {
    let parameters = || {
        let mut parameters = TlsParameters::builder(host.to_owned());
        if let Some(path) = parameter(url, "ca") {
            parameters = parameters.add_root_certificate(certificates(&path)?);
        }
        parameters
            .build()
            .map_err(|error| format!("SMTP_URL names a host that TLS cannot check: {error}"))
    };
    let wanted = parameter(url, "tls");
    match (url.scheme(), wanted.as_deref()) {
        ("smtp", None) if parameter(url, "ca").is_some() => {
            Err("the ca of SMTP_URL is of no use without tls=required".to_owned())
        }
        ("smtp", None) => Ok((Tls::None, 25)),
        ("smtp", Some("required")) => Ok((Tls::Required(parameters()?), 587)),
        ("smtp", Some("opportunistic")) => Ok((Tls::Opportunistic(parameters()?), 587)),
        ("smtps", None | Some("required")) => Ok((Tls::Wrapper(parameters()?), 465)),
        ("smtps", Some(_)) => {
            Err("with smtps, the tls of SMTP_URL can only be required, or be left out".to_owned())
        }
        ("smtp", Some(_)) => {
            Err("the tls of SMTP_URL must be required or opportunistic".to_owned())
        }
        _ => Err(format!(
            "SMTP_URL must start with smtp:// or smtps://, such as {EXAMPLE}"
        )),
    }
}

/// Of those who may vouch for the server besides the authorities that browsers know, such as the
/// one of an organisation of its own.
fn certificates(path: &str) -> Result<Certificate, String> {
    let pem = std::fs::read(path)
        .map_err(|error| format!("the ca of SMTP_URL, {path}, cannot be read: {error}"))?;
    // A file without any would trust nobody, and say nothing about it.
    let begin = b"-----BEGIN CERTIFICATE-----";
    let holds_one = pem.windows(begin.len()).any(|bytes| bytes == begin);
    match Certificate::from_pem(&pem) {
        Ok(certificates) if holds_one => Ok(certificates),
        _ => Err(format!(
            "the ca of SMTP_URL, {path}, holds no certificate in PEM"
        )),
    }
}

fn step(url: &Url) -> Result<Duration, String> {
    let Some(text) = parameter(url, "timeout") else {
        return Ok(STEP);
    };
    let step = humantime::parse_duration(&text).ok();
    step.filter(|step| (STEP_MIN..=STEP).contains(step))
        .ok_or_else(|| "the timeout of SMTP_URL must be between 1s and 30s".to_owned())
}

fn credentials(url: &Url) -> Result<(Option<Credentials>, Redaction), String> {
    let user = percent_decode(url.username());
    match url.password() {
        Some(typed) => {
            let password = percent_decode(typed);
            let redaction = Redaction::of_credentials(&user, &password, typed);
            Ok((Some(Credentials::new(user, password)), redaction))
        }
        None if user.is_empty() => Ok((None, Redaction::default())),
        None => Err(format!(
            "SMTP_URL names a user without a password; write it as {EXAMPLE}"
        )),
    }
}

/// Forms write a space as "+" and separate fields by "&"; in the credentials of a URL both stand
/// for themselves.
fn percent_decode(text: &str) -> String {
    let form = format!("={}", text.replace('+', "%2B").replace('&', "%26"));
    let field = form_urlencoded::parse(form.as_bytes()).next();
    field
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
