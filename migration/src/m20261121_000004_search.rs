//! Full-text search over tasks and users, kept right by the database itself: by
//! triggers on SQLite (FTS5), by generated columns on PostgreSQL (`tsvector`).

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

use crate::drop_tables;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Table of rows, prefix of the search tables' names, name of the id, searched columns.
const SEARCHED: &[(&str, &str, &str, &[&str])] = &[
    ("tasks", "task_search", "task_id", &["title", "description"]),
    (
        "users",
        "user_search",
        "user_id",
        &["username", "email", "first_name", "last_name"],
    ),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for &(table, search, id, columns) in SEARCHED {
            let statements = if manager.get_database_backend() == DatabaseBackend::Postgres {
                postgres_up(table, columns)
            } else {
                sqlite_up(table, search, id, columns)
            };
            for statement in statements {
                connection.execute_unprepared(&statement).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for &(table, search, _, _) in SEARCHED {
            if manager.get_database_backend() == DatabaseBackend::Postgres {
                connection
                    .execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN search"))
                    .await?;
            } else {
                for event in ["insert", "update", "delete"] {
                    connection
                        .execute_unprepared(&format!("DROP TRIGGER {search}_{event}"))
                        .await?;
                }
                connection
                    .execute_unprepared(&format!("DROP TABLE {search}"))
                    .await?;
            }
        }
        if manager.get_database_backend() == DatabaseBackend::Sqlite {
            drop_tables(manager, &["task_search_rows", "user_search_rows"]).await?;
        }
        Ok(())
    }
}

fn postgres_up(table: &str, columns: &[&str]) -> Vec<String> {
    let text = columns
        .iter()
        .map(|column| format!("coalesce({column}, '')"))
        .collect::<Vec<_>>()
        .join(" || ' ' || ");
    vec![
        format!(
            "ALTER TABLE {table} ADD COLUMN search tsvector \
             GENERATED ALWAYS AS (to_tsvector('simple', {text})) STORED"
        ),
        format!("CREATE INDEX {table}_by_search ON {table} USING gin (search)"),
    ]
}

fn sqlite_up(table: &str, search: &str, id: &str, columns: &[&str]) -> Vec<String> {
    let names = columns.join(", ");
    let new = columns
        .iter()
        .map(|column| format!("new.{column}"))
        .collect::<Vec<_>>()
        .join(", ");
    // A row of FTS5 is known by an integer. The implicit one of the table would change with
    // VACUUM, so a table of its own keeps it.
    let row_of =
        |which: &str| format!("(SELECT row_id FROM {search}_rows WHERE {id} = {which}.id)");
    let index_new = format!(
        "INSERT INTO {search} (rowid, {names}) VALUES ({}, {new});",
        row_of("new")
    );
    let forget_old = format!("DELETE FROM {search} WHERE rowid = {};", row_of("old"));
    vec![
        format!(
            "CREATE TABLE {search}_rows (row_id integer PRIMARY KEY, \
             {id} uuid_text NOT NULL UNIQUE REFERENCES {table} (id) ON DELETE CASCADE)"
        ),
        format!(
            "CREATE VIRTUAL TABLE {search} USING fts5 ({names}, content = '', \
             contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2')"
        ),
        format!("INSERT INTO {search}_rows ({id}) SELECT id FROM {table}"),
        format!(
            "INSERT INTO {search} (rowid, {names}) SELECT row_id, {names} \
             FROM {table} JOIN {search}_rows ON {id} = id"
        ),
        format!(
            "CREATE TRIGGER {search}_insert AFTER INSERT ON {table} BEGIN \
             INSERT INTO {search}_rows ({id}) VALUES (new.id); {index_new} END"
        ),
        format!(
            "CREATE TRIGGER {search}_update AFTER UPDATE OF {names} ON {table} BEGIN \
             {forget_old} {index_new} END"
        ),
        format!("CREATE TRIGGER {search}_delete BEFORE DELETE ON {table} BEGIN {forget_old} END"),
    ]
}
