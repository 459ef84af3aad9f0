//! A cursor belongs to its list, filter and order; pages have 0 to 100 rows.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    ACCOUNT_EVENTS, APPROVALS, DELIVERIES, INVITATIONS, INVITE_USER, MY_TASKS, Operation, Person,
    TASKS, TestApp, USERS,
};

async fn fails(person: &Person, operation: Operation, variables: Value) {
    let answer = person.asks(operation, variables.clone()).await;
    let answer = answer.fails_with("BAD_USER_INPUT");
    assert_eq!(answer.errors().len(), 1, "{variables}");
    let message = answer.errors()[0]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with('.'), "no advice in {message}");
}

#[tokio::test]
async fn page_sizes_beyond_0_to_100_are_refused() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    for operation in [TASKS, USERS, MY_TASKS] {
        for sizes in [
            json!({ "first": 101 }),
            json!({ "last": 101 }),
            json!({ "first": -1 }),
            json!({ "last": -1 }),
            json!({ "first": i32::MIN }),
            json!({ "first": i32::MAX }),
            json!({ "first": 1, "last": 1 }),
            json!({ "first": 0, "last": 0 }),
        ] {
            fails(&ada, operation, sizes).await;
        }
        for sizes in [
            json!({ "first": 0 }),
            json!({ "last": 100 }),
            json!({ "first": null }),
        ] {
            ada.asks(operation, sizes).await.succeeds();
        }
    }
}

#[tokio::test]
async fn a_garbled_cursor_is_refused() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    mia.creates_task("Count").await;
    let answer = mia.asks(TASKS, json!({})).await.succeeds();
    let cursor = answer.words("tasks.pageInfo.endCursor");
    let mut changed = cursor.clone().into_bytes();
    changed[12] = if changed[12] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    for garbled in [
        "",
        "x",
        "💥",
        "null",
        &cursor[1..],
        &format!("{cursor}A"),
        &changed,
    ] {
        for argument in ["after", "before"] {
            fails(&mia, TASKS, json!({ argument: garbled })).await;
        }
    }
    mia.asks(TASKS, json!({ "after": cursor })).await.succeeds();
    mia.asks(TASKS, json!({ "after": null })).await.succeeds();
}

#[tokio::test]
async fn a_cursor_of_another_list_filter_or_order_is_refused() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let input = json!({ "title": "Count", "assigneeId": mia.id() });
    mia.creates_task_with(input).await;
    let pending = json!({ "status": ["PENDING"] });
    let by_title = json!({ "field": "TITLE", "direction": "ASC" });
    let lists = [
        (TASKS, json!({})),
        (TASKS, json!({ "filter": pending })),
        (TASKS, json!({ "filter": { "search": "count" } })),
        (TASKS, json!({ "filter": { "unassigned": false } })),
        (TASKS, json!({ "orderBy": by_title })),
        (
            TASKS,
            json!({ "orderBy": { "field": "CREATED_AT", "direction": "ASC" } }),
        ),
        (TASKS, json!({ "filter": pending, "orderBy": by_title })),
        (USERS, json!({})),
        (USERS, json!({ "filter": { "role": ["MANAGER"] } })),
    ];
    let mut cursors = Vec::new();
    for (operation, variables) in &lists {
        let answer = mia.asks(*operation, variables.clone()).await.succeeds();
        let cursor = answer.words(&format!("{}.pageInfo.endCursor", operation.name));
        cursors.push(cursor);
    }
    for (place, (operation, variables)) in lists.iter().enumerate() {
        for (other, cursor) in cursors.iter().enumerate() {
            let mut variables = variables.clone();
            variables["after"] = cursor.as_str().into();
            if place == other {
                mia.asks(*operation, variables).await.succeeds();
            } else {
                fails(&mia, *operation, variables).await;
            }
        }
    }
}

