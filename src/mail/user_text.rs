//! Makes text that people typed fit to stand in a mail. Used by `letter` and
//! `message` for every name and reason, and for nothing that we wrote ourselves.
//!
//! Mail programs turn whatever looks like an address into a link, so that a name
//! such as `evil.example/reset` would put a link of a stranger into a mail of
//! ours. What makes an address live is therefore put into brackets, the notation
//! in which addresses are quoted safely: `https[:]//evil[.]example`. Brackets are
//! plain to see and no program links across them. Invisible joiners are not used:
//! browsers drop them from host names, some programs link across them, spam
//! filters take them for a trick, and some fonts show them as boxes.

/// What a run of invisible characters could hide: they would be dropped by browsers, or reorder
/// the text around them. The joiners that emoji and some scripts need stay.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// More characters than a display name of ours can have.
const NAME_MAX: usize = 250;

/// A display name, fit for a header. For the body it goes through `without_links`, too.
pub(super) fn name(text: &str) -> String {
    one_line(text, NAME_MAX)
}

/// The text as one line without controls, runs of white space as one space, cut after `max`
/// characters.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let visible: String = text
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    shorten(&line, max)
}

/// The text as lines, each as by `one_line`, with at most one empty line in a row and none at
/// the ends.
pub(super) fn lines(text: &str, max: usize) -> Vec<String> {
    let text = shorten(text, max).replace("\r\n", "\n");
    let mut lines: Vec<String> = text
        .split([
            '\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}',
        ])
        .map(|line| one_line(line, max))
        .skip_while(String::is_empty)
        .collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        text.to_owned()
    } else {
        let kept: String = text.chars().take(max.saturating_sub(3)).collect();
        format!("{kept}...")
    }
}

/// The text with everything in brackets that a mail program could make a link from.
pub(super) fn without_links(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut result = String::with_capacity(text.len());
    for (position, &c) in chars.iter().enumerate() {
        let (before, after) = (&chars[..position], &chars[position + 1..]);
        if is_live(before, c, after) {
            result.push('[');
            result.push(c);
            result.push(']');
        } else {
            result.push(c);
        }
    }
    result
}

/// Whether an address could hold together at this character.
fn is_live(before: &[char], c: char, after: &[char]) -> bool {
    let Some(&right) = after.first() else {
        return false;
    };
    // The path of a network drive.
    if c == '\\' {
        return right == '\\';
    }
    let Some(&left) = before.last() else {
        return false;
    };
    if left.is_whitespace() || right.is_whitespace() {
        return false;
    }
    match c {
        '.' => is_live_dot(before, left, after),
        // Browsers read these as dots. In running text they end sentences, without a space after.
        '\u{2024}' | '\u{3002}' | '\u{fe52}' | '\u{ff0e}' | '\u{ff61}' => {
            left.is_ascii_alphanumeric() && right.is_ascii_alphanumeric()
        }
        ':' => right == '/' || ends_in_scheme(before),
        '@' => true,
        _ => false,
    }
}

/// Dots of numbers and initials are left alone: no top-level domain is one letter, or starts
/// with a digit.
fn is_live_dot(before: &[char], left: char, after: &[char]) -> bool {
    if left.is_ascii_punctuation() && !matches!(left, '-' | '_') {
        return false;
    }
    let is_letter = |c: &char| c.is_alphabetic() || is_joiner(*c);
    let is_label = |c: &char| c.is_alphanumeric() || is_joiner(*c) || matches!(c, '-' | '_');
    let label_length = after.iter().take_while(|c| is_label(c)).count();
    let is_name = label_length >= 2 && after.first().is_some_and(is_letter);
    is_name || ends_in_www(before) || (left.is_ascii_digit() && starts_three_numbers(after))
}

/// The characters back to the last that cannot be in a scheme hold a letter.
fn ends_in_scheme(before: &[char]) -> bool {
    before
        .iter()
        .rev()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        .any(char::is_ascii_alphabetic)
}

fn ends_in_www(before: &[char]) -> bool {
    let label: String = before
        .iter()
        .rev()
        .take_while(|c| c.is_ascii_alphanumeric())
        .collect();
    label
        .to_ascii_lowercase()
        .trim_start_matches(|c: char| c.is_ascii_digit())
        == "www"
}

/// What is left of an IP address after its first dot.
fn starts_three_numbers(after: &[char]) -> bool {
    let numbers: String = after
        .iter()
        .take_while(|c| c.is_ascii_digit() || **c == '.')
        .collect();
    numbers
        .split('.')
        .take_while(|number| !number.is_empty())
        .count()
        >= 3
}

