//! People who refer to each other's rows of PostgreSQL's at the same time: by tasks,
//! sessions and mails. Nobody waits for that but whoever deletes what is referred to.
//! (SQLite has one writer at a time.)

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::row_lock::{RowLock, queues};
use crate::support::{CREATE_TASK, DELETE_USER, Person, TASKS, TestApp};

fn task_for(person: &Person) -> Value {
    json!({ "input": { "title": "Count the chairs", "assigneeId": person.id() } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_give_each_other_tasks_do_not_wait_for_each_other() {
    let app = TestApp::start_on_postgres().await;
    let (mia, max) = (app.manager("mia").await, app.manager("max").await);
    // Both have looked at whom the task is for, and are about to write it down.
    let mut lock = RowLock::of_table(&app, "tasks").await;
    let to_max = queues(&mia, CREATE_TASK, task_for(&max));
    let to_mia = queues(&max, CREATE_TASK, task_for(&mia));
    lock.has_waiting(2).await;
    // Which refers to them, as a task does to its creator.
    let refer = "SELECT 1 FROM users WHERE username IN ('mia', 'max') FOR KEY SHARE SKIP LOCKED";
    assert_eq!(lock.does(refer).await, 2);
    lock.release().await;
    to_max.await.unwrap().succeeds();
    to_mia.await.unwrap().succeeds();
    app.runs_all_jobs().await;
    for person in [&mia, &max] {
        assert_eq!(person.inbox().count("assigned"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_being_given_a_task_logs_in_and_is_planned_for_meanwhile() {
    let app = TestApp::start_on_postgres().await;
    let (mia, nico) = (app.manager("mia").await, app.employee("nico").await);
    let mut lock = RowLock::of_table(&app, "tasks").await;
    let given = queues(&mia, CREATE_TASK, task_for(&nico));
    lock.has_waiting(1).await;
    nico.on_another_device().logs_in().await.succeeds();
    app.clock.advance(TimeDelta::days(1));
    let before = app.database().reads(PLANS_OF_NICO).await;
    app.plans().await;
    assert_ne!(app.database().reads(PLANS_OF_NICO).await, before);
    lock.has_waiting(1).await;
    lock.release().await;
    given.await.unwrap().succeeds();
    app.runs_all_jobs().await;
}

const PLANS_OF_NICO: &str = "SELECT kind || ' ' || due_at FROM plans JOIN users ON id = user_id \
     WHERE username = 'nico' ORDER BY kind";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_being_changed_is_planned_for_the_next_time() {
    let app = TestApp::start_on_postgres().await;
    app.employee("nico").await;
    app.clock.advance(TimeDelta::days(1));
    let before = app.database().reads(PLANS_OF_NICO).await;
    let mut lock = RowLock::none(&app).await;
    // Their settings, for one, are changed by who holds the row.
    let change = "UPDATE users SET time_zone = 'Asia/Tokyo' WHERE username = 'nico'";
    assert_eq!(lock.does(change).await, 1);
    app.plans().await;
    assert_eq!(app.database().reads(PLANS_OF_NICO).await, before);
    lock.release().await;
    app.plans().await;
    assert_ne!(app.database().reads(PLANS_OF_NICO).await, before);
    app.runs_all_jobs().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_is_being_given_to_whoever_is_deleted_is_taken_back() {
    let app = TestApp::start_on_postgres().await;
    let ada = app.admin("ada").await;
    let (mia, nico) = (app.manager("mia").await, app.employee("nico").await);
    // The task is written, and the mail about it is not planned yet.
    let mut lock = RowLock::of_table(&app, "plans").await;
    let given = queues(&mia, CREATE_TASK, task_for(&nico));
    lock.has_waiting(1).await;
    let input = json!({ "input": { "userId": nico.id() } });
    let deleted = queues(&ada, DELETE_USER, input);
    lock.has_waiting(2).await;
    lock.release().await;
    given.await.unwrap().succeeds();
    deleted.await.unwrap().succeeds();
    let answer = mia.asks(TASKS, json!({})).await.succeeds();
    assert_eq!(answer.data("tasks.nodes.0.assignee"), Value::Null);
    // The deletion saw it, so that whoever looked at the task before knows that it was changed.
    assert_eq!(answer.data("tasks.nodes.0.version"), 2);
    app.runs_all_jobs().await;
}