/// Overdue is measured by the clock, and the clock goes on between two pages.
#[tokio::test]
async fn a_cursor_stays_good_while_time_passes() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    for _ in 0..3 {
        let deadline = app.in_(chrono::TimeDelta::minutes(-1));
        mia.creates_task_with(json!({ "title": "Late", "deadline": deadline }))
            .await;
    }
    let overdue = json!({ "filter": { "overdue": true }, "first": 2 });
    let answer = mia.asks(TASKS, overdue.clone()).await.succeeds();
    app.clock.advance(chrono::TimeDelta::minutes(5));
    let mut next = overdue;
    next["after"] = answer.data("tasks.pageInfo.endCursor");
    let answer = mia.asks(TASKS, next).await.succeeds();
    assert_eq!(answer.each("tasks.nodes", "id").len(), 1);
}

#[tokio::test]
async fn an_empty_page_has_no_cursors() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let answer = mia.asks(TASKS, json!({})).await.succeeds();
    let empty = json!({
        "hasNextPage": false, "hasPreviousPage": false, "startCursor": null, "endCursor": null,
    });
    assert_eq!(answer.data("tasks.pageInfo"), empty);
    mia.creates_task("Count").await;
    let answer = mia.asks(TASKS, json!({ "first": 0 })).await.succeeds();
    assert_eq!(answer.data("tasks.pageInfo.hasNextPage"), true);
    assert_eq!(answer.data("tasks.pageInfo.endCursor"), Value::Null);
    assert_eq!(answer.data("tasks.totalCount"), 1);
}

/// A cursor of the same list and row, that says something else of where the row stands.
fn forged(cursor: &str, tag: u8, value: &[u8]) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
    // What the list is and which row it is, then the place, then what tells a garbled one.
    let mut bytes = bytes[..8 + 16].to_vec();
    bytes.push(tag);
    bytes.extend_from_slice(value);
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum[..4]);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn a_forged_cursor_is_refused_by_every_list_and_breaks_none() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    app.stranger("olga").signs_up().await;
    let input = json!({ "input": { "email": "eve@example.com", "role": "EMPLOYEE" } });
    ada.asks(INVITE_USER, input).await.succeeds();
    ada.creates_task("Count").await;
    let by = |field: &str| json!({ "orderBy": { "field": field, "direction": "ASC" } });
    let at = |text: &str| {
        let instant: chrono::DateTime<chrono::Utc> = text.parse().unwrap();
        instant.timestamp_millis().to_be_bytes().to_vec()
    };
    let keys = [
        (b'i', at("2026-01-05T08:00:00Z")),
        (b'i', at("0001-01-01T00:00:00Z")),
        (b'i', at("9999-12-31T23:59:59.999Z")),
        (b'm', vec![]),
        (b't', b"count".to_vec()),
        (b'i', at("0000-12-31T23:59:59.999Z")),
        (b'i', at("+10000-01-01T00:00:00Z")),
        (b'i', i64::MIN.to_be_bytes().to_vec()),
        (b'i', i64::MAX.to_be_bytes().to_vec()),
        (b'i', vec![]),
        (b'i', vec![0; 9]),
        (b'm', vec![0]),
        (b't', b"count\0".to_vec()),
        (b't', vec![0xff]),
        (b'x', vec![]),
    ];
    let (instants, or_none, texts) = (&[0, 1, 2][..], &[0, 1, 2, 3][..], &[4][..]);
    for (operation, list, variables, good) in [
        (TASKS, "tasks", json!({}), instants),
        (TASKS, "tasks", by("UPDATED_AT"), instants),
        (TASKS, "tasks", by("DEADLINE"), or_none),
        (TASKS, "tasks", by("TITLE"), texts),
        (USERS, "users", json!({}), instants),
        (USERS, "users", by("USERNAME"), texts),
        (APPROVALS, "approvals", json!({}), instants),
        (INVITATIONS, "invitations", json!({}), instants),
        (ACCOUNT_EVENTS, "accountEvents", json!({}), instants),
        (DELIVERIES, "deliveries", json!({}), instants),
    ] {
        let answer = ada.asks(operation, variables.clone()).await.succeeds();
        let cursor = answer.words(&format!("{list}.pageInfo.endCursor"));
        for (place, (tag, value)) in keys.iter().enumerate() {
            let mut variables = variables.clone();
            variables["after"] = forged(&cursor, *tag, value).into();
            if good.contains(&place) {
                ada.asks(operation, variables).await.succeeds();
            } else {
                fails(&ada, operation, variables).await;
            }
        }
    }
    app.runs_all_jobs().await;
}
