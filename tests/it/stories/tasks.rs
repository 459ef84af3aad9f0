//! Tasks: written, handed out, worked on, finished, deleted.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    ASSIGN_TASK, Answer, CREATE_TASK, DELETE_TASK, DELETE_USER, MY_TASKS, Operation, Person,
    SET_TASK_STATUS, TASK, TestApp, UPDATE_TASK, UPDATE_USER,
};

const UNKNOWN_TASK: &str = "task_01h455vb4pex5vsknk084sn02q";
const UNKNOWN_USER: &str = "user_01h455vb4pex5vsknk084sn02q";

async fn with_input(person: &Person, operation: Operation, input: Value) -> Answer {
    person.asks(operation, json!({ "input": input })).await
}

async fn updates(person: &Person, input: Value) -> Answer {
    with_input(person, UPDATE_TASK, input).await
}

/// The task as this person sees it.
async fn sees(person: &Person, id: &str) -> Value {
    let answer = person.asks(TASK, json!({ "id": id })).await.succeeds();
    answer.data("task")
}

#[tokio::test]
async fn a_task_is_written_handed_out_and_finished() {
    let app = TestApp::start().await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    let input = json!({
        "title": "  Order chairs ",
        "description": " Twelve of them.\n\tGreen. ",
        "deadline": "2026-01-08T12:00:00.123456Z",
        "assigneeId": eve.id(),
    });
    let id = mia.creates_task_with(input).await;
    let task = sees(&eve, &id).await;
    assert_eq!(task["title"], "Order chairs");
    assert_eq!(task["description"], "Twelve of them.\n\tGreen.");
    assert_eq!(task["deadline"], "2026-01-08T12:00:00.123Z");
    assert_eq!(task["status"], "PENDING");
    assert_eq!(task["isOverdue"], false);
    assert_eq!(task["assignee"]["username"], "eve");
    assert_eq!(task["createdBy"]["username"], "mia");
    assert_eq!(task["completedAt"], Value::Null);
    assert_eq!(task["version"], 1);

    eve.sets_status(&id, "IN_PROGRESS").await;
    app.clock.advance(TimeDelta::hours(1));
    eve.refreshes().await.succeeds();
    let done = eve.sets_status(&id, "COMPLETED").await;
    let task = done.data("setTaskStatus.task");
    assert_eq!(task["completedAt"], "2026-01-05T10:00:00.000Z");
    assert_eq!(task["updatedAt"], "2026-01-05T10:00:00.000Z");
    assert_eq!(task["createdAt"], "2026-01-05T09:00:00.000Z");
    assert_eq!(task["version"], 3);
}

#[tokio::test]
async fn a_task_that_is_taken_up_again_is_not_completed() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let id = mia.creates_task("Order chairs").await;
    mia.sets_status(&id, "COMPLETED").await;
    for status in ["IN_PROGRESS", "PENDING"] {
        let again = mia.sets_status(&id, status).await;
        assert_eq!(again.data("setTaskStatus.task.completedAt"), Value::Null);
    }
}

#[tokio::test]
async fn a_completed_task_stays_completed_since_then() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let id = mia.creates_task("Order chairs").await;
    let first = mia.sets_status(&id, "COMPLETED").await;
    app.clock.advance(TimeDelta::minutes(5));
    let second = mia.sets_status(&id, "COMPLETED").await;
    let path = "setTaskStatus.task";
    assert_eq!(second.data(path), first.data(path));
}

#[tokio::test]
async fn the_form_of_a_task_tells_each_problem_beside_its_field() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let id = mia.creates_task("Order chairs").await;
    for (field, value, code) in [
        ("title", json!(""), "BLANK"),
        ("title", json!(" \t "), "BLANK"),
        ("title", json!("x".repeat(256)), "TOO_LONG"),
        ("title", json!("two\nlines"), "INVALID"),
        ("description", json!("x".repeat(10_001)), "TOO_LONG"),
        ("description", json!("bell\u{7}"), "INVALID"),
    ] {
        let mut form = json!({ "title": "Order chairs" });
        form[field] = value.clone();
        let answer = with_input(&mia, CREATE_TASK, form).await;
        answer.refused_for(&[&format!("input.{field} {code}")]);
        let answer = updates(&mia, json!({ "taskId": id, field: value })).await;
        answer.refused_for(&[&format!("input.{field} {code}")]);
    }
    let both = json!({ "title": "", "assigneeId": UNKNOWN_USER });
    let mut problems = with_input(&mia, CREATE_TASK, both).await.user_errors();
    problems.sort();
    assert_eq!(
        problems,
        ["input.assigneeId NOT_FOUND", "input.title BLANK"]
    );
    assert_eq!(sees(&mia, &id).await["version"], 1);
    // The longest that fit, counted in characters.
    let longest = json!({ "title": "ü".repeat(255), "description": "💥".repeat(10_000) });
    mia.creates_task_with(longest).await;
}

