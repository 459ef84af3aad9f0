//! Pages and cursors, by the rules in the head of the contract. A cursor is
//! opaque: it holds its row's place and a fingerprint of the list that it was
//! given for, and is good for that list only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use async_graphql::SimpleObject;

use super::types::is_in_range;
use crate::error::{Error, Result};
use crate::store::{Page, Position, SortKey, Window};

/// Rows of a page, when none are asked for and at most.
pub const SIZE_DEFAULT: u64 = 20;
pub const SIZE_MAX: u64 = 100;
/// In characters.
const SEARCH_MAX: usize = 200;
const SEARCH_WORDS_MAX: usize = 16;
const CHECKSUM_LENGTH: usize = 4;

/// Where a page lies in its list.
#[derive(SimpleObject)]
pub struct PageInfo {
    /// Whether there are rows after this page.
    has_next_page: bool,
    /// Whether there are rows before this page.
    has_previous_page: bool,
    /// The cursor of the first row; null on an empty page.
    start_cursor: Option<String>,
    /// The cursor of the last row; give it as `after` to get the next page. Null on an empty page.
    end_cursor: Option<String>,
}

impl PageInfo {
    pub fn new<T>(page: &Page<T>, list: ListId, position: impl Fn(&T) -> Position) -> Self {
        let cursor = |row: Option<&T>| row.map(|row| encode(list, &position(row)));
        Self {
            has_next_page: page.has_next_page,
            has_previous_page: page.has_previous_page,
            start_cursor: cursor(page.rows.first()),
            end_cursor: cursor(page.rows.last()),
        }
    }
}

/// The four arguments of every list.
#[derive(Default)]
pub struct PageArguments {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// What the rows of a list are sorted by, and so what its cursors hold. Anybody can make a cursor,
/// and the database compares no text with an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortKind {
    Instant,
    /// Some rows have no instant.
    InstantOrMissing,
    Text,
}

/// Tells lists apart: what is listed, by which filter, in which order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListId {
    fingerprint: [u8; 8],
    sorted_by: SortKind,
}

impl ListId {
    pub fn new(
        name: &str,
        filter: &impl std::fmt::Debug,
        order: &impl std::fmt::Debug,
        sorted_by: SortKind,
    ) -> Self {
        let digest = Sha256::digest(format!("{name}|{filter:?}|{order:?}"));
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&digest[..8]);
        Self {
            fingerprint,
            sorted_by,
        }
    }
}

impl PageArguments {
    /// Checks the arguments against each other and against the list.
    pub fn window(self, list: ListId) -> Result<Window> {
        let in_bounds = |name: &str, size: i32| {
            u64::try_from(size)
                .ok()
                .filter(|size| *size <= SIZE_MAX)
                .ok_or_else(|| Error::BadUserInput(format!("{name} must be from 0 to {SIZE_MAX}.")))
        };
        let (size, backward) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Error::BadUserInput(
                    "Give either first or last, not both.".into(),
                ));
            }
            (Some(first), None) => (in_bounds("first", first)?, false),
            (None, Some(last)) => (in_bounds("last", last)?, true),
            (None, None) => (SIZE_DEFAULT, false),
        };
        let position = |name: &str, cursor: Option<String>| {
            cursor
                .map(|cursor| {
                    decode(list, &cursor).ok_or_else(|| {
                        Error::BadUserInput(format!(
                            "{name} is not a cursor of this list: cursors belong to their filter and order."
                        ))
                    })
                })
                .transpose()
        };
        Ok(Window {
            size,
            backward,
            after: position("after", self.after)?,
            before: position("before", self.before)?,
        })
    }
}

/// What a list is searched for, if for anything.
pub type SearchText = Option<String>;

/// Tidies what a list is searched for; blank text is none. Each word costs a look into the index, so
/// their number is bounded.
pub fn search_text(text: Option<String>) -> Result<SearchText> {
    let text = text
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    let fits = text.as_ref().is_none_or(|text| {
        text.chars().count() <= SEARCH_MAX && text.split_whitespace().count() <= SEARCH_WORDS_MAX
    });
    if fits {
        Ok(text)
    } else {
        Err(Error::BadUserInput(format!(
            "search takes at most {SEARCH_WORDS_MAX} words of {SEARCH_MAX} characters in all."
        )))
    }
}

