//! The passwords that many people chose, for `guessing` alone: a hundred thousand
//! of them, in the program itself, so that nobody is asked over the network (OWASP
//! ASVS 5.0, 6.2.4; NIST SP 800-63B). Where they are from: `LICENSES.txt` beside
//! the list.
//!
//! The list is sorted by bytes, in lower case and NFC, one password a line: that is
//! what the search rests on.

use std::cmp::Ordering;

use super::guessing::normal;

const LIST: &str = include_str!("common_passwords/list.txt");

/// Whether many people have this password, in whatever case they type it. It looks at some twenty
/// lines.
pub(super) fn is_common(password: &str) -> bool {
    is_in(LIST, &normal(&password.to_lowercase()))
}

fn is_in(list: &str, sought: &str) -> bool {
    let mut rest = list;
    while let Some((before, line, after)) = middle_line(rest) {
        rest = match sought.cmp(line) {
            Ordering::Equal => return true,
            Ordering::Less => before,
            Ordering::Greater => after,
        };
    }
    false
}

/// The line in the middle, with the lines before it and those after it.
fn middle_line(text: &str) -> Option<(&str, &str, &str)> {
    let middle = text.floor_char_boundary(text.len() / 2);
    let start = text.get(..middle)?.rfind('\n').map_or(0, |end| end + 1);
    let (before, rest) = text.split_at_checked(start)?;
    let (line, after) = rest.split_once('\n')?;
    Some((before, line, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_long_and_in_the_order_that_the_search_rests_on() {
        let lines: Vec<&str> = LIST.lines().collect();
        assert!(lines.len() > 100_000, "{}", lines.len());
        assert!(lines.is_sorted_by(|one, next| one < next));
        for line in lines {
            assert!(
                line.chars().count() >= 8,
                "{line} is refused for its length"
            );
            assert_eq!(normal(&line.to_lowercase()), line);
        }
    }

    #[test]
    fn what_is_listed_is_found_and_its_neighbours_are_not() {
        for line in LIST.lines() {
            assert!(is_common(line), "{line}");
            let neighbour = format!("{line} ");
            assert!(!is_common(&neighbour), "{neighbour}");
        }
        for stranger in ["", " ", "\n", "~~~~~~~~~~~~", "velvet orbit cactus lantern"] {
            assert!(!is_common(stranger), "{stranger:?}");
        }
    }

    #[test]
    fn case_makes_no_difference() {
        assert!(is_common("PassWord1") && is_common("password1"));
    }
}
