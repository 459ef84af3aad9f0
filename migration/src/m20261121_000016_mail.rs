//! More ends that a mail can come to, which mail goes first, until when it is
//! worth sending, and what holds mails back.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DatabaseBackend};

use crate::{create_index, drop_tables, instant, reference};

#[derive(DeriveMigrationName)]
pub struct Migration;

const COLUMNS: &str = "id, kind, cause, recipient_id, address, params, state, created_at, due_at, \
     announced_until, leased_until, fence, attempts, first_attempt_at, failures, message, \
     last_answer, finished_at";
const STATES: &[&str] = &[
    "DUE",
    "SENDING",
    "SENT",
    "FAILED",
    "SUPPRESSED",
    "UNKNOWN",
    "CANCELLED",
];
/// What somebody waits for goes first, and what nobody waits for goes last.
const PRIORITY: &str = "CASE \
     WHEN kind IN ('password-reset', 'email-confirmation', 'invitation', 'second-factor-changed', \
         'password-changed', 'email-changed') THEN 2 \
     WHEN kind IN ('task-report', 'daily-reminder') THEN 0 \
     ELSE 1 END";
/// Kinds that the release before does not know.
const NEW_KINDS: &str = "'approval-waiting', 'assigned', 'daily-reminder'";
const NEW_EVENTS: &str = "'DELIVERY_RESENT', 'DELIVERY_CANCELLED', 'MAILS_PAUSED', 'MAILS_RESUMED'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        set_states(manager, STATES).await?;
        for column in [
            integer("priority").default(1).to_owned(),
            instant("expires_at").null().to_owned(),
        ] {
            let mut table = Table::alter();
            table.table("deliveries").add_column(column);
            manager.alter_table(table).await?;
        }
        run(
            manager,
            &format!("UPDATE deliveries SET priority = {PRIORITY}"),
        )
        .await?;
        let by_turn = ["state", "priority", "due_at"];
        create_index(manager, "deliveries_by_turn", "deliveries", &by_turn).await?;
        let by_creation = ["created_at", "id"];
        create_index(
            manager,
            "deliveries_by_created_at",
            "deliveries",
            &by_creation,
        )
        .await?;
        let by_kind = ["kind", "created_at", "id"];
        create_index(manager, "deliveries_by_kind", "deliveries", &by_kind).await?;
        manager
            .create_table(
                Table::create()
                    .table("paused_mails")
                    .col(text("kind").primary_key())
                    .col(instant("paused_at").not_null())
                    .col(uuid_null("paused_by"))
                    .foreign_key(&mut reference(
                        "paused_by",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("mail_pace")
                    .col(integer("id").primary_key())
                    // Milliseconds since the Unix epoch.
                    .col(big_integer("free_at"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["mail_pace", "paused_mails"]).await?;
        run(manager, "DROP INDEX deliveries_by_turn").await?;
        run(manager, "DROP INDEX deliveries_by_created_at").await?;
        run(manager, "DROP INDEX deliveries_by_kind").await?;
        for column in ["priority", "expires_at"] {
            let mut table = Table::alter();
            table.table("deliveries").drop_column(column);
            manager.alter_table(table).await?;
        }
        for unknown in [
            format!("DELETE FROM deliveries WHERE kind IN ({NEW_KINDS})"),
            format!("DELETE FROM account_events WHERE kind IN ({NEW_EVENTS})"),
        ] {
            run(manager, &unknown).await?;
        }
        run(
            manager,
            "UPDATE deliveries SET state = CASE state WHEN 'UNKNOWN' THEN 'FAILED' ELSE 'SUPPRESSED' END \
             WHERE state IN ('UNKNOWN', 'CANCELLED')",
        )
        .await?;
        set_states(manager, &STATES[..5]).await
    }
}

async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager
        .get_connection()
        .execute_unprepared(sql)
        .await
        .map(drop)
}

/// Replaces the list of states. SQLite cannot change a check: the table is made anew, by the words
/// that it was made with.
async fn set_states(manager: &SchemaManager<'_>, states: &[&str]) -> Result<(), DbErr> {
    let list = format!("('{}')", states.join("', '"));
    if manager.get_database_backend() == DatabaseBackend::Postgres {
        let sql = format!(
            "ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check, \
             ADD CONSTRAINT deliveries_state_check CHECK (state IN {list})"
        );
        return run(manager, &sql).await;
    }
    let connection = manager.get_connection();
    let query = |sql: &str| {
        sea_orm_migration::sea_orm::Statement::from_string(DatabaseBackend::Sqlite, sql.to_owned())
    };
    let made = "SELECT sql FROM sqlite_master WHERE tbl_name = 'deliveries' AND sql IS NOT NULL \
                ORDER BY type = 'index'";
    let mut statements = Vec::new();
    for row in connection.query_all_raw(query(made)).await? {
        let sql: String = row.try_get("", "sql")?;
        statements.push(sql);
    }
    let table = statements.first().cloned().unwrap_or_default();
    let (head, rest) = table
        .split_once("IN ('DUE'")
        .ok_or_else(|| DbErr::Migration("the table deliveries has no list of states".into()))?;
    let (_, tail) = rest
        .split_once(')')
        .ok_or_else(|| DbErr::Migration("the list of states has no end".into()))?;
    statements[0] = format!("{head}IN {list}{tail}");
    run(
        manager,
        "ALTER TABLE deliveries RENAME TO deliveries_before",
    )
    .await?;
    for index in [
        "deliveries_by_cause",
        "deliveries_by_state",
        "deliveries_by_recipient",
        "deliveries_by_finished_at",
    ] {
        run(manager, &format!("DROP INDEX IF EXISTS {index}")).await?;
    }
    for sql in &statements {
        run(manager, sql).await?;
    }
    run(
        manager,
        &format!("INSERT INTO deliveries ({COLUMNS}) SELECT {COLUMNS} FROM deliveries_before"),
    )
    .await?;
    run(manager, "DROP TABLE deliveries_before").await
}