pub fn encode(list: ListId, position: &Position) -> String {
    let mut bytes = Vec::with_capacity(48);
    bytes.extend_from_slice(&list.fingerprint);
    bytes.extend_from_slice(position.id.as_bytes());
    match &position.key {
        SortKey::Instant(instant) => {
            bytes.push(b'i');
            bytes.extend_from_slice(&instant.timestamp_millis().to_be_bytes());
        }
        SortKey::Text(text) => {
            bytes.push(b't');
            bytes.extend_from_slice(text.as_bytes());
        }
        SortKey::Missing => bytes.push(b'm'),
    }
    // Not a secret: it tells a garbled cursor from a whole one, and a forged one shows no row
    // that its maker could not list anyway.
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum[..CHECKSUM_LENGTH]);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(list: ListId, cursor: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_LENGTH)?)?;
    if Sha256::digest(body)[..CHECKSUM_LENGTH] != *checksum {
        return None;
    }
    let (fingerprint, body) = body.split_at_checked(8)?;
    let (id, key) = body.split_at_checked(16)?;
    let (tag, value) = key.split_first()?;
    let key = match (tag, list.sorted_by) {
        (b'i', SortKind::Instant | SortKind::InstantOrMissing) => {
            let millis = i64::from_be_bytes(value.try_into().ok()?);
            let instant = DateTime::from_timestamp_millis(millis)?;
            // PostgreSQL refuses what is far away; no row has an instant that could not be given.
            is_in_range(instant).then_some(SortKey::Instant(instant))?
        }
        (b'm', SortKind::InstantOrMissing) => value.is_empty().then_some(SortKey::Missing)?,
        (b't', SortKind::Text) => {
            let text = String::from_utf8(value.to_vec()).ok()?;
            // PostgreSQL takes no NUL.
            (!text.contains('\0')).then_some(SortKey::Text(text))?
        }
        _ => return None,
    };
    (fingerprint == list.fingerprint).then_some(Position {
        key,
        id: Uuid::from_slice(id).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(order: &str, sorted_by: SortKind) -> ListId {
        ListId::new("tasks", &"any", &order, sorted_by)
    }

    fn instant(text: &str) -> SortKey {
        SortKey::Instant(text.parse().unwrap())
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_for_its_own_list_and_for_no_other() {
        for (key, sorted_by) in [
            (instant("2026-01-05T08:00:00.123Z"), SortKind::Instant),
            (
                instant("2026-01-05T08:00:00.123Z"),
                SortKind::InstantOrMissing,
            ),
            (SortKey::Missing, SortKind::InstantOrMissing),
            (SortKey::Text("Ärger mit „Zeichen“".into()), SortKind::Text),
        ] {
            let position = Position {
                key,
                id: Uuid::from_u128(7),
            };
            let newest = list("newest", sorted_by);
            let cursor = encode(newest, &position);
            assert_eq!(decode(newest, &cursor), Some(position));
            assert_eq!(decode(list("title", sorted_by), &cursor), None);
        }
    }

    #[test]
    fn a_cursor_that_holds_what_no_row_of_the_list_has_is_none() {
        use SortKind::{Instant, InstantOrMissing, Text};
        let text = |text: &str| SortKey::Text(text.into());
        for (key, good_for) in [
            (text("a"), &[Text][..]),
            (text("a\0"), &[]),
            (SortKey::Missing, &[InstantOrMissing]),
            (
                instant("0001-01-01T00:00:00Z"),
                &[Instant, InstantOrMissing],
            ),
            (
                instant("9999-12-31T23:59:59.999Z"),
                &[Instant, InstantOrMissing],
            ),
            (instant("0000-12-31T23:59:59.999Z"), &[]),
            (instant("+10000-01-01T00:00:00Z"), &[]),
            (SortKey::Instant(DateTime::<chrono::Utc>::MAX_UTC), &[]),
        ] {
            let position = Position {
                key,
                id: Uuid::from_u128(7),
            };
            for sorted_by in [Instant, InstantOrMissing, Text] {
                let list = list("newest", sorted_by);
                let is_good = decode(list, &encode(list, &position)).is_some();
                let expected = good_for.contains(&sorted_by);
                assert_eq!(is_good, expected, "{position:?} {sorted_by:?}");
            }
        }
    }

    #[test]
    fn a_garbled_cursor_is_none() {
        let position = Position {
            key: SortKey::Missing,
            id: Uuid::from_u128(7),
        };
        let newest = list("newest", SortKind::InstantOrMissing);
        let cursor = encode(newest, &position);
        for garbled in ["", "x", "💥", &cursor[1..], &cursor[..cursor.len() - 1]] {
            assert_eq!(decode(newest, garbled), None, "{garbled}");
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        bytes[9] ^= 1;
        assert_eq!(decode(newest, &URL_SAFE_NO_PAD.encode(bytes)), None);
    }

    #[test]
    fn page_sizes_from_0_to_100_pass_and_others_do_not() {
        let window = |first, last| {
            PageArguments {
                first,
                last,
                ..Default::default()
            }
            .window(list("newest", SortKind::Instant))
        };
        assert_eq!(window(None, None).unwrap().size, 20);
        assert_eq!(window(Some(0), None).unwrap().size, 0);
        assert_eq!(window(Some(100), None).unwrap().size, 100);
        assert!(window(None, Some(5)).unwrap().backward);
        for (first, last) in [
            (Some(101), None),
            (Some(-1), None),
            (None, Some(101)),
            (Some(1), Some(1)),
        ] {
            assert!(matches!(window(first, last), Err(Error::BadUserInput(_))));
        }
    }
}
