//! PostgreSQL gives up one of two transactions that are in each other's way. The
//! verb is done again, and nobody hears of it. SQLite has one writer at a time, and
//! never gives one up.

use serde_json::json;

use crate::support::{TASKS, TestApp};

/// Fails the first statements on tasks as PostgreSQL does. A sequence counts them, since it alone
/// is not undone with the transaction.
async fn gives_up(app: &TestApp, times: u32, code: &str) {
    app.executes("CREATE SEQUENCE given_up").await;
    app.executes(format!(
        "CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF nextval('given_up') <= {times} THEN \
         RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '{code}'; \
         END IF; RETURN NEW; END $$"
    ))
    .await;
    app.executes(
        "CREATE TRIGGER give_up BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION give_up()",
    )
    .await;
}

#[tokio::test]
async fn what_the_database_gave_up_is_done_again() {
    for code in ["40001", "40P01"] {
        let app = TestApp::start_on_postgres().await;
        let mia = app.manager("mia").await;
        gives_up(&app, 3, code).await;
        mia.creates_task("Count the chairs").await;
        let answer = mia.asks(TASKS, json!({})).await.succeeds();
        assert_eq!(answer.data("tasks.totalCount"), 1);
    }
}

#[tokio::test]
async fn what_is_given_up_again_and_again_is_told() {
    let app = TestApp::start_on_postgres().await;
    let mia = app.manager("mia").await;
    gives_up(&app, 1_000, "40001").await;
    let input = json!({ "input": { "title": "Count the chairs" } });
    let answer = mia.asks(crate::support::CREATE_TASK, input).await;
    answer.fails_with("UNAVAILABLE");
}
