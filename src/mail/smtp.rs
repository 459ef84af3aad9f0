//! Hands mails to a mail server. Called by `mailer` only.
//!
//! One connection carries one mail: a mail that is cut off in the middle can then
//! never leave its unread answer to the next one, which a shared connection would
//! take for its own. Each step has its time limit, since lettre limits connecting
//! only. And it matters in which step a refusal comes: only what is said about
//! the recipient or the message is about this mail; everything before is about
//! our settings or the server's state, and is worth another try.

mod from_url;

use std::future::Future;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::commands::{Data, Mail, Noop, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};
use tokio::time::timeout;

use super::answer::Redaction;
use super::message::parse_address;
use super::send_error::SendError;

const STEP: Duration = Duration::from_secs(30);
/// Bytes a second: the slowest line that a message may take. It has so much longer than a step.
const SLOWEST: u32 = 32 * 1024;

pub(super) struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    hello: ClientId,
    credentials: Option<Credentials>,
    redaction: Redaction,
    step: Duration,
}

/// What went wrong in one step.
enum Trouble {
    Smtp(SmtpError),
    Silence(Duration),
    /// An answer to something else.
    Confusion(String),
    /// The server cannot take such a message at all.
    Unsupported(&'static str),
}

impl Smtp {
    pub(super) fn describe(&self) -> String {
        let tls = match self.tls {
            Tls::None => "without TLS",
            Tls::Opportunistic(_) => "with TLS where the server offers it",
            Tls::Required(_) | Tls::Wrapper(_) => "with TLS",
        };
        format!("mails are sent through {}:{} {tls}", self.host, self.port)
    }

    pub(super) async fn check(&self) -> Result<String, String> {
        let failed = |trouble: Trouble| {
            let answer = self.answer(&trouble);
            format!(
                "cannot reach the mail server at {}:{}: {answer}",
                self.host, self.port
            )
        };
        let mut connection = self.within(self.connect()).await.map_err(failed)?;
        self.within(connection.command(Noop))
            .await
            .map_err(failed)?;
        self.part(connection);
        Ok(self.describe())
    }

