//! Full-text search by `SQLite`'s FTS5. What people type is never read as FTS5's
//! query language: each word is quoted, matches from its beginning, and all
//! words must match.

use sea_orm::sea_query::{Expr, ExprTrait};

/// The condition that a row of `table` matches the text. Text without a letter or digit matches nothing.
pub(super) fn matches(table: &str, text: &str) -> Expr {
    let Some(query) = query(text) else {
        return Expr::val(1).eq(0);
    };
    let noun = table.trim_end_matches('s');
    Expr::cust_with_values(
        format!(
            "{table}.id IN (SELECT {noun}_id FROM {noun}_search \
             JOIN {noun}_search_rows ON row_id = {noun}_search.rowid \
             WHERE {noun}_search MATCH ?)"
        ),
        [query],
    )
}

fn query(text: &str) -> Option<String> {
    let words: Vec<String> = text
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"*", word.replace(['"', '\0'], " ")))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn each_word_is_quoted_and_matches_from_its_beginning() {
        assert_eq!(
            query("quarterly rep"),
            Some("\"quarterly\"* \"rep\"*".into())
        );
        assert_eq!(
            query("a\"b OR NOT*"),
            Some("\"a b\"* \"OR\"* \"NOT*\"*".into())
        );
    }

    #[test]
    fn text_without_letters_or_digits_is_no_query() {
        assert_eq!(query("  *** \"\" - "), None);
    }
}
