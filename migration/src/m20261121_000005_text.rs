//! Text on PostgreSQL sorts and is searched as on SQLite, whatever the locale of
//! the database: by code points, and by words without accents that end at
//! anything but letters and digits. SQLite has been so from the beginning.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

const SEARCHED: &[(&str, &[&str])] = &[
    ("tasks", &["title", "description"]),
    ("users", &["username", "email", "first_name", "last_name"]),
];

/// Lower case, without accents, with a space for whatever is neither letter nor digit. The ranges
/// are spelled out, since classes such as `[[:alnum:]]` know ASCII only in some locales.
const SEARCH_TEXT: &str = r#"
CREATE FUNCTION search_text(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(
        regexp_replace(normalize(lower($1 COLLATE "und-x-icu"), NFD), '[\u0300-\u036f]+', '', 'g'),
        '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u3000-\u3004\u3008-\u3020\u3030\u303d-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+',
        ' ', 'g')
$$"#;

/// All of these words, each from its beginning. One that holds several, such as `up-to-date`, asks
/// for them in a row.
const SEARCH_QUERY: &str = r"
CREATE FUNCTION search_query(text[]) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsquery('simple', string_agg(phrase, ' & '))
    FROM (
        SELECT string_agg(
            quote_literal(piece) || CASE WHEN place = last THEN ':*' ELSE '' END,
            ' <-> ' ORDER BY place) AS phrase
        FROM unnest($1) WITH ORDINALITY AS words (word, number),
            LATERAL (
                SELECT piece, place, max(place) OVER () AS last
                FROM unnest(string_to_array(trim(search_text(word)), ' '))
                    WITH ORDINALITY AS pieces (piece, place)
                WHERE piece <> ''
            ) AS pieces
        GROUP BY number
    ) AS phrases
$$";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DatabaseBackend::Postgres {
            return Ok(());
        }
        let connection = manager.get_connection();
        connection.execute_unprepared(SEARCH_TEXT).await?;
        connection.execute_unprepared(SEARCH_QUERY).await?;
        for (table, columns) in SEARCHED {
            replace_search(manager, table, &format!("search_text({})", all(columns))).await?;
        }
        connection
            .execute_unprepared(
                "ALTER TABLE users ALTER COLUMN username_key TYPE text COLLATE \"C\"",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DatabaseBackend::Postgres {
            return Ok(());
        }
        let connection = manager.get_connection();
        connection
            .execute_unprepared(
                "ALTER TABLE users ALTER COLUMN username_key TYPE text COLLATE \"default\"",
            )
            .await?;
        for (table, columns) in SEARCHED {
            replace_search(manager, table, &all(columns)).await?;
        }
        connection
            .execute_unprepared(
                "DROP FUNCTION search_query(text[]); DROP FUNCTION search_text(text)",
            )
            .await?;
        Ok(())
    }
}

fn all(columns: &[&str]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|column| format!("coalesce({column}, '')"))
        .collect();
    columns.join(" || ' ' || ")
}

/// Dropping the column drops its index.
async fn replace_search(manager: &SchemaManager<'_>, table: &str, text: &str) -> Result<(), DbErr> {
    manager
        .get_connection()
        .execute_unprepared(&format!(
            "ALTER TABLE {table} DROP COLUMN search, ADD COLUMN search tsvector \
             GENERATED ALWAYS AS (to_tsvector('simple', {text})) STORED; \
             CREATE INDEX {table}_by_search ON {table} USING gin (search)"
        ))
        .await?;
    Ok(())
}
