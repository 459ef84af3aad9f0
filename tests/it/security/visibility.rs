//! What a viewer may not see does not exist for them, by any path.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    APPROVALS, Answer, MY_TASKS, NODE, NODES, Person, SESSIONS, SET_TASK_STATUS, TASK, TASKS,
    TestApp, UPDATE_USER, USER, USERS,
};

async fn node(person: &Person, id: &str) -> Value {
    let answer = person.asks(NODE, json!({ "id": id })).await;
    answer.succeeds().data("node")
}

/// A task by every path that leads to one, as far as this person can go.
async fn finds_task(person: &Person, task: &str) -> Vec<&'static str> {
    let mut paths = Vec::new();
    let answer = person.asks(TASK, json!({ "id": task })).await.succeeds();
    if !answer.data("task").is_null() {
        paths.push("task");
    }
    if !node(person, task).await.is_null() {
        paths.push("node");
    }
    let answer = person
        .asks(NODES, json!({ "ids": [person.id(), task] }))
        .await;
    if !answer.succeeds().data("nodes.1").is_null() {
        paths.push("nodes");
    }
    let answer = person
        .asks(MY_TASKS, json!({ "first": 100 }))
        .await
        .succeeds();
    if answer.text().contains(task) {
        paths.push("viewer.tasks");
    }
    let answer = person.asks(TASKS, json!({ "first": 100 })).await;
    if answer.text().contains(task) {
        paths.push("tasks");
    }
    paths
}

#[tokio::test]
async fn a_task_of_somebody_else_is_not_there_for_an_employee() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mia = app.manager("mia").await;
    let (eve, otto) = (app.employee("eve").await, app.employee("otto").await);
    let task = mia.creates_task("Count the chairs").await;
    assert_eq!(finds_task(&eve, &task).await, [""; 0]);
    mia.assigns(&task, &otto).await;
    assert_eq!(finds_task(&eve, &task).await, [""; 0]);
    assert_eq!(
        finds_task(&otto, &task).await,
        ["task", "node", "nodes", "viewer.tasks"]
    );
    for person in [&ada, &mia] {
        assert_eq!(
            finds_task(person, &task).await,
            ["task", "node", "nodes", "tasks"]
        );
    }
}

#[tokio::test]
async fn the_tasks_of_somebody_else_are_null_by_every_way_to_that_person() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let (eve, otto) = (app.employee("eve").await, app.employee("otto").await);
    let shared = mia.creates_task("Eve's").await;
    mia.assigns(&shared, &eve).await;
    let hidden = mia.creates_task("Otto's").await;
    mia.assigns(&hidden, &otto).await;

    let tasks = "tasks { totalCount nodes { id } edges { cursor } pageInfo { endCursor } } email";
    let query = format!(
        "query ($id: ID!, $task: ID!) {{
            user(id: $id) {{ username {tasks} }}
            node(id: $id) {{ ... on User {{ username {tasks} }} }}
            nodes(ids: [$id]) {{ ... on User {{ username {tasks} }} }}
            task(id: $task) {{ createdBy {{ username {tasks} }} assignee {{ username {tasks} }} }}
        }}"
    );
    let variables = json!({ "id": otto.id(), "task": shared });
    let answer = eve.sends(&query, variables.clone()).await;
    let answer = answer.without_errors();
    for way in ["user", "node", "nodes.0", "task.createdBy"] {
        assert_eq!(answer.data(&format!("{way}.tasks")), Value::Null, "{way}");
        assert_eq!(answer.data(&format!("{way}.email")), Value::Null, "{way}");
    }
    assert_eq!(answer.data("task.assignee.tasks.totalCount"), 1);
    assert_eq!(answer.data("task.assignee.email"), "eve@example.com");
    assert!(!answer.text().contains(&hidden));

    let answer = mia.sends(&query, variables).await.without_errors();
    for way in ["user", "node", "nodes.0"] {
        assert_eq!(answer.data(&format!("{way}.tasks.totalCount")), 1, "{way}");
        assert_eq!(answer.data(&format!("{way}.email")), "otto@example.com");
    }
}

/// The figures of one's own list, whatever one asks about, are about one's own tasks.
#[tokio::test]
async fn filters_and_totals_tell_nothing_of_others() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let (eve, otto) = (app.employee("eve").await, app.employee("otto").await);
    for _ in 0..3 {
        let late = app.in_(TimeDelta::hours(-1));
        let input = json!({ "title": "Secret plan", "assigneeId": otto.id(), "deadline": late });
        mia.creates_task_with(input).await;
    }
    mia.creates_task("Secret plan of nobody").await;
    for filter in [
        json!({}),
        json!({ "assigneeId": otto.id() }),
        json!({ "search": "secret" }),
        json!({ "unassigned": true }),
        json!({ "overdue": true }),
        json!({ "status": ["PENDING"] }),
    ] {
        let answer = eve.asks(MY_TASKS, json!({ "filter": filter })).await;
        let answer = answer.succeeds();
        assert_eq!(answer.data("viewer.tasks.totalCount"), 0, "{filter}");
        assert_eq!(answer.data("viewer.tasks.nodes"), json!([]), "{filter}");
        let answer = eve.asks(TASKS, json!({ "filter": filter })).await;
        answer.fails_with("FORBIDDEN");
    }
    let answer = eve
        .sends("{ dashboard { openTasks overdueTasks } }", json!({}))
        .await;
    assert_eq!(
        answer.data("dashboard"),
        json!({ "openTasks": 0, "overdueTasks": 0 })
    );
}

