//! Changes to a task: what is left out stays, null clears, and no change of
//! somebody else is lost.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    ASSIGN_TASK, Answer, Person, SET_TASK_STATUS, TASK, TestApp, UPDATE_PROFILE, UPDATE_TASK,
};

async fn update(person: &Person, task: &str, changes: Value) -> Answer {
    let mut input = changes;
    input["taskId"] = task.into();
    person.asks(UPDATE_TASK, json!({ "input": input })).await
}

#[tokio::test]
async fn what_is_left_out_stays_and_null_clears() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let deadline = app.in_(TimeDelta::days(1));
    let task = mia
        .creates_task_with(
            json!({ "title": "Count", "description": "Twice", "deadline": deadline }),
        )
        .await;

    let answer = update(&mia, &task, json!({ "title": "Count again" }))
        .await
        .succeeds();
    assert_eq!(answer.data("updateTask.task.title"), "Count again");
    assert_eq!(answer.data("updateTask.task.description"), "Twice");
    assert_eq!(answer.data("updateTask.task.deadline"), deadline.as_str());
    assert_eq!(answer.data("updateTask.task.version"), 2);

    let answer = update(&mia, &task, json!({ "deadline": null }))
        .await
        .succeeds();
    assert_eq!(answer.data("updateTask.task.deadline"), Value::Null);
    assert_eq!(answer.data("updateTask.task.description"), "Twice");
    let answer = update(&mia, &task, json!({ "description": null }))
        .await
        .succeeds();
    assert_eq!(answer.data("updateTask.task.description"), Value::Null);
    update(&mia, &task, json!({ "description": "Once" }))
        .await
        .succeeds();
    let answer = update(&mia, &task, json!({ "description": "  " }))
        .await
        .succeeds();
    assert_eq!(answer.data("updateTask.task.description"), Value::Null);

    let answer = update(&mia, &task, json!({ "title": null })).await;
    answer.refused_for(&["input.title BLANK"]);
    let answer = update(&mia, &task, json!({ "title": " " })).await;
    answer.refused_for(&["input.title BLANK"]);
}

/// A variable that was not given is as good as a field that was left out.
#[tokio::test]
async fn an_absent_variable_is_an_absent_field() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let task = mia
        .creates_task_with(json!({ "title": "Count", "description": "Twice" }))
        .await;
    let query = "mutation ($id: ID!, $description: String) {
        updateTask(input: { taskId: $id, description: $description, title: \"New\" }) {
            task { description } userErrors { code }
        }
    }";
    let answer = mia.sends(query, json!({ "id": task })).await.succeeds();
    assert_eq!(answer.data("updateTask.task.description"), "Twice");
    let answer = mia
        .sends(query, json!({ "id": task, "description": null }))
        .await
        .succeeds();
    assert_eq!(answer.data("updateTask.task.description"), Value::Null);
}

#[tokio::test]
async fn what_changes_nothing_is_no_change() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let task = mia.creates_task("Count").await;
    app.clock.advance(TimeDelta::minutes(1));
    let answer = update(&mia, &task, json!({ "title": " Count " }))
        .await
        .succeeds();
    assert_eq!(answer.data("updateTask.task.version"), 1);
    assert_eq!(
        answer.data("updateTask.task.updatedAt"),
        "2026-01-05T09:00:00.000Z"
    );
    let answer = mia.sets_status(&task, "PENDING").await;
    assert_eq!(answer.data("setTaskStatus.task.version"), 1);
    mia.assigns(&task, &mia).await;
    let answer = mia.assigns(&task, &mia).await;
    assert_eq!(answer.data("assignTask.task.version"), 2);
}

