//! Filters of lists: joined by AND, null as good as absent, an empty list
//! matching nothing.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{MY_TASKS, Person, TASKS, TestApp, USERS};

/// The titles that match, oldest first; the total must agree.
async fn titles(person: &Person, filter: Value) -> Vec<String> {
    let order = json!({ "field": "CREATED_AT", "direction": "ASC" });
    let variables = json!({ "filter": filter, "orderBy": order });
    let answer = person.asks(TASKS, variables).await.succeeds();
    let titles = answer.each("tasks.nodes", "title");
    assert_eq!(answer.data("tasks.totalCount"), titles.len());
    titles
}

struct Tasks {
    app: TestApp,
    mia: Person,
    eve: Person,
}

/// Four tasks: late (Eve's), soon (Eve's, in progress), done (nobody's, its deadline passed) and
/// free (nobody's, without a deadline).
async fn four_tasks() -> Tasks {
    let app = TestApp::start().await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    for (title, deadline, assignee, status) in [
        ("late", Some(-1), Some(eve.id()), "PENDING"),
        ("soon", Some(1), Some(eve.id()), "IN_PROGRESS"),
        ("done", Some(-1), None, "COMPLETED"),
        ("free", None, None, "PENDING"),
    ] {
        let deadline = deadline.map(|hours| app.in_(TimeDelta::hours(hours)));
        let input = json!({ "title": title, "deadline": deadline, "assigneeId": assignee });
        let task = mia.creates_task_with(input).await;
        mia.sets_status(&task, status).await;
    }
    Tasks { app, mia, eve }
}

#[tokio::test]
async fn each_filter_matches_what_it_says() {
    let Tasks { app, mia, eve } = &four_tasks().await;
    let all = ["late", "soon", "done", "free"];
    let (past, now, next) = (
        app.in_(TimeDelta::hours(-1)),
        app.in_(TimeDelta::zero()),
        app.in_(TimeDelta::hours(1)),
    );
    for (filter, expected) in [
        (json!(null), &all[..]),
        (json!({}), &all),
        (json!({ "status": ["PENDING"] }), &["late", "free"]),
        (
            json!({ "status": ["COMPLETED", "IN_PROGRESS"] }),
            &["soon", "done"],
        ),
        (json!({ "status": [] }), &[]),
        (json!({ "status": null }), &all),
        (json!({ "assigneeId": eve.id() }), &["late", "soon"]),
        (json!({ "assigneeId": mia.id() }), &[]),
        (
            json!({ "assigneeId": "user_00000000000000000000000000" }),
            &[],
        ),
        (json!({ "assigneeId": "garbled" }), &[]),
        (json!({ "assigneeId": null }), &all),
        (json!({ "unassigned": true }), &["done", "free"]),
        (json!({ "unassigned": false }), &["late", "soon"]),
        (json!({ "unassigned": null }), &all),
        (json!({ "overdue": true }), &["late"]),
        (json!({ "overdue": false }), &["soon", "done", "free"]),
        (json!({ "deadlineFrom": now }), &["soon"]),
        (json!({ "deadlineTo": now }), &["late", "done"]),
        (
            json!({ "deadlineFrom": past, "deadlineTo": past }),
            &["late", "done"],
        ),
        (
            json!({ "deadlineFrom": next, "deadlineTo": next }),
            &["soon"],
        ),
        (json!({ "deadlineFrom": next, "deadlineTo": past }), &[]),
        (json!({ "search": "la" }), &["late"]),
        (json!({ "search": null }), &all),
        (json!({ "search": "  " }), &all),
    ] {
        assert_eq!(titles(mia, filter.clone()).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn filters_are_joined_by_and() {
    let Tasks {
        app: _app,
        mia,
        eve,
    } = &four_tasks().await;
    for (filter, expected) in [
        (
            json!({ "status": ["PENDING"], "unassigned": true }),
            &["free"][..],
        ),
        (
            json!({ "status": ["PENDING"], "overdue": true, "assigneeId": eve.id() }),
            &["late"],
        ),
        (json!({ "assigneeId": eve.id(), "unassigned": true }), &[]),
        (json!({ "search": "soon", "status": ["PENDING"] }), &[]),
        (
            json!({ "search": "soon", "status": ["IN_PROGRESS"], "overdue": false }),
            &["soon"],
        ),
        (json!({ "status": [], "search": "late" }), &[]),
    ] {
        assert_eq!(titles(mia, filter.clone()).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn instants_are_compared_whatever_their_offset() {
    let Tasks { app: _app, mia, .. } = &four_tasks().await;
    // Soon is at 10:00 UTC.
    for (from, expected) in [
        ("2026-01-05T16:00:00+06:00", &["soon"][..]),
        ("2026-01-05T16:00:00.001+06:00", &[]),
        ("2026-01-05T10:00:00.0009Z", &["soon"]),
    ] {
        assert_eq!(
            titles(mia, json!({ "deadlineFrom": from })).await,
            expected,
            "{from}"
        );
    }
}

#[tokio::test]
async fn my_tasks_can_be_filtered_and_ordered_like_all() {
    let Tasks {
        app: _app,
        eve,
        mia,
        ..
    } = &four_tasks().await;
    let mine = async |variables: Value| {
        let answer = eve.asks(MY_TASKS, variables).await.succeeds();
        let titles = answer.each("viewer.tasks.nodes", "title");
        assert_eq!(answer.data("viewer.tasks.totalCount"), titles.len());
        titles
    };
    assert_eq!(mine(json!({})).await, ["soon", "late"]);
    let by_deadline = json!({ "orderBy": { "field": "DEADLINE", "direction": "ASC" } });
    assert_eq!(mine(by_deadline).await, ["late", "soon"]);
    assert_eq!(
        mine(json!({ "filter": { "overdue": true } })).await,
        ["late"]
    );
    // Somebody else's tasks are not among one's own.
    let filter = json!({ "filter": { "assigneeId": mia.id() } });
    assert_eq!(mine(filter).await, [""; 0]);
    assert_eq!(
        mine(json!({ "filter": { "unassigned": true } })).await,
        [""; 0]
    );
}

#[tokio::test]
async fn users_are_found_by_role_status_and_words() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    app.manager("mia").await;
    app.employee("eve").await;
    app.stranger("nico").signs_up().await;
    app.runs_all_jobs().await;
    for (filter, expected) in [
        (json!(null), &["ada", "eve", "mia", "nico"][..]),
        (json!({ "role": ["EMPLOYEE"] }), &["eve", "nico"]),
        (json!({ "role": ["ADMIN", "MANAGER"] }), &["ada", "mia"]),
        (json!({ "role": [] }), &[]),
        (json!({ "status": ["PENDING"] }), &["nico"]),
        (json!({ "status": [] }), &[]),
        (
            json!({ "role": ["EMPLOYEE"], "status": ["ACTIVE"] }),
            &["eve"],
        ),
        (json!({ "role": ["ADMIN"], "status": ["PENDING"] }), &[]),
        (json!({ "search": "mi" }), &["mia"]),
        (
            json!({ "search": "example.com", "role": ["MANAGER"] }),
            &["mia"],
        ),
    ] {
        let order = json!({ "field": "USERNAME", "direction": "ASC" });
        let variables = json!({ "filter": filter, "orderBy": order });
        let answer = ada.asks(USERS, variables).await.succeeds();
        assert_eq!(answer.each("users.nodes", "username"), expected, "{filter}");
        assert_eq!(answer.data("users.totalCount"), expected.len());
    }
}
