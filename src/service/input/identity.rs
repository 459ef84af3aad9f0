//! What people are known by: usernames and e-mail addresses, and what makes each
//! of them unique.

use email_address::EmailAddress;
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

use super::{Form, Lines, cut, is_forbidden};
use crate::error::ProblemCode;

const USERNAME_MIN: usize = 2;
const USERNAME_MAX: usize = 40;
const EMAIL_MAX: usize = 254;

/// Names that a stranger could pose as the house with. `muster create-admin` may use them.
const RESERVED: &[&str] = &[
    "admin",
    "administrator",
    "muster",
    "root",
    "security",
    "support",
    "system",
];

pub struct Username {
    pub text: String,
    /// Case-folded; what a log-in is looked up by.
    pub key: String,
    /// What it looks like (UTS 39), so that two names cannot be mistaken for each other.
    pub skeleton: String,
}

pub struct Email {
    pub text: String,
    pub key: String,
}

impl Form {
    pub fn username(&mut self, text: &str) -> Username {
        let text = text.trim();
        let length = text.chars().count();
        if text.is_empty() {
            self.blank("username");
        } else if !text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        {
            self.problem(
                "username",
                ProblemCode::Invalid,
                "Only the letters A to Z, digits, '.', '_' and '-' are allowed.",
            );
        } else if length < USERNAME_MIN {
            self.problem(
                "username",
                ProblemCode::TooShort,
                format!("At least {USERNAME_MIN} characters."),
            );
        } else if length > USERNAME_MAX {
            self.problem(
                "username",
                ProblemCode::TooLong,
                format!("At most {USERNAME_MAX} characters."),
            );
        }
        // What is too long is refused, and the work for it is bounded until then.
        let text = cut(text, USERNAME_MAX);
        Username {
            text: text.to_owned(),
            skeleton: looks(text),
            key: text.to_lowercase(),
        }
    }

    /// Refuses a name that looks like one of ours.
    pub fn refuse_reserved(&mut self, username: &Username) {
        if RESERVED
            .iter()
            .any(|reserved| looks(reserved) == username.skeleton || *reserved == username.key)
        {
            self.problem(
                "username",
                ProblemCode::Invalid,
                "This username is reserved. Choose another.",
            );
        }
    }

    /// Refuses an address at any other domain than these, unless there are none. Subdomains are
    /// domains of their own.
    pub fn refuse_other_domains(&mut self, email: &Email, allowed: &[String]) {
        let Some((_, domain)) = email.key.rsplit_once('@') else {
            return;
        };
        if !allowed.is_empty() && !allowed.iter().any(|allowed| allowed == domain) {
            let shown = allowed
                .iter()
                .map(|domain| idna::domain_to_unicode(domain).0);
            let list = shown.collect::<Vec<_>>().join(" or ");
            self.problem(
                "email",
                ProblemCode::NotAllowed,
                format!("Sign up with an address at {list}, or ask an admin to invite you."),
            );
        }
    }

    pub fn email(&mut self, text: &str) -> Email {
        let text = text.trim();
        let taken = cut(text, EMAIL_MAX);
        let is_whole = taken.len() == text.len();
        let key = email_key(text).filter(|_| is_whole);
        if text.is_empty() {
            self.blank("email");
        } else if !is_whole {
            self.problem(
                "email",
                ProblemCode::TooLong,
                format!("At most {EMAIL_MAX} characters."),
            );
        } else if key.is_none() {
            self.problem(
                "email",
                ProblemCode::Invalid,
                "This is not an e-mail address, such as ada@example.com.",
            );
        }
        Email {
            text: taken.nfc().collect(),
            key: key.unwrap_or_default(),
        }
    }
}

/// What makes an address unique: the local part without regard to case, the domain in IDNA lower
/// case. Dots and plus signs are left alone: what they mean is the receiver's business.
pub fn email_key(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let domain = idna::domain_to_ascii_strict(domain).ok()?;
    // By way of the capitals, where ß and ss are the same; in one Unicode form.
    let local: String = local.to_uppercase().to_lowercase().nfkc().collect();
    let key = format!("{local}@{domain}");
    let has_forbidden = text
        .chars()
        .any(|c| is_forbidden(c, Lines::One) || c == ' ' || c == '"');
    (!has_forbidden && domain.contains('.') && EmailAddress::is_valid(&key)).then_some(key)
}

/// The confusable skeleton (UTS 39) without regard to case. It is taken of the text as it is
/// shown, where a capital I looks like an l, and again of the folded text, where an m looks like
/// rn though an M does not.
fn looks(text: &str) -> String {
    let fold = |text: &str| skeleton(text).collect::<String>().to_lowercase();
    fold(&fold(text))
}

/// What a log-in form was given, as it is looked up: an address or a username.
pub fn login_key(text: &str) -> String {
    email_key(text).unwrap_or_else(|| text.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(form: Form) -> Vec<ProblemCode> {
        form.0.into_iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn usernames_of_two_to_forty_plain_characters_pass() {
        for (text, expected) in [
            ("ada", vec![]),
            ("  Ada.L-1_  ", vec![]),
            ("ab", vec![]),
            (&"x".repeat(40), vec![]),
            ("", vec![ProblemCode::Blank]),
            ("   ", vec![ProblemCode::Blank]),
            ("a", vec![ProblemCode::TooShort]),
            (&"x".repeat(41), vec![ProblemCode::TooLong]),
            ("ada lovelace", vec![ProblemCode::Invalid]),
            ("ada@example.com", vec![ProblemCode::Invalid]),
            ("аda", vec![ProblemCode::Invalid]),
            ("ada\u{200b}", vec![ProblemCode::Invalid]),
        ] {
            let mut form = Form::default();
            form.username(text);
            assert_eq!(codes(form), expected, "{text:?}");
        }
    }

    #[test]
    fn names_that_look_alike_share_a_skeleton() {
        let skeleton = |text| Form::default().username(text).skeleton;
        assert_eq!(skeleton("paul"), skeleton("PAU1"));
        assert_eq!(skeleton("paul"), skeleton("paUI"));
        assert_eq!(skeleton("tom"), skeleton("Torn"));
        assert_ne!(skeleton("emp1"), skeleton("emp2"));
    }

    #[test]
    fn addresses_are_compared_without_regard_to_case_and_spelling_of_the_domain() {
        assert_eq!(
            email_key(" Ada@Example.COM "),
            Some("ada@example.com".into())
        );
        assert_eq!(
            email_key("ada@BÜCHER.example"),
            email_key("ada@xn--bcher-kva.example")
        );
        assert_eq!(email_key("ａda@example.com"), email_key("ada@example.com"));
        assert_eq!(
            email_key("straße@example.com"),
            email_key("STRASSE@example.com")
        );
        assert_eq!(
            email_key("jose\u{301}@example.com"),
            email_key("José@example.com")
        );
        assert_ne!(email_key("ada+1@example.com"), email_key("ada@example.com"));
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in [
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            "ada@exa mple.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "ada@-example.com",
            "ada@@example.com",
            "<ada@example.com>",
            "\"ada\"@example.com",
        ] {
            assert_eq!(email_key(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_reserved_name_is_refused_in_any_disguise() {
        for text in ["admin", "ADMIN", "adrnin", "Muster", "rnuster", "R00t"] {
            let mut form = Form::default();
            let username = form.username(text);
            form.refuse_reserved(&username);
            assert!(form.check().is_err(), "{text}");
        }
    }
}
