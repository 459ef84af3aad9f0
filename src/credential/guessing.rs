//! How easily a password is guessed, for `password` alone. It knows what the person
//! is called and what everybody chooses, and takes no longer than two runs of Argon2,
//! whatever the password and whatever people say they are called.

use unicode_normalization::UnicodeNormalization;
use zxcvbn::feedback::Feedback;
use zxcvbn::{Score, zxcvbn};

use super::common_passwords::is_common;

/// So many characters at once are judged by zxcvbn: 72 of the worst kind take it more than a second,
/// and from 29 on its sums can overflow, on a walk over a keypad.
const WINDOW: usize = 24;
/// So many windows are judged. What is hard to guess in one of them is hard to guess.
const WINDOWS_MAX: usize = 3;
/// What zxcvbn takes for letters in disguise, as the 4 and the @ for an a. It looks a window up again
/// in each way that it can be read: with all 20 of them these are 800, which take it 30 ms.
const DISGUISES: &str = "4@8({[<3691!|70$5+%2";
/// With so many different ones in it, a window can be read in some hundred ways. One window with more
/// is judged, and no further one.
const DISGUISES_MAX: usize = 10;
/// In characters, of a name or an address. As much as the longest that is taken.
const OWN_WORD_MAX: usize = 254;
/// So many parts of a name or an address are words of their own.
const PARTS_MAX: usize = 16;

/// The same characters typed on different keyboards are the same password (NIST SP 800-63B).
pub(super) fn normal(password: &str) -> String {
    password.nfc().collect()
}

/// What somebody is called, in lower case: in whole, in its parts, and as it would fall into windows.
/// They are bounded by themselves, since passwords are judged together with forms that are refused
/// for what else is wrong with them.
pub(super) fn words(own_words: &[&str]) -> Vec<String> {
    let mut words = vec!["muster".to_owned()];
    for word in own_words {
        let word: String = word.chars().take(OWN_WORD_MAX).collect();
        let word = normal(&word.to_lowercase());
        let parts = word.split(['@', '.', '_', '-', ' ']);
        let parts = parts.filter(|part| is_word(part)).take(PARTS_MAX);
        words.extend(parts.map(str::to_owned));
        words.extend(windows(&word));
        words.push(word);
    }
    words.retain(|word| is_word(word));
    words
}

fn is_word(text: &str) -> bool {
    text.chars().count() > 2
}

/// The pieces of a text that are judged, each by itself. Without one of them it can only be taken for
/// easier to guess.
fn windows(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let windows = characters.chunks(WINDOW).take(WINDOWS_MAX);
    let mut had_many = false;
    windows
        .map(|window| window.iter().collect::<String>())
        .filter(|window| !has_many_disguises(window) || !std::mem::replace(&mut had_many, true))
        .collect()
}

fn has_many_disguises(window: &str) -> bool {
    let different = DISGUISES.chars().filter(|sign| window.contains(*sign));
    different.count() > DISGUISES_MAX
}

/// Whether it is own words with years and signs between: zxcvbn thinks too highly of the signs.
fn is_made_of(password: &str, own_words: &[&str]) -> bool {
    let is_year = |part: &str| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    let lower = password.to_lowercase();
    let mut parts = lower
        .split(|character: char| !character.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .peekable();
    parts.peek().is_some() && parts.all(|part| own_words.contains(&part) || is_year(part))
}

/// What to tell whoever chose a password that is easy to guess; `own_words` are those of `words`.
pub(super) fn advice(password: &str, own_words: &[String]) -> Option<String> {
    if is_common(password) {
        let message = "This is among the passwords that are tried first, since many people have it. A few uncommon words make a good one.";
        return Some(message.to_owned());
    }
    let own_words: Vec<&str> = own_words.iter().map(String::as_str).collect();
    if is_made_of(password, &own_words) {
        return Some(too_easy(" Names and years are guessed first."));
    }
    let mut reason = None;
    for window in windows(password) {
        let judged = zxcvbn(&window, &own_words);
        if judged.score() >= Score::Three {
            return None;
        }
        let warning = judged.feedback().and_then(Feedback::warning);
        reason = reason.or_else(|| warning.map(|warning| format!(" {warning}")));
    }
    Some(too_easy(&reason.unwrap_or_default()))
}

fn too_easy(reason: &str) -> String {
    format!("This password is too easy to guess.{reason} A few uncommon words make a good one.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_letters_are_no_word_of_their_own() {
        let words = words(&["Jo Lee"]);
        for word in ["muster", "jo lee", "lee"] {
            assert!(words.iter().any(|known| known == word), "{word}");
        }
        assert!(!words.iter().any(|known| known == "jo"));
    }

    #[test]
    fn whatever_people_say_they_are_called_is_a_few_words() {
        let parts: Vec<String> = (0..32_000).map(|number| format!("w{number:04x}")).collect();
        let longest = parts.join(".");
        let words = words(&[&longest, &longest, &longest, &longest]);
        // Ours, and of each its first parts, its windows and itself.
        assert_eq!(words.len(), 1 + 4 * (PARTS_MAX + WINDOWS_MAX + 1));
        let longest = words.iter().map(|word| word.chars().count()).max();
        assert_eq!(longest, Some(OWN_WORD_MAX));
        // What is too short to be a word takes the place of none.
        let initials = "a.".repeat(100);
        assert!(super::words(&[&format!("{initials}lovelace")]).contains(&"lovelace".to_owned()));
    }

    #[test]
    fn one_window_is_full_of_disguises_and_none_is_long() {
        let (few, many) = (&DISGUISES[..DISGUISES_MAX], &DISGUISES[..=DISGUISES_MAX]);
        let few = format!("{few:a<24}");
        let many = format!("{many:a<24}");
        let plain = "a".repeat(24);
        for (text, expected) in [
            (String::new(), vec![]),
            ("velvet".to_owned(), vec!["velvet"]),
            (format!("{plain}b"), vec![&plain, "b"]),
            (plain.repeat(5), vec![&plain; 3]),
            (few.repeat(5), vec![&few; 3]),
            (many.repeat(5), vec![&many]),
            (format!("{many}{plain}{many}"), vec![&many, &plain]),
            (
                format!("{plain}{many}{few}{few}"),
                vec![&plain, &many, &few],
            ),
            // They are counted in characters.
            ("ü".repeat(128), vec!["üüüüüüüüüüüüüüüüüüüüüüüü"; 3]),
        ] {
            assert_eq!(windows(&text), expected, "{text}");
        }
    }

    #[test]
    fn disguises_make_nothing_hard_to_guess_or_easy() {
        for password in [
            "1234567890-=!@#$%^&*()_+",
            "!@#$%^&*()_+1234567890-=",
            "1234567890-=!@#$%^&*()_+16082005",
            "1!2@3#4$5%6^7&8*9(0)",
            "$3%$+uff0987654321",
            "P@$$w0rd!P@$$w0rd!1234567890",
        ] {
            assert!(advice(password, &[]).is_some(), "{password}");
        }
        let guessed = "1234567890-=!@#$%^&*()_+";
        for password in [
            format!("x{DISGUISES}"),
            format!("{DISGUISES}xk"),
            format!("{guessed}velvet orbit cactus lantern"),
        ] {
            assert_eq!(advice(&password, &[]), None, "{password}");
        }
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
            assert_eq!(is_made_of(password, &["ada"]), expected, "{password}");
        }
    }
}