#[tokio::test]
async fn what_is_no_instant_is_refused() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    for deadline in [
        "tomorrow",
        "2026-01-05",
        "2026-13-05T09:00:00Z",
        "12026-01-05T09:00:00Z",
    ] {
        let form = json!({ "title": "Order chairs", "deadline": deadline });
        let answer = with_input(&mia, CREATE_TASK, form).await;
        assert_eq!(answer.http_status(), 400, "{}", answer.text());
    }
    // Another offset is the same instant.
    let form = json!({ "title": "Order chairs", "deadline": "2026-01-08T12:00:00+06:00" });
    let id = mia.creates_task_with(form).await;
    assert_eq!(
        sees(&mia, &id).await["deadline"],
        "2026-01-08T06:00:00.000Z"
    );
}

#[tokio::test]
async fn a_task_moves_from_one_to_another_and_out_of_sight() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let (eve, bob) = (app.employee("eve").await, app.employee("bob").await);
    let id = mia.creates_task("Order chairs").await;
    assert_eq!(sees(&eve, &id).await, Value::Null);
    let mine = async |person: &Person| {
        let answer = person.asks(MY_TASKS, json!({})).await.succeeds();
        answer.each("viewer.tasks.nodes", "title")
    };

    mia.assigns(&id, &eve).await;
    assert_eq!(mine(&eve).await, ["Order chairs"]);
    let moved = mia.assigns(&id, &bob).await;
    assert_eq!(moved.words("assignTask.task.assignee.username"), "bob");
    assert_eq!(sees(&eve, &id).await, Value::Null);
    assert_eq!(mine(&eve).await, [] as [&str; 0]);
    assert_eq!(mine(&bob).await, ["Order chairs"]);

    let back = json!({ "taskId": id, "assigneeId": null });
    let back = with_input(&mia, ASSIGN_TASK, back).await.succeeds();
    assert_eq!(back.data("assignTask.task.assignee"), Value::Null);
    assert_eq!(mine(&bob).await, [] as [&str; 0]);
    let absent = with_input(&mia, ASSIGN_TASK, json!({ "taskId": id })).await;
    absent.refused_for(&["input.assigneeId BLANK"]);
}

#[tokio::test]
async fn tasks_go_to_active_employees_and_managers_only() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (mia, gone) = (app.manager("mia").await, app.employee("greta").await);
    let (pending, rejected) = (app.stranger("petra"), app.stranger("rafael"));
    pending.signs_up().await;
    ada.rejects(&rejected.signs_up().await, "").await;
    let input = json!({ "userId": gone.id(), "active": false });
    with_input(&ada, UPDATE_USER, input).await.succeeds();
    app.runs_all_jobs().await;

    let id = mia.creates_task("Order chairs").await;
    for (assignee, code) in [
        (ada.id(), "NOT_ASSIGNABLE"),
        (pending.id(), "NOT_ASSIGNABLE"),
        (rejected.id(), "NOT_ASSIGNABLE"),
        (gone.id(), "NOT_ASSIGNABLE"),
        (UNKNOWN_USER, "NOT_FOUND"),
        (id.as_str(), "NOT_FOUND"),
        ("garbled", "NOT_FOUND"),
        ("", "NOT_FOUND"),
    ] {
        let problem = format!("input.assigneeId {code}");
        let form = json!({ "taskId": id, "assigneeId": assignee });
        with_input(&mia, ASSIGN_TASK, form)
            .await
            .refused_for(&[&problem]);
        let form = json!({ "title": "Order chairs", "assigneeId": assignee });
        with_input(&mia, CREATE_TASK, form)
            .await
            .refused_for(&[&problem]);
    }
    mia.assigns(&id, &mia).await;
}

