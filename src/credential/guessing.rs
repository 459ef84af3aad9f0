//! How easily a password is guessed, for `password` alone. It takes milliseconds
//! whatever the password, and knows what the person is called and what everybody
//! chooses.

use unicode_normalization::UnicodeNormalization;
use zxcvbn::feedback::Feedback;
use zxcvbn::{Score, zxcvbn};

use super::common_passwords::is_common;

/// So many characters at once are judged by zxcvbn: 72 of the worst kind take it more than a second,
/// and from 29 on its sums can overflow, on a walk over a keypad.
const WINDOW: usize = 24;
/// So many windows are judged. What is hard to guess in one of them is hard to guess.
const WINDOWS_MAX: usize = 3;

/// The same characters typed on different keyboards are the same password (NIST SP 800-63B).
pub(super) fn normal(password: &str) -> String {
    password.nfc().collect()
}

/// What somebody is called, in whole, in its parts, and as it would fall into windows.
pub(super) fn words(own_words: &[&str]) -> Vec<String> {
    let mut words = vec!["muster".to_owned()];
    for word in own_words {
        let word = normal(word);
        words.extend(word.split(['@', '.', '_', '-', ' ']).map(str::to_owned));
        words.extend(windows(&word));
        words.push(word);
    }
    words.retain(|word| word.chars().count() > 2);
    words
}

fn windows(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let windows = characters.chunks(WINDOW).take(WINDOWS_MAX);
    windows.map(|window| window.iter().collect()).collect()
}

/// Whether it is own words with years and signs between: zxcvbn thinks too highly of the signs.
fn is_made_of(password: &str, own_words: &[&str]) -> bool {
    let is_own = |part: &str| own_words.iter().any(|word| word.to_lowercase() == part);
    let is_year = |part: &str| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    let lower = password.to_lowercase();
    let mut parts = lower
        .split(|character: char| !character.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .peekable();
    parts.peek().is_some() && parts.all(|part| is_own(part) || is_year(part))
}

/// What to tell whoever chose a password that is easy to guess.
pub(super) fn advice(password: &str, own_words: &[String]) -> Option<String> {
    if is_common(password) {
        let message = "This is among the passwords that are tried first, since many people have it. A few uncommon words make a good one.";
        return Some(message.to_owned());
    }
    let own_words: Vec<&str> = own_words.iter().map(String::as_str).collect();
    let is_own = is_made_of(password, &own_words);
    let mut reason = is_own.then(|| " Names and years are guessed first.".to_owned());
    for window in windows(password) {
        let judged = zxcvbn(&window, &own_words);
        if judged.score() >= Score::Three && !is_own {
            return None;
        }
        let warning = judged.feedback().and_then(Feedback::warning);
        reason = reason.or_else(|| warning.map(|warning| format!(" {warning}")));
    }
    Some(format!(
        "This password is too easy to guess.{} A few uncommon words make a good one.",
        reason.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_letters_are_no_word_of_their_own() {
        let words = words(&["Jo Lee"]);
        for word in ["muster", "Jo Lee", "Lee"] {
            assert!(words.iter().any(|known| known == word), "{word}");
        }
        assert!(!words.iter().any(|known| known == "Jo"));
    }

    #[test]
    fn names_and_years_are_made_of_nothing_else() {
        for (password, expected) in [
            ("Ada!1815", true),
            ("ada 1815 ada", true),
            ("1815", true),
            ("ada kxzq", false),
            ("ada 12345678", false),
            ("!!", false),
            ("", false),
        ] {
            assert_eq!(is_made_of(password, &["Ada"]), expected, "{password}");
        }
    }
}