#[tokio::test]
async fn a_version_conflict_does_not_tell_that_there_is_a_task() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let eve = app.employee("eve").await;
    let task = mia.creates_task("Count the chairs").await;
    for version in [1, 7] {
        let input = json!({ "taskId": task, "status": "COMPLETED", "expectedVersion": version });
        let answer = eve.asks(SET_TASK_STATUS, json!({ "input": input })).await;
        answer.refused_for(&["input.taskId NOT_FOUND"]);
    }
}

#[tokio::test]
async fn employees_see_themselves_and_whoever_was_let_in() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mia = app.manager("mia").await;
    let (eve, otto) = (app.employee("eve").await, app.employee("otto").await);
    let (pending, rejected) = (app.stranger("pending"), app.stranger("rejected"));
    pending.signs_up().await;
    rejected.signs_up().await;
    ada.rejects(rejected.id(), "").await;
    app.runs_all_jobs().await;
    let input = json!({ "userId": otto.id(), "active": false });
    ada.asks(UPDATE_USER, json!({ "input": input }))
        .await
        .succeeds();

    for (person, seen_by_eve) in [
        (&ada, true),
        (&mia, true),
        (&eve, true),
        (&otto, true),
        (&pending, false),
        (&rejected, false),
    ] {
        for (viewer, sees) in [(&eve, seen_by_eve), (&mia, true), (&ada, true)] {
            let who = format!("{} by {}", person.username, viewer.username);
            let answer = viewer
                .asks(USER, json!({ "id": person.id() }))
                .await
                .succeeds();
            assert_eq!(!answer.data("user").is_null(), sees, "{who}");
            assert_eq!(!node(viewer, person.id()).await.is_null(), sees, "{who}");
            let ids = json!({ "ids": [person.id()] });
            let answer = viewer.asks(NODES, ids).await.succeeds();
            assert_eq!(!answer.data("nodes.0").is_null(), sees, "{who}");
            if sees {
                let answer = viewer.asks(USER, json!({ "id": person.id() })).await;
                let email = answer.data("user.email");
                let is_theirs = viewer.username != "eve" || person.username == "eve";
                assert_eq!(!email.is_null(), is_theirs, "{who}");
            }
        }
    }
    eve.asks(USERS, json!({})).await.fails_with("FORBIDDEN");
}

#[tokio::test]
async fn approvals_are_there_for_admins_only() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    let answer = ada.asks(APPROVALS, json!({})).await.succeeds();
    let approval = answer.words("approvals.nodes.0.id");
    assert_eq!(node(&ada, &approval).await["__typename"], "Approval");
    for person in [&mia, &eve] {
        assert_eq!(node(person, &approval).await, Value::Null);
        let answer = person.asks(APPROVALS, json!({})).await;
        answer.fails_with("FORBIDDEN");
    }
}

#[tokio::test]
async fn sessions_are_there_for_their_owner_only() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let eve = app.employee("eve").await;
    let answer = eve.asks(SESSIONS, json!({})).await.succeeds();
    let session = answer.words("sessions.0.id");
    assert_eq!(node(&eve, &session).await["isCurrent"], true);
    assert_eq!(node(&ada, &session).await, Value::Null);
    eve.logs_out().await;
    eve.logs_in().await.succeeds();
    assert_eq!(node(&eve, &session).await, Value::Null);
}

#[tokio::test]
async fn two_viewers_at_once_never_see_each_others_fields() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let (eve, otto) = (app.employee("eve").await, app.employee("otto").await);
    let query = "query ($id: ID!) { user(id: $id) { email tasks { totalCount } viewerCanUpdate } }";
    let ask = async |person: &Person| -> Answer {
        person
            .sends(query, json!({ "id": otto.id() }))
            .await
            .succeeds()
    };
    let asked = (0..40).map(|turn| ask(if turn % 2 == 0 { &mia } else { &eve }));
    for (turn, answer) in join_all(asked).await.into_iter().enumerate() {
        let expected = if turn % 2 == 0 {
            json!({ "email": "otto@example.com", "tasks": { "totalCount": 0 }, "viewerCanUpdate": true })
        } else {
            json!({ "email": null, "tasks": null, "viewerCanUpdate": false })
        };
        assert_eq!(answer.data("user"), expected);
    }
}

#[tokio::test]
async fn people_who_were_just_logged_in_see_themselves_and_others_nothing() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let query = "mutation ($input: LogInInput!) {
        logIn(input: $input) { user { email tasks { totalCount } viewerCanUpdate } userErrors { code } }
    }";
    let input = json!({ "login": "eve", "password": eve.password });
    let answer = eve
        .on_another_device()
        .sends(query, json!({ "input": input }))
        .await;
    assert_eq!(
        answer.succeeds().data("logIn.user"),
        json!({ "email": "eve@example.com", "tasks": { "totalCount": 0 }, "viewerCanUpdate": false })
    );
}
