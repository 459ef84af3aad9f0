//! Lists that stay right: a walk from page to page sees every row once, in every
//! order and both directions, also while rows are added.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{APPROVALS, Operation, Person, TASKS, TestApp, USERS};

/// Where a walk begins, and where it goes.
#[derive(Clone, Copy)]
enum Direction {
    Forwards,
    Backwards,
}

/// The ids of a list, from page to page, in the order of the list.
async fn walk(
    person: &Person,
    operation: Operation,
    variables: &Value,
    size: usize,
    direction: Direction,
) -> Vec<String> {
    let list = operation.name;
    let mut ids: Vec<String> = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let mut variables = variables.clone();
        let (count, from) = match direction {
            Direction::Forwards => ("first", "after"),
            Direction::Backwards => ("last", "before"),
        };
        variables[count] = size.into();
        variables[from] = cursor.clone();
        let answer = person.asks(operation, variables).await.succeeds();
        let page = answer.each(&format!("{list}.nodes"), "id");
        assert!(page.len() <= size);
        let edges = answer.data(&format!("{list}.edges"));
        for (edge, id) in edges.as_array().unwrap().iter().zip(&page) {
            assert_eq!(edge["node"]["id"], id.as_str());
        }
        let info = answer.data(&format!("{list}.pageInfo"));
        let (more, less, next) = match direction {
            Direction::Forwards => ("hasNextPage", "hasPreviousPage", "endCursor"),
            Direction::Backwards => ("hasPreviousPage", "hasNextPage", "startCursor"),
        };
        assert_eq!(info[less], !cursor.is_null(), "{info}");
        ids = match direction {
            Direction::Forwards => [ids, page].concat(),
            Direction::Backwards => [page, ids].concat(),
        };
        if info[more] == false {
            return ids;
        }
        cursor = info[next].clone();
        assert!(cursor.is_string());
    }
}

/// Tasks of which many share an instant, a title or a deadline, and some have none.
async fn many_tasks(app: &TestApp, mia: &Person) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..17_i32 {
        if number % 3 == 0 {
            app.clock.advance(TimeDelta::milliseconds(7));
        }
        let title =
            ["ähre", "Zebra", "apple", "Ähre", "apple"][usize::try_from(number % 5).unwrap()];
        let deadline = match number % 4 {
            0 => Value::Null,
            days => app.in_(TimeDelta::days(i64::from(days) - 2)).into(),
        };
        let input = json!({ "title": title, "deadline": deadline });
        ids.push(mia.creates_task_with(input).await);
    }
    for id in ids.iter().step_by(4) {
        app.clock.advance(TimeDelta::milliseconds(1));
        mia.sets_status(id, "IN_PROGRESS").await;
    }
    ids
}

#[tokio::test]
async fn every_order_of_tasks_can_be_walked_in_both_directions() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let mut all = many_tasks(&app, &mia).await;
    all.sort();
    for field in ["CREATED_AT", "UPDATED_AT", "DEADLINE", "TITLE"] {
        for direction in ["ASC", "DESC"] {
            let order = json!({ "orderBy": { "field": field, "direction": direction } });
            let whole = walk(&mia, TASKS, &order, 100, Direction::Forwards).await;
            let mut sorted = whole.clone();
            sorted.sort();
            assert_eq!(sorted, all, "{field} {direction}");
            for size in [1, 2, 5, 16, 17, 18] {
                let forwards = walk(&mia, TASKS, &order, size, Direction::Forwards).await;
                assert_eq!(forwards, whole, "{field} {direction} by {size}");
                let backwards = walk(&mia, TASKS, &order, size, Direction::Backwards).await;
                assert_eq!(backwards, whole, "{field} {direction} back by {size}");
            }
        }
    }
}