    pub(super) async fn send(
        &self,
        from: &str,
        to: &str,
        message: &[u8],
    ) -> Result<String, SendError> {
        let sender = parse_address(from)
            .map_err(|error| SendError::transient(format!("MAIL_FROM is unusable: {error}")))?;
        let recipient = parse_address(to)
            .map_err(|error| SendError::permanent(format!("the address is unusable: {error}")))?;

        let mut connection = self
            .within(self.connect())
            .await
            .map_err(|trouble| SendError::transient(self.answer(&trouble)))?;
        let result = self
            .hand_over(&mut connection, &sender, &recipient, message)
            .await
            .map(|response| self.redaction.apply(&text_of(&response)))
            .map_err(|(trouble, step)| {
                let answer = self.answer(&trouble);
                if trouble.is_final() && step != Step::Sender {
                    SendError::permanent(answer)
                } else if step == Step::Message && !trouble.is_refusal() {
                    SendError::unknown(answer)
                } else {
                    SendError::transient(answer)
                }
            });
        self.part(connection);
        result
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let server = (self.host.as_str(), self.port);
        let wrapper = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let limit = Some(self.step);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, limit, &self.hello, wrapper, None).await?;
        match &self.tls {
            Tls::Opportunistic(parameters) if connection.can_starttls() => {
                connection.starttls(parameters.clone(), &self.hello).await?;
            }
            // Fails where the server, or somebody in between, does not offer it.
            Tls::Required(parameters) => {
                connection.starttls(parameters.clone(), &self.hello).await?;
            }
            Tls::None | Tls::Opportunistic(_) | Tls::Wrapper(_) => (),
        }
        if let Some(credentials) = &self.credentials {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&mechanisms, credentials).await?;
        }
        Ok(connection)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        sender: &Address,
        recipient: &Address,
        message: &[u8],
    ) -> Result<Response, (Trouble, Step)> {
        let mut parameters = Vec::new();
        let server = connection.server_info();
        let unusual = [(sender, Step::Sender), (recipient, Step::Recipient)]
            .into_iter()
            .find(|(address, _)| !AsRef::<str>::as_ref(address).is_ascii());
        if let Some((_, step)) = unusual {
            if !server.supports_feature(Extension::SmtpUtfEight) {
                let lack = "the mail server takes only addresses of ASCII letters (no SMTPUTF8)";
                return Err((Trouble::Unsupported(lack), step));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !message.is_ascii() {
            if !server.supports_feature(Extension::EightBitMime) {
                let lack = "the mail server takes only messages in ASCII (no 8BITMIME)";
                return Err((Trouble::Unsupported(lack), Step::Message));
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }

        let mail = Mail::new(Some(sender.clone()), parameters);
        let at = |step| move |trouble| (trouble, step);
        self.within(connection.command(mail))
            .await
            .map_err(at(Step::Sender))?;
        let rcpt = Rcpt::new(recipient.clone(), Vec::new());
        self.within(connection.command(rcpt))
            .await
            .map_err(at(Step::Recipient))?;
        let data = self
            .within(connection.command(Data))
            .await
            .map_err(at(Step::Start))?;
        if data.code().severity != Severity::PositiveIntermediate {
            return Err((Trouble::Confusion(text_of(&data)), Step::Start));
        }
        let limit = self.limit_for(message);
        let answer = within(limit, connection.message(message))
            .await
            .map_err(at(Step::Message))?;
        if answer.code().severity != Severity::PositiveCompletion {
            return Err((Trouble::Confusion(text_of(&answer)), Step::Message));
        }
        Ok(answer)
    }

    /// Says goodbye without keeping the caller waiting: the mail's fate is known.
    fn part(&self, mut connection: AsyncSmtpConnection) {
        let step = self.step;
        tokio::spawn(async move { timeout(step, connection.abort()).await });
    }

    /// How long the server has for this message.
    fn limit_for(&self, message: &[u8]) -> Duration {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        self.step + Duration::from_secs((length / SLOWEST).into())
    }

    fn within<T>(
        &self,
        step: impl Future<Output = Result<T, SmtpError>>,
    ) -> impl Future<Output = Result<T, Trouble>> {
        within(self.step, step)
    }

    fn answer(&self, trouble: &Trouble) -> String {
        self.redaction.apply(&trouble.text())
    }
}

async fn within<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, SmtpError>>,
) -> Result<T, Trouble> {
    match timeout(limit, step).await {
        Ok(result) => result.map_err(Trouble::Smtp),
        Err(_) => Err(Trouble::Silence(limit)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Sender,
    Recipient,
    Start,
    Message,
}

impl Trouble {
    /// The server said no, now or for good; else it cannot be known what it made of the step.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Smtp(error) => error.status().is_some(),
            Self::Silence(_) | Self::Confusion(_) => false,
            Self::Unsupported(_) => true,
        }
    }

    fn is_final(&self) -> bool {
        match self {
            // Log-in or encryption is wanted: our settings are to blame, not this mail.
            Self::Smtp(error) => {
                let code = error.status().map(u16::from);
                error.is_permanent() && !matches!(code, Some(530 | 534 | 535 | 538))
            }
            Self::Silence(_) | Self::Confusion(_) => false,
            Self::Unsupported(_) => true,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Smtp(error) => match (error.status(), std::error::Error::source(error)) {
                (Some(code), Some(text)) => format!("{code} {text}"),
                _ => error.to_string(),
            },
            Self::Silence(limit) => {
                let limit = humantime::format_duration(*limit);
                format!("the mail server did not answer within {limit}")
            }
            Self::Confusion(answer) => format!("the mail server answered out of turn: {answer}"),
            Self::Unsupported(lack) => (*lack).to_owned(),
        }
    }
}

fn text_of(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}

#[cfg(test)]
mod tests;
