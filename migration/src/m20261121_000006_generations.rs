//! How often a table has changed: what was computed from it earlier holds as long
//! as this number stays. The database counts by itself, in the transaction of the
//! change, so no way to write can forget it.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DatabaseBackend};

use crate::drop_tables;

#[derive(DeriveMigrationName)]
pub struct Migration;

const COUNTED: &[&str] = &["tasks", "users"];

/// On PostgreSQL each connection counts in one of these rows, so that writers seldom wait for each
/// other. The number is the sum.
const SHARDS: u8 = 16;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        let connection = manager.get_connection();
        manager
            .create_table(
                Table::create()
                    .table("generations")
                    .col(text("noun"))
                    .col(integer("shard"))
                    .col(big_integer("value"))
                    .primary_key(Index::create().col("noun").col("shard"))
                    .to_owned(),
            )
            .await?;
        let shards = if postgres { SHARDS } else { 1 };
        for table in COUNTED {
            for shard in 0..shards {
                connection
                    .execute_unprepared(&format!(
                        "INSERT INTO generations (noun, shard, value) VALUES ('{table}', {shard}, 0)"
                    ))
                    .await?;
            }
        }
        if postgres {
            connection.execute_unprepared(&count_on_postgres()).await?;
        }
        for table in COUNTED {
            if postgres {
                connection
                    .execute_unprepared(&format!(
                        "CREATE TRIGGER {table}_generation AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE \
                         ON {table} FOR EACH STATEMENT EXECUTE FUNCTION count_generation()"
                    ))
                    .await?;
            } else {
                for event in ["insert", "update", "delete"] {
                    connection
                        .execute_unprepared(&format!(
                            "CREATE TRIGGER {table}_generation_{event} AFTER {event} ON {table} BEGIN \
                             UPDATE generations SET value = value + 1 WHERE noun = '{table}'; END"
                        ))
                        .await?;
                }
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for table in COUNTED {
            if manager.get_database_backend() == DatabaseBackend::Postgres {
                connection
                    .execute_unprepared(&format!("DROP TRIGGER {table}_generation ON {table}"))
                    .await?;
            } else {
                for event in ["insert", "update", "delete"] {
                    connection
                        .execute_unprepared(&format!("DROP TRIGGER {table}_generation_{event}"))
                        .await?;
                }
            }
        }
        if manager.get_database_backend() == DatabaseBackend::Postgres {
            connection
                .execute_unprepared("DROP FUNCTION count_generation()")
                .await?;
        }
        drop_tables(manager, &["generations"]).await
    }
}

fn count_on_postgres() -> String {
    format!(
        "CREATE FUNCTION count_generation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         UPDATE generations SET value = value + 1 \
         WHERE noun = TG_TABLE_NAME AND shard = pg_backend_pid() % {SHARDS}; \
         RETURN NULL; END $$"
    )
}