#[tokio::test]
async fn a_task_that_is_not_there_is_not_found() {
    let app = TestApp::start().await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    let foreign = mia.creates_task("Not for eve").await;
    for id in [UNKNOWN_TASK, "garbled", "", mia.id()] {
        for (operation, mut input) in [
            (UPDATE_TASK, json!({ "title": "New" })),
            (SET_TASK_STATUS, json!({ "status": "COMPLETED" })),
            (ASSIGN_TASK, json!({ "assigneeId": null })),
            (DELETE_TASK, json!({})),
        ] {
            input["taskId"] = json!(id);
            let answer = with_input(&mia, operation, input).await;
            answer.refused_for(&["input.taskId NOT_FOUND"]);
        }
        assert_eq!(sees(&mia, id).await, Value::Null);
    }
    let input = json!({ "taskId": foreign, "status": "COMPLETED" });
    let answer = with_input(&eve, SET_TASK_STATUS, input).await;
    answer.refused_for(&["input.taskId NOT_FOUND"]);
    assert_eq!(sees(&mia, &foreign).await["status"], "PENDING");
}

#[tokio::test]
async fn a_task_is_overdue_from_its_deadline_until_it_is_completed() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let form = json!({ "title": "Order chairs", "deadline": app.in_(TimeDelta::minutes(1)) });
    let id = mia.creates_task_with(form).await;
    app.clock.advance(TimeDelta::minutes(1));
    assert_eq!(sees(&mia, &id).await["isOverdue"], false);
    app.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(sees(&mia, &id).await["isOverdue"], true);
    mia.sets_status(&id, "COMPLETED").await;
    assert_eq!(sees(&mia, &id).await["isOverdue"], false);
}

#[tokio::test]
async fn a_deleted_task_is_gone() {
    let app = TestApp::start().await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    let id = mia.creates_task("Order chairs").await;
    mia.assigns(&id, &eve).await;
    let answer = with_input(&mia, DELETE_TASK, json!({ "taskId": id })).await;
    assert_eq!(answer.succeeds().words("deleteTask.deletedTaskId"), id);
    for person in [&mia, &eve] {
        assert_eq!(sees(person, &id).await, Value::Null);
    }
    let again = with_input(&mia, DELETE_TASK, json!({ "taskId": id })).await;
    again.refused_for(&["input.taskId NOT_FOUND"]);
}

#[tokio::test]
async fn the_tasks_of_somebody_who_was_deleted_stay_unassigned() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    let id = mia.creates_task("Order chairs").await;
    mia.assigns(&id, &eve).await;
    for person in [&eve, &mia] {
        let input = json!({ "userId": person.id() });
        with_input(&ada, DELETE_USER, input).await.succeeds();
    }
    let task = sees(&ada, &id).await;
    assert_eq!(task["title"], "Order chairs");
    assert_eq!(task["assignee"], Value::Null);
    assert_eq!(task["createdBy"], Value::Null);
    assert_eq!(task["version"], 3);
}

#[tokio::test]
async fn each_task_tells_what_its_viewer_can_do_with_it() {
    let app = TestApp::start().await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    let id = mia.creates_task("Order chairs").await;
    mia.assigns(&id, &eve).await;
    let rights = ["Update", "Assign", "SetStatus", "Delete"].map(|verb| format!("viewerCan{verb}"));
    let can = async |person: &Person| {
        let task = sees(person, &id).await;
        rights.each_ref().map(|right| task[right] == true)
    };
    assert_eq!(can(&mia).await, [true; 4]);
    assert_eq!(can(&eve).await, [false, false, true, false]);
    for operation in [UPDATE_TASK, ASSIGN_TASK, DELETE_TASK] {
        let answer = with_input(&eve, operation, json!({ "taskId": id })).await;
        answer.fails_with("FORBIDDEN");
    }
}

#[tokio::test]
async fn the_open_tasks_of_somebody_who_is_deactivated_stay_theirs() {
    let app = TestApp::start().await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    let id = mia.creates_task("Order chairs").await;
    mia.assigns(&id, &eve).await;
    let input = json!({ "userId": eve.id(), "active": false });
    with_input(&mia, UPDATE_USER, input).await.succeeds();
    let task = sees(&mia, &id).await;
    assert_eq!(task["assignee"]["username"], "eve");
    assert_eq!(task["version"], 2);
}