#[tokio::test]
async fn a_change_on_an_old_version_is_a_conflict_and_changes_nothing() {
    let app = TestApp::start().await;
    let (mia, otto) = (app.manager("mia").await, app.employee("otto").await);
    let task = mia.creates_task("Count").await;
    mia.assigns(&task, &otto).await;
    let conflict = ["input.expectedVersion VERSION_CONFLICT"];
    for version in [0, 1, 3, -1] {
        let change = json!({ "title": "Mine", "expectedVersion": version });
        update(&mia, &task, change).await.refused_for(&conflict);
        // Also when it would change nothing.
        let change = json!({ "title": "Count", "expectedVersion": version });
        update(&mia, &task, change).await.refused_for(&conflict);
        let input = json!({ "taskId": task, "status": "COMPLETED", "expectedVersion": version });
        let answer = otto.asks(SET_TASK_STATUS, json!({ "input": input })).await;
        answer.refused_for(&conflict);
        let input = json!({ "taskId": task, "assigneeId": null, "expectedVersion": version });
        let answer = mia.asks(ASSIGN_TASK, json!({ "input": input })).await;
        answer.refused_for(&conflict);
    }
    let answer = mia.asks(TASK, json!({ "id": task })).await.succeeds();
    assert_eq!(answer.data("task.title"), "Count");
    assert_eq!(answer.data("task.version"), 2);
    let change = json!({ "title": "Mine", "expectedVersion": 2 });
    let answer = update(&mia, &task, change).await.succeeds();
    assert_eq!(answer.data("updateTask.task.version"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_editors_of_one_version_one_wins() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let task = mia.creates_task("Count").await;
    let titles: Vec<String> = (0..20)
        .map(|number| format!("By editor {number}"))
        .collect();
    let edits = titles.iter().map(|title| {
        let change = json!({ "title": title, "expectedVersion": 1 });
        update(&mia, &task, change)
    });
    let answers = join_all(edits).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.user_errors().is_empty());
    assert_eq!((won.len(), lost.len()), (1, 19));
    for answer in lost {
        answer.refused_with("VERSION_CONFLICT");
    }
    let answer = mia.asks(TASK, json!({ "id": task })).await.succeeds();
    assert_eq!(answer.data("task.version"), 2);
    assert_eq!(
        answer.data("task.title"),
        won[0].data("updateTask.task.title")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_once_to_different_fields_are_all_kept() {
    let app = TestApp::start().await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    let task = mia.creates_task("Count").await;
    let answers = tokio::join!(
        update(&mia, &task, json!({ "title": "Recount" })),
        update(&mia, &task, json!({ "description": "Twice" })),
        mia.assigns(&task, &eve),
        mia.sets_status(&task, "IN_PROGRESS"),
    );
    answers.0.succeeds();
    answers.1.succeeds();
    let answer = mia.asks(TASK, json!({ "id": task })).await.succeeds();
    assert_eq!(answer.data("task.title"), "Recount");
    assert_eq!(answer.data("task.description"), "Twice");
    assert_eq!(answer.data("task.assignee.username"), "eve");
    assert_eq!(answer.data("task.status"), "IN_PROGRESS");
    assert_eq!(answer.data("task.version"), 5);
}

#[tokio::test]
async fn the_profile_keeps_what_is_left_out_and_null_clears() {
    let app = TestApp::start_with(&[("TIME_ZONE", "Europe/Berlin")]).await;
    let eve = app.employee("eve").await;
    let change = async |input: Value| eve.asks(UPDATE_PROFILE, json!({ "input": input })).await;
    let all = json!({ "firstName": "Eve", "lastName": "Adams", "timeZone": "Asia/Dhaka" });
    let answer = change(all).await.succeeds();
    assert_eq!(answer.data("updateProfile.user.displayName"), "Eve Adams");
    let answer = change(json!({ "lastName": null })).await.succeeds();
    assert_eq!(answer.data("updateProfile.user.displayName"), "Eve");
    assert_eq!(answer.data("updateProfile.user.timeZone"), "Asia/Dhaka");
    let answer = change(json!({ "timeZone": null })).await.succeeds();
    assert_eq!(answer.data("updateProfile.user.timeZone"), "Europe/Berlin");
    change(json!({ "username": null }))
        .await
        .refused_for(&["input.username BLANK"]);
    change(json!({ "username": "e" }))
        .await
        .refused_for(&["input.username TOO_SHORT"]);
    change(json!({ "timeZone": "Nowhere" }))
        .await
        .refused_for(&["input.timeZone INVALID"]);
    let answer = change(json!({ "username": "Eva" })).await.succeeds();
    assert_eq!(answer.data("updateProfile.user.username"), "Eva");
    eve.logs_in_as("eva").await.succeeds();
}
