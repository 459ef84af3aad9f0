//! Full-text search: FTS5 on `SQLite`, `tsvector` on `PostgreSQL`. What people type
//! is never read as either's query language: each word is quoted, matches from
//! its beginning, and all words must match.

use sea_orm::sea_query::{Expr, ExprTrait};

use super::Engine;

/// The condition that a row of `table` matches the text. Text without a letter or digit matches nothing.
pub(super) fn matches(engine: Engine, table: &str, text: &str) -> Expr {
    let words = words(text);
    if words.is_empty() {
        return Expr::val(1).eq(0);
    }
    match engine {
        Engine::Sqlite => {
            let noun = table.trim_end_matches('s');
            Expr::cust_with_values(
                format!(
                    "{table}.id IN (SELECT {noun}_id FROM {noun}_search \
                     JOIN {noun}_search_rows ON row_id = {noun}_search.rowid \
                     WHERE {noun}_search MATCH ?)"
                ),
                [for_fts5(&words)],
            )
        }
        // The same function has made the words of the column.
        Engine::Postgres => Expr::cust_with_values(
            format!("{table}.search @@ search_query($1)"),
            [words.into_iter().map(str::to_owned).collect::<Vec<_>>()],
        ),
    }
}

fn words(text: &str) -> Vec<&str> {
    // PostgreSQL keeps no NUL in its texts, so none can be found.
    text.split(|c: char| c.is_whitespace() || c == '\0')
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .collect()
}

fn for_fts5(words: &[&str]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("\"{}\"*", word.replace('"', " ")))
        .collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{for_fts5, words};

    #[test]
    fn each_word_is_quoted_and_matches_from_its_beginning() {
        assert_eq!(for_fts5(&words("quarterly rep")), "\"quarterly\"* \"rep\"*");
        assert_eq!(
            for_fts5(&words("a\"b OR NOT*")),
            "\"a b\"* \"OR\"* \"NOT*\"*"
        );
    }

    #[test]
    fn text_without_letters_or_digits_has_no_words() {
        assert!(words("  *** \"\" - ").is_empty());
    }
}