/// Breaks a line at white space so that none is longer than `width`, but for words that are.
pub(super) fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in line.split_whitespace() {
        let length = current.chars().count() + 1 + word.chars().count();
        if !current.is_empty() && length > width {
            lines.push(std::mem::take(&mut current));
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    lines.push(current);
    lines
}

/// As `wrap`, but longer words are broken, too: some scripts have no spaces.
pub(super) fn wrap_anywhere(line: &str, width: usize) -> Vec<String> {
    let mut spaced = String::with_capacity(line.len());
    let mut word_length = 0;
    for c in line.chars() {
        word_length = if c.is_whitespace() {
            0
        } else {
            word_length + 1
        };
        if word_length > width {
            spaced.push(' ');
            word_length = 1;
        }
        spaced.push(c);
    }
    wrap(&spaced, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_people_typed_come_apart() {
        for (typed, shown) in [
            (
                "http://evil.example/a?b=c#d",
                "http[:]//evil[.]example/a?b=c#d",
            ),
            ("HTTPS://EVIL.EXAMPLE", "HTTPS[:]//EVIL[.]EXAMPLE"),
            ("https://localhost:8000", "https[:]//localhost[:]8000"),
            ("http://2130706433/", "http[:]//2130706433/"),
            ("www.evil.example", "www[.]evil[.]example"),
            ("WWW2.4", "WWW2[.]4"),
            ("evil.com", "evil[.]com"),
            ("go to bit.ly/x, now", "go to bit[.]ly/x, now"),
            ("(t.co)", "(t[.]co)"),
            ("i❤.ws", "i❤[.]ws"),
            ("почта.рф", "почта[.]рф"),
            ("evil。com", "evil[。]com"),
            ("evil．com", "evil[．]com"),
            ("evil.\u{200d}com", "evil[.]\u{200d}com"),
            ("ada@evil.com", "ada[@]evil[.]com"),
            ("ada@localhost", "ada[@]localhost"),
            ("mailto:ada", "mailto[:]ada"),
            ("javascript:alert(1)", "javascript[:]alert(1)"),
            ("tel:123", "tel[:]123"),
            ("\\\\server\\share", "[\\]\\server\\share"),
            ("see\\\\server\\share", "see[\\]\\server\\share"),
            ("1.2.3.4/login", "1[.]2.3.4/login"),
        ] {
            assert_eq!(without_links(typed), shown);
        }
    }

    #[test]
    fn plain_words_stay_as_they_were_typed() {
        for text in [
            "Ada Lovelace",
            "J.R.R. Tolkien, Ph.D.",
            "Dr. O'Neil-Smith (she/her)",
            "It was 3.50 at 10:30 on 24.12.2026, version 1.2.3.",
            "Wait... what? Yes: a/b, e.g. c; 5.5kg",
            "却下しました。もう一度お試しください。",
            "@ada :) #1",
        ] {
            assert_eq!(without_links(text), text);
        }
    }

    #[test]
    fn a_name_is_one_line_of_visible_characters() {
        for (typed, shown) in [
            ("Ada\r\nBcc: eve@evil.example", "Ada Bcc: eve@evil.example"),
            ("  Ada\t \u{2028}Lovelace\u{0} ", "Ada Lovelace"),
            ("A\u{200b}d\u{2060}a\u{202e}", "Ada"),
            ("\u{feff}\r\n", ""),
        ] {
            assert_eq!(one_line(typed, 100), shown);
        }
        assert_eq!(one_line("abcdefghijklmnop", 10), "abcdefg...");
    }

    #[test]
    fn lines_keep_paragraphs_but_cannot_push_the_rest_out_of_sight() {
        assert_eq!(
            lines("\n\n one \r\n\r\n\n\n\ntwo\rthree\u{7}\n\n", 100),
            ["one", "", "two", "three"]
        );
        assert_eq!(lines(" \r\n ", 100), Vec::<String>::new());
    }

    #[test]
    fn lines_break_at_spaces_and_inside_words_only_where_asked() {
        assert_eq!(
            wrap("aa bb cc dddddddd e", 5),
            ["aa bb", "cc", "dddddddd", "e"]
        );
        assert_eq!(
            wrap_anywhere("aa 却下しました却下 b", 5),
            ["aa", "却下しまし", "た却下 b"]
        );
        assert_eq!(wrap("", 5), [""]);
    }
}
