//! Pages and cursors, by the rules in the head of the contract. A cursor is
//! opaque: it holds its row's place and a fingerprint of the list that it was
//! given for, and is good for that list only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use async_graphql::SimpleObject;

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

/// Tells lists apart: what is listed, by which filter, in which order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListId([u8; 8]);

impl ListId {
    pub fn new(name: &str, filter: &impl std::fmt::Debug, order: &impl std::fmt::Debug) -> Self {
        let digest = Sha256::digest(format!("{name}|{filter:?}|{order:?}"));
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        Self(id)
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
    bytes.extend_from_slice(&list.0);
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
    let (list_id, body) = body.split_at_checked(8)?;
    let (id, key) = body.split_at_checked(16)?;
    let (tag, value) = key.split_first()?;
    let key = match tag {
        b'i' => {
            let millis = i64::from_be_bytes(value.try_into().ok()?);
            SortKey::Instant(DateTime::from_timestamp_millis(millis)?)
        }
        b't' => SortKey::Text(String::from_utf8(value.to_vec()).ok()?),
        b'm' => SortKey::Missing,
        _ => return None,
    };
    (list_id == list.0).then_some(Position {
        key,
        id: Uuid::from_slice(id).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(order: &str) -> ListId {
        ListId::new("tasks", &"any", &order)
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_for_its_own_list_and_for_no_other() {
        for key in [
            SortKey::Instant(DateTime::from_timestamp_millis(1_767_600_000_123).unwrap()),
            SortKey::Text("Ärger mit „Zeichen“".into()),
            SortKey::Missing,
        ] {
            let position = Position {
                key,
                id: Uuid::from_u128(7),
            };
            let cursor = encode(list("newest"), &position);
            assert_eq!(decode(list("newest"), &cursor), Some(position));
            assert_eq!(decode(list("title"), &cursor), None);
        }
    }

    #[test]
    fn a_garbled_cursor_is_none() {
        let position = Position {
            key: SortKey::Missing,
            id: Uuid::from_u128(7),
        };
        let cursor = encode(list("newest"), &position);
        for garbled in ["", "x", "💥", &cursor[1..], &cursor[..cursor.len() - 1]] {
            assert_eq!(decode(list("newest"), garbled), None, "{garbled}");
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        bytes[9] ^= 1;
        assert_eq!(decode(list("newest"), &URL_SAFE_NO_PAD.encode(bytes)), None);
    }

    #[test]
    fn page_sizes_from_0_to_100_pass_and_others_do_not() {
        let window = |first, last| {
            PageArguments {
                first,
                last,
                ..Default::default()
            }
            .window(list("newest"))
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
