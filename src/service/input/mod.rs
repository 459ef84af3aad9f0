//! Checks and tidies what people typed, by the rules in the head of the
//! contract: text is trimmed, blank optional text is none, lengths are counted
//! in characters. All problems of a form are collected before it is refused.

mod identity;

pub use identity::{Email, Username, login_key};

use chrono::{DateTime, Datelike, SubsecRound, Utc};
use chrono_tz::Tz;

use crate::entity::user::Model as User;
use crate::error::{Error, Problem, ProblemCode, Result};

/// A field of an update: leave it, clear it, or set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch<T> {
    Absent,
    Null,
    Set(T),
}

impl<T> Patch<T> {
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Does to the field what the update says.
    pub fn apply_to(self, field: &mut Option<T>) {
        match self {
            Self::Absent => {}
            Self::Null => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }
}

pub const NAME_MAX: usize = 100;
pub const TITLE_MAX: usize = 255;
pub const REASON_MAX: usize = 1_000;
pub const DESCRIPTION_MAX: usize = 10_000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    One,
    Many,
}

/// Collects what is wrong with a form.
#[derive(Default)]
pub struct Form(Vec<Problem>);

impl Form {
    pub fn problem(&mut self, field: &'static str, code: ProblemCode, message: impl Into<String>) {
        self.0.push(Problem::new(field, code, message));
    }

    pub fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds a problem in the place of all others of its field.
    pub fn replace(&mut self, problem: Problem) {
        self.0.retain(|other| other.field != problem.field);
        self.0.push(problem);
    }

    /// Refuses the form if anything is wrong with it.
    pub fn check(self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Refused(self.0))
        }
    }

    /// Text that must be there.
    pub fn text(&mut self, field: &'static str, text: &str, max: usize, lines: Lines) -> String {
        let text = self.optional_text(field, Some(text), max, lines);
        if text.is_none() {
            self.blank(field);
        }
        text.unwrap_or_default()
    }

    /// Text that may be left out; blank is none. Of what is too long the first part is handed on, so
    /// that nobody has more to do for it until the form is refused.
    pub fn optional_text(
        &mut self,
        field: &'static str,
        text: Option<&str>,
        max: usize,
        lines: Lines,
    ) -> Option<String> {
        let text = text
            .map(str::trim)
            .filter(|text| !text.chars().all(is_invisible))?;
        let taken = cut(text, max);
        if taken.len() < text.len() {
            self.problem(
                field,
                ProblemCode::TooLong,
                format!("At most {max} characters."),
            );
        } else if let Some(bad) = text.chars().find(|c| is_forbidden(*c, lines)) {
            self.problem(
                field,
                ProblemCode::Invalid,
                format!(
                    "The invisible character U+{:04X} is not allowed.",
                    u32::from(bad)
                ),
            );
        }
        Some(taken.to_owned())
    }

    /// As `optional_text`, for an update: absent stays absent, blank clears.
    pub fn patched_text(
        &mut self,
        field: &'static str,
        text: &Patch<String>,
        max: usize,
        lines: Lines,
    ) -> Patch<String> {
        match text {
            Patch::Absent => Patch::Absent,
            Patch::Null => Patch::Null,
            Patch::Set(text) => match self.optional_text(field, Some(text), max, lines) {
                Some(text) => Patch::Set(text),
                None => Patch::Null,
            },
        }
    }

    /// For an update of a field that cannot be empty: the value, if there is a new one.
    pub fn required_patch<'a, T>(
        &mut self,
        field: &'static str,
        patch: &'a Patch<T>,
    ) -> Option<&'a T> {
        match patch {
            Patch::Absent => None,
            Patch::Null => {
                self.blank(field);
                None
            }
            Patch::Set(value) => Some(value),
        }
    }

    pub fn blank(&mut self, field: &'static str) {
        self.problem(field, ProblemCode::Blank, "This cannot be blank.");
    }

    /// An IANA name; none is the server's zone.
    pub fn time_zone(&mut self, text: Option<&str>, default: Tz) -> String {
        match text.map(str::trim).filter(|text| !text.is_empty()) {
            None => default.name().to_owned(),
            Some(text) => {
                if let Ok(zone) = text.parse::<Tz>() {
                    zone.name().to_owned()
                } else {
                    self.problem(
                        "timeZone",
                        ProblemCode::Invalid,
                        "This is not an IANA time zone, such as Asia/Dhaka.",
                    );
                    String::new()
                }
            }
        }
    }

    /// An instant of the years 1 to 9999, at the precision that is stored. Later years have five
    /// digits, and would not sort.
    pub fn instant(&mut self, field: &'static str, instant: DateTime<Utc>) -> DateTime<Utc> {
        if !(1..=9999).contains(&instant.year()) {
            self.problem(
                field,
                ProblemCode::Invalid,
                "The year must be from 1 to 9999.",
            );
        }
        instant.trunc_subsecs(3)
    }
}

/// The first so many characters.
fn cut(text: &str, max: usize) -> &str {
    let end = text.char_indices().nth(max);
    end.map_or(text, |(end, _)| &text[..end])
}

/// What passwords of this person must not be made of.
pub fn own_words(user: &User) -> Vec<&str> {
    [
        Some(user.username.as_str()),
        Some(user.email.as_str()),
        user.first_name.as_deref(),
        user.last_name.as_deref(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// White space, and what Unicode has no glyph for (`Default_Ignorable_Code_Point`): text of nothing
/// else is blank.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fff8}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Control characters, and those that reorder the text around them.
fn is_forbidden(c: char, lines: Lines) -> bool {
    let is_layout = lines == Lines::Many && matches!(c, '\n' | '\r' | '\t');
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && !is_layout) || reorders || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_too_long_the_first_part_is_handed_on_and_the_form_refused() {
        let endless = "ä".repeat(100_000);
        let mut form = Form::default();
        let name = form.optional_text("firstName", Some(&endless), NAME_MAX, Lines::One);
        assert_eq!(name, Some("ä".repeat(NAME_MAX)));
        let username = form.username(&"x".repeat(100_000));
        assert_eq!([username.text.len(), username.key.len()], [40, 40]);
        assert_eq!(username.skeleton.len(), 40);
        let email = form.email(&format!("{endless}@example.com"));
        assert_eq!(email.text.chars().count(), 254);
        assert_eq!(email.key, "");
        let fields = form.0.iter().map(|problem| (problem.field, problem.code));
        let too_long =
            ["firstName", "username", "email"].map(|field| (Some(field), ProblemCode::TooLong));
        assert!(fields.eq(too_long));
        // To the last character that is allowed, it is whole.
        let mut form = Form::default();
        let longest = "ä".repeat(NAME_MAX);
        let name = form.optional_text("firstName", Some(&longest), NAME_MAX, Lines::One);
        assert_eq!(name, Some(longest));
        assert!(form.check().is_ok());
    }

    #[test]
    fn invisible_characters_are_refused_but_layout_passes_where_there_are_lines() {
        for (text, lines, ok) in [
            ("two\nlines\twith a tab", Lines::Many, true),
            ("two\nlines", Lines::One, false),
            ("bell\u{7}", Lines::Many, false),
            ("turn\u{202e}ed", Lines::Many, false),
            ("nul\0", Lines::Many, false),
            ("\u{200b}\u{feff} ", Lines::Many, false),
        ] {
            let mut form = Form::default();
            form.text("description", text, 100, lines);
            assert_eq!(form.check().is_ok(), ok, "{text:?}");
        }
    }
}