#[tokio::test]
async fn tasks_are_in_the_order_that_was_asked_for() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    many_tasks(&app, &mia).await;
    let sorted = async |field: &str, direction: &str, key: &str| {
        let order = json!({ "orderBy": { "field": field, "direction": direction }, "first": 100 });
        let answer = mia.asks(TASKS, order).await.succeeds();
        answer.each("tasks.nodes", key)
    };
    // Newest first when nothing is asked for; ids grow with time.
    let answer = mia.asks(TASKS, json!({})).await.succeeds();
    let newest = answer.each("tasks.nodes", "id");
    assert!(newest.is_sorted_by(|a, b| a > b));
    assert_eq!(newest, sorted("CREATED_AT", "DESC", "id").await);

    let titles = sorted("TITLE", "ASC", "title").await;
    let keys: Vec<String> = titles.iter().map(|title| title.to_lowercase()).collect();
    assert!(keys.is_sorted(), "{titles:?}");

    // Tasks without a deadline come last in either direction.
    for (direction, is_sorted) in [
        ("ASC", <[String]>::is_sorted as fn(&[String]) -> bool),
        ("DESC", |d| d.is_sorted_by(|a, b| a >= b)),
    ] {
        let deadlines = sorted("DEADLINE", direction, "deadline").await;
        let (with, without) = deadlines.split_at(12);
        assert!(is_sorted(with), "{with:?}");
        assert!(
            without.iter().all(|deadline| deadline == "null"),
            "{without:?}"
        );
    }
    // Ties are broken by id, in the same direction.
    let up = sorted("DEADLINE", "ASC", "id").await;
    let down = sorted("DEADLINE", "DESC", "id").await;
    assert!(up[12..].is_sorted());
    assert!(down[12..].is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn rows_that_are_added_while_somebody_pages_shift_nothing() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let before = many_tasks(&app, &mia).await;
    let mut seen = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let page = json!({ "first": 4, "after": cursor });
        let answer = mia.asks(TASKS, page).await.succeeds();
        seen.extend(answer.each("tasks.nodes", "id"));
        app.clock.advance(TimeDelta::milliseconds(1));
        mia.creates_task("One more").await;
        if answer.data("tasks.pageInfo.hasNextPage") == false {
            break;
        }
        cursor = answer.data("tasks.pageInfo.endCursor");
    }
    let mut expected = before;
    expected.reverse();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_row_of_a_cursor_may_be_gone() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let all = many_tasks(&app, &mia).await;
    let answer = mia.asks(TASKS, json!({ "first": 5 })).await.succeeds();
    let last = answer.words("tasks.nodes.4.id");
    let query = "mutation ($id: ID!) { deleteTask(input: { taskId: $id }) { deletedTaskId userErrors { code } } }";
    mia.sends(query, json!({ "id": last })).await.succeeds();
    let cursor = answer.data("tasks.pageInfo.endCursor");
    let next = mia
        .asks(TASKS, json!({ "first": 1, "after": cursor }))
        .await
        .succeeds();
    assert_eq!(next.words("tasks.nodes.0.id"), all[all.len() - 6]);
}

#[tokio::test]
async fn users_and_approvals_can_be_walked_too() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    for name in ["Olga", "nico", "pia", "Otto", "quinn", "Nora"] {
        app.stranger(name).signs_up().await;
    }
    app.runs_all_jobs().await;
    for field in ["CREATED_AT", "USERNAME"] {
        for direction in ["ASC", "DESC"] {
            let order = json!({ "orderBy": { "field": field, "direction": direction } });
            let whole = walk(&ada, USERS, &order, 100, Direction::Forwards).await;
            assert_eq!(whole.len(), 7);
            for size in [1, 2, 3] {
                let forwards = walk(&ada, USERS, &order, size, Direction::Forwards).await;
                let backwards = walk(&ada, USERS, &order, size, Direction::Backwards).await;
                assert_eq!(
                    (&forwards, &backwards),
                    (&whole, &whole),
                    "{field} {direction}"
                );
            }
        }
    }
    let order = json!({ "orderBy": { "field": "USERNAME", "direction": "ASC" } });
    let answer = ada.asks(USERS, order).await.succeeds();
    assert_eq!(
        answer.each("users.nodes", "username"),
        ["ada", "nico", "Nora", "Olga", "Otto", "pia", "quinn"]
    );
    let pending = json!({ "decision": ["PENDING"] });
    let whole = walk(&ada, APPROVALS, &pending, 100, Direction::Forwards).await;
    assert_eq!(whole.len(), 6);
    for size in [1, 4] {
        let forwards = walk(&ada, APPROVALS, &pending, size, Direction::Forwards).await;
        let backwards = walk(&ada, APPROVALS, &pending, size, Direction::Backwards).await;
        assert_eq!((&forwards, &backwards), (&whole, &whole));
    }
}

#[tokio::test]
async fn a_page_between_two_cursors_holds_what_is_between_them() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    many_tasks(&app, &mia).await;
    let answer = mia.asks(TASKS, json!({})).await.succeeds();
    let cursors = answer.each("tasks.edges", "cursor");
    let ids = answer.each("tasks.nodes", "id");
    let between = json!({ "after": cursors[3], "before": cursors[8] });
    let page = mia.asks(TASKS, between).await.succeeds();
    assert_eq!(page.each("tasks.nodes", "id"), ids[4..8]);
    let between = json!({ "after": cursors[3], "before": cursors[8], "last": 2 });
    let page = mia.asks(TASKS, between).await.succeeds();
    assert_eq!(page.each("tasks.nodes", "id"), ids[6..8]);
    let crossed = json!({ "after": cursors[8], "before": cursors[3] });
    let page = mia.asks(TASKS, crossed).await.succeeds();
    assert_eq!(page.each("tasks.nodes", "id"), [""; 0]);
}

#[tokio::test]
async fn a_page_has_twenty_rows_when_nothing_else_is_said() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    for _ in 0..21 {
        mia.creates_task("Count").await;
    }
    let answer = mia.asks(TASKS, json!({})).await.succeeds();
    assert_eq!(answer.each("tasks.nodes", "id").len(), 20);
    assert_eq!(answer.data("tasks.totalCount"), 21);
    assert_eq!(answer.data("tasks.pageInfo.hasNextPage"), true);
}
