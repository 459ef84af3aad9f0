//! A scan over the text of a document that counts tokens and brackets without
//! recursion and without memory, so that it can look at anything.

use async_graphql::{Pos, ServerError};

use super::{DOCUMENT_MAX, NESTING_MAX, NUMBER_MAX, PARSE_FAILED, TOKENS_MAX, refusal, within};

pub(super) fn scan(text: &str) -> Result<(), ServerError> {
    within("bytes", text.len(), DOCUMENT_MAX)?;
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut nesting) = (0, 0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let length = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += run(bytes, at, |byte| byte != b'\n' && byte != b'\r');
                continue;
            }
            b'"' => string(bytes, at).ok_or_else(|| {
                refusal(
                    PARSE_FAILED,
                    "A string in the document does not end.",
                    position(text, at),
                )
            })?,
            b'-' | b'0'..=b'9' => {
                let length = run(bytes, at, |byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
                });
                within("characters in one number", length, NUMBER_MAX)?;
                length
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => run(bytes, at, |byte| {
                byte == b'_' || byte.is_ascii_alphanumeric()
            }),
            b'{' | b'[' | b'(' => {
                nesting += 1;
                within("brackets inside one another", nesting, NESTING_MAX)?;
                1
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                1
            }
            _ => 1,
        };
        at += length;
        tokens += 1;
        within("tokens", tokens, TOKENS_MAX)?;
    }
    Ok(())
}

/// How many bytes from here on are of this kind; at least one.
fn run(bytes: &[u8], from: usize, is_of_kind: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from + 1..).unwrap_or_default();
    1 + rest.iter().take_while(|byte| is_of_kind(**byte)).count()
}

/// The length of the string that begins here, quotes included.
fn string(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    if rest.starts_with(b"\"\"\"") {
        let mut at = 3;
        loop {
            let rest = rest.get(at..)?;
            if rest.starts_with(b"\\\"\"\"") {
                at += 4;
            } else if rest.starts_with(b"\"\"\"") {
                return Some(at + 3);
            } else if rest.is_empty() {
                return None;
            } else {
                at += 1;
            }
        }
    }
    let mut at = 1;
    loop {
        match rest.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            b'\n' | b'\r' => return None,
            _ => at += 1,
        }
    }
}

fn position(text: &str, at: usize) -> Option<Pos> {
    let before = text.get(..at)?;
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Some(Pos { line, column })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::error::{TOO_COMPLEX, code};

    fn verdict(text: &str) -> Option<String> {
        scan(text)
            .err()
            .map(|error| code(&error).unwrap().to_owned())
    }

    #[test]
    fn each_limit_holds_at_its_value_and_refuses_one_more() {
        let document = |length: usize| format!("{{a}}#{}", "x".repeat(length - 4));
        let tokens = |count: usize| format!("{{{}}}", "a ".repeat(count - 2));
        let nesting = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let number = |length: usize| "1".repeat(length);
        for (make, max) in [
            (&document as &dyn Fn(usize) -> String, DOCUMENT_MAX),
            (&tokens, TOKENS_MAX),
            (&nesting, NESTING_MAX),
            (&number, NUMBER_MAX),
        ] {
            assert_eq!(verdict(&make(max)), None);
            assert_eq!(verdict(&make(max + 1)).as_deref(), Some(TOO_COMPLEX));
        }
    }

    #[test]
    fn what_stands_in_strings_and_comments_does_not_count() {
        let brackets = "{".repeat(NESTING_MAX + 1);
        for text in [
            format!("# {brackets}\n{{ a }}"),
            format!("{{ a(b: \"{brackets}\") }}"),
            format!("{{ a(b: \"\"\"{brackets} \" \\\"\"\" \n\"\"\") }}"),
            format!("{{ a(b: \"\\\"{brackets}\") }}"),
        ] {
            assert_eq!(verdict(&text), None, "{text}");
        }
    }

    #[test]
    fn a_string_that_does_not_end_is_told_with_its_place() {
        for text in ["{ a(b: \"x", "{ a(b: \"x\n\")}", "{ a(b: \"\"\"x", "\"\\"] {
            assert_eq!(verdict(text).as_deref(), Some(PARSE_FAILED), "{text}");
        }
        let error = scan("{\n  a(b: \"x").unwrap_err();
        assert_eq!(error.locations[0], Pos { line: 2, column: 8 });
    }
}
