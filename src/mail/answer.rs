//! What a mail server answered, made fit to be stored, logged and shown to
//! admins: on one line, and without credentials, addresses and reset tokens, all
//! of which servers are known to repeat. Used by `smtp` only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::user_text;

const ANSWER_MAX: usize = 500;
/// What stands before the secret in a reset link.
const TOKEN: &str = "token=";
const USER_MIN: usize = 4;

/// Knows what must not be repeated.
#[derive(Default)]
pub(super) struct Redaction {
    secrets: Vec<String>,
}

impl Redaction {
    /// `password` as typed in the URL and as it is; servers also get them in base64.
    pub(super) fn of_credentials(user: &str, password: &str, typed_password: &str) -> Self {
        let mut secrets = vec![
            BASE64.encode(format!("\0{user}\0{password}")),
            BASE64.encode(password),
            typed_password.to_owned(),
            password.to_owned(),
        ];
        // A name such as "me" is a part of too many words, and no secret.
        if user.len() >= USER_MIN {
            secrets.extend([BASE64.encode(user), user.to_owned()]);
        }
        // Longer ones first: one may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.retain(|secret| !secret.is_empty());
        Self { secrets }
    }

    pub(super) fn apply(&self, answer: &str) -> String {
        let mut answer = answer.to_owned();
        for secret in &self.secrets {
            answer = answer.replace(secret.as_str(), "[redacted]");
        }
        let words: Vec<String> = answer
            .split_whitespace()
            .map(without_token)
            .map(without_address)
            .collect();
        user_text::one_line(&words.join(" "), ANSWER_MAX)
    }
}

/// What stands around an address in an answer is kept: "<ada@example.com>:".
fn without_address(word: &str) -> String {
    let is_delimiter = |c: char| "<>()[]{},;:\"'".contains(c);
    word.split_inclusive(is_delimiter)
        .map(|piece| {
            let text = piece.trim_end_matches(is_delimiter);
            if text.contains('@') {
                format!("[address]{}", &piece[text.len()..])
            } else {
                piece.to_owned()
            }
        })
        .collect()
}

fn without_token(word: &str) -> &str {
    word.find(TOKEN)
        .map_or(word, |position| &word[..position + TOKEN.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_repeats_no_credentials_addresses_or_tokens() {
        let redaction = Redaction::of_credentials("postman", "p@ss", "p%40ss");
        let plain = BASE64.encode("\0postman\0p@ss");
        for (said, kept) in [
            (
                "535 postman may not use p@ss",
                "535 [redacted] may not use [redacted]",
            ),
            ("535 p%40ss is wrong", "535 [redacted] is wrong"),
            (
                &format!("535 AUTH PLAIN {plain}"),
                "535 AUTH PLAIN [redacted]",
            ),
            ("550 <ada@example.com>: unknown", "550 <[address]>: unknown"),
            (
                "550 Ada+1@Example.COM, rcpt=ada@example.com",
                "550 [address], [address]",
            ),
            (
                "554 bad link https://muster.example/reset-password#token=abc.def found",
                "554 bad link https://muster.example/reset-password#token= found",
            ),
            ("250 2.0.0\r\nOK\u{1b}[31m", "250 2.0.0 OK [31m"),
        ] {
            assert_eq!(redaction.apply(said), kept);
        }
    }

    #[test]
    fn a_short_user_name_does_not_blot_out_half_of_an_answer() {
        let redaction = Redaction::of_credentials("me", "p4ssw0rd", "p4ssw0rd");
        assert_eq!(
            redaction.apply("421 come back some time"),
            "421 come back some time"
        );
    }

    #[test]
    fn a_long_answer_is_cut() {
        let answer = Redaction::default().apply(&"x".repeat(10_000));
        assert_eq!(answer.len(), ANSWER_MAX);
    }
}
