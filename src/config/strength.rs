//! Tells whether a text can sign tokens. Whatever is random passes; what people
//! type, copy from an example or fill up does not.

use std::collections::HashSet;

const BYTES_MIN: usize = 32;
const DISTINCT_MIN: usize = 10;
/// None is shorter than six letters: shorter ones turn up in random base64 every thousand times.
const WORDS: &[&str] = &[
    "change-me",
    "change_me",
    "changeme",
    "default",
    "example",
    "muster",
    "password",
    "secret",
    "yourkey",
];
const HOW: &str = "make one with `openssl rand -base64 48`";

/// Why nobody should sign with this, as the rest of a sentence about it.
pub(super) fn weakness(secret: &str) -> Option<String> {
    if secret.len() < BYTES_MIN {
        return Some(format!("is shorter than {BYTES_MIN} bytes; {HOW}"));
    }
    let lower = secret.to_lowercase();
    let characters: Vec<char> = secret.chars().collect();
    let can_be_guessed = WORDS.iter().any(|word| lower.contains(word))
        || characters.iter().collect::<HashSet<_>>().len() < DISTINCT_MIN
        || repeats(&characters)
        || counts(&characters);
    can_be_guessed.then(|| format!("can be guessed; {HOW}"))
}

/// Whether it is one pattern over and over.
fn repeats(characters: &[char]) -> bool {
    (1..=characters.len() / 2).any(|period| {
        characters[period..]
            .iter()
            .eq(&characters[..characters.len() - period])
    })
}

/// Whether most characters follow from the one before, as in `abcdef0123`.
fn counts(characters: &[char]) -> bool {
    let steps = characters
        .windows(2)
        .filter(|pair| u32::from(pair[0]).abs_diff(u32::from(pair[1])) <= 1);
    steps.count() * 2 > characters.len()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use super::*;
    use crate::generator::Generator;

    #[test]
    fn what_can_be_guessed_is_refused() {
        for secret in [
            "tiny-key",
            "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF",
            "changeme-changeme-changeme-changeme",
            "secretsecretsecretsecretsecretsecret",
            "your-256-bit-secret-your-256-bit-secret",
            "a-string-secret-at-least-256-bits-long",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabcabcabcabcabcabcabcabc",
            "0123456789abcdef0123456789abcdef",
            "0123456789abcdefghijklmnopqrstuv",
            "zyxwvutsrqponmlkjihgfedcba9876543210",
            "kX9#mQ2v!TbLkX9#mQ2v!TbLkX9#mQ2v",
        ] {
            assert!(weakness(secret).is_some(), "{secret}");
        }
    }

    #[test]
    fn random_secrets_are_never_refused() {
        // As it is made beside the database, and as `openssl rand` writes it.
        let generator = Generator::seeded(7);
        for _ in 0..20_000 {
            let base64 = STANDARD_NO_PAD.encode(generator.bytes::<32>());
            assert_eq!(weakness(&base64), None, "{base64}");
            let [high, low] = [(); 2].map(|()| u128::from_be_bytes(generator.bytes()));
            let hex = format!("{high:032x}{low:032x}");
            assert_eq!(weakness(&hex), None, "{hex}");
        }
    }
}
