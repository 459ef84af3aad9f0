//! Which state a table is in: what was computed from it earlier holds as long as
//! these tokens stay. The database makes a new one by itself, in the transaction of
//! each change, so no way to write can forget it. They are random, and no counters,
//! so that a database that was restored or lost its last changes never comes by one
//! again.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DatabaseBackend};

use crate::drop_tables;

#[derive(DeriveMigrationName)]
pub struct Migration;

const COUNTED: &[&str] = &["tasks", "users"];

/// On PostgreSQL each connection writes to one of these rows, so that writers seldom wait for each
/// other. A state is all of them.
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
                    .col(text("token"))
                    .primary_key(Index::create().col("noun").col("shard"))
                    .to_owned(),
            )
            .await?;
        let (shards, token) = if postgres {
            (SHARDS, "gen_random_uuid()::text")
        } else {
            (1, "hex(randomblob(16))")
        };
        for table in COUNTED {
            for shard in 0..shards {
                connection
                    .execute_unprepared(&format!(
                        "INSERT INTO generations (noun, shard, token) VALUES ('{table}', {shard}, {token})"
                    ))
                    .await?;
            }
        }
        if postgres {
            connection.execute_unprepared(&renew_on_postgres()).await?;
        }
        for table in COUNTED {
            if postgres {
                connection
                    .execute_unprepared(&format!(
                        "CREATE TRIGGER {table}_generation AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE \
                         ON {table} FOR EACH STATEMENT EXECUTE FUNCTION renew_generation()"
                    ))
                    .await?;
            } else {
                for event in ["insert", "update", "delete"] {
                    connection
                        .execute_unprepared(&format!(
                            "CREATE TRIGGER {table}_generation_{event} AFTER {event} ON {table} BEGIN \
                             UPDATE generations SET token = {token} WHERE noun = '{table}'; END"
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
                .execute_unprepared("DROP FUNCTION renew_generation()")
                .await?;
        }
        drop_tables(manager, &["generations"]).await
    }
}

fn renew_on_postgres() -> String {
    format!(
        "CREATE FUNCTION renew_generation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         UPDATE generations SET token = gen_random_uuid()::text \
         WHERE noun = TG_TABLE_NAME AND shard = pg_backend_pid() % {SHARDS}; \
         RETURN NULL; END $$"
    )
}
