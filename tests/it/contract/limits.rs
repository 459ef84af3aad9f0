//! What an operation costs, in SQL statements: no more for many rows than for
//! few. The table of all of them is a snapshot, so a change of cost is seen.

use std::fmt::Write as _;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    APPROVALS, ASSIGN_TASK, CREATE_TASK, DASHBOARD, LOG_IN, NODES, Person, SESSIONS,
    SET_TASK_STATUS, STATS, TASK, TASKS, TestApp, UPDATE_TASK, USER, USERS, VIEWER,
};

const PEOPLE: usize = 22;

/// People who all have tasks, and sign-ups that were all decided on.
async fn busy_house(app: &TestApp) -> (Person, Vec<Person>, Vec<String>) {
    let ada = app.admin("ada").await;
    let mia = app.manager("mia").await;
    let (mut people, mut tasks) = (Vec::new(), Vec::new());
    for number in 0..PEOPLE {
        let person = app.stranger(&format!("person-{number}"));
        let id = person.signs_up().await;
        ada.approves(&id).await;
        for creator in [&ada, &mia] {
            let input = json!({ "title": "Count the chairs", "assigneeId": id });
            tasks.push(creator.creates_task_with(input).await);
        }
        people.push(person);
    }
    app.runs_all_jobs().await;
    (ada, people, tasks)
}

/// How many statements this takes.
async fn cost(app: &TestApp, person: &Person, query: &str, variables: Value) -> u64 {
    let before = app.statements();
    let answer = person.sends(query, variables).await;
    assert_eq!(answer.errors(), [] as [Value; 0], "{}", answer.text());
    app.statements() - before
}

#[tokio::test]
async fn a_page_of_twenty_costs_no_more_than_a_page_of_two() {
    let app = TestApp::start().await;
    let (ada, _, tasks) = busy_house(&app).await;
    let people = "{ id username email tasks(first: 3) { totalCount nodes { title assignee { username } createdBy { username } } } }";
    for (name, list) in [
        ("users", format!("users(first: $size) {{ nodes {people} }}")),
        (
            "users with their second factors",
            "users(first: $size) { nodes { username secondFactor { enabled recoveryCodesLeft } } }"
                .to_owned(),
        ),
        (
            "users by edges",
            format!("users(first: $size) {{ totalCount edges {{ node {people} }} }}"),
        ),
        (
            "tasks",
            "tasks(first: $size) { nodes { title assignee { username email } createdBy { username } } }"
                .to_owned(),
        ),
        (
            "tasks of assignees",
            "tasks(first: $size) { nodes { assignee { tasks(first: 2) { nodes { createdBy { username } } } } } }"
                .to_owned(),
        ),
        (
            "approvals",
            "approvals(first: $size) { nodes { user { username tasks(first: 2) { totalCount } } decidedBy { username } } }"
                .to_owned(),
        ),
    ] {
        let query = format!("query ($size: Int!) {{ {list} }}");
        let few = cost(&app, &ada, &query, json!({ "size": 2 })).await;
        let many = cost(&app, &ada, &query, json!({ "size": 20 })).await;
        assert!(many <= few, "{name}: {few} statements for 2, {many} for 20");
        assert!(many <= 8, "{name}: {many} statements");
    }

    let nodes = |count: usize| json!({ "ids": tasks[..count] });
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Task { assignee { username } createdBy { username } } } }";
    let few = cost(&app, &ada, query, nodes(2)).await;
    let many = cost(&app, &ada, query, nodes(20)).await;
    assert!(many <= few, "nodes: {few} statements for 2, {many} for 20");
}

/// What the worker does while nobody else can write.
#[tokio::test]
async fn planning_the_mails_of_twenty_costs_no_more_than_those_of_two() {
    let app = TestApp::start().await;
    let (ada, people, _) = busy_house(&app).await;
    let mut costs = Vec::new();
    for count in [2, 20] {
        // Those of the last time were told a while ago.
        app.lets_pass(TimeDelta::minutes(20)).await;
        ada.logs_in().await.succeeds();
        for person in &people[..count] {
            for title in ["Count the chairs", "Mend the chairs"] {
                let input = json!({ "title": title, "assigneeId": person.id() });
                ada.creates_task_with(input).await;
            }
        }
        let (mails, before) = (app.mails().len(), app.statements());
        app.plans().await;
        costs.push(app.statements() - before);
        app.runs_all_jobs().await;
        assert_eq!(app.mails().len(), mails + count);
    }
    assert_eq!(costs[0], costs[1]);
}

#[tokio::test]
async fn a_total_is_counted_only_when_it_is_asked_for() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let eve = app.employee("eve").await;
    let mine = json!({ "title": "Count the chairs", "assigneeId": eve.id() });
    ada.creates_task_with(mine).await;
    for list in ["users", "tasks", "approvals"] {
        let page = format!("{{ {list} {{ nodes {{ id }} }} }}");
        let total = format!("{{ {list} {{ nodes {{ id }} totalCount }} }}");
        let without = cost(&app, &ada, &page, json!({})).await;
        // Counted the first time, and then only asked whether anything has changed.
        let first = cost(&app, &ada, &total, json!({})).await;
        let again = cost(&app, &ada, &total, json!({})).await;
        assert!(first <= without + 2, "{list}");
        assert_eq!(again, without + 1, "{list}");
    }
    let page = "{ viewer { tasks { nodes { id } } } }";
    let total = "{ viewer { tasks { nodes { id } totalCount } } }";
    let without = cost(&app, &eve, page, json!({})).await;
    let with = cost(&app, &eve, total, json!({})).await;
    assert_eq!(with, without + 1);
}

#[tokio::test]
async fn the_cost_of_every_common_operation_is_known() {
    let app = TestApp::start().await;
    let (ada, people, tasks) = busy_house(&app).await;
    let mut table = format!("{:<20} statements\n", "operation");
    let mut names = Vec::new();
    for (operation, variables) in [
        (VIEWER, json!({})),
        (
            LOG_IN,
            json!({ "input": { "login": ada.username, "password": ada.password } }),
        ),
        (DASHBOARD, json!({})),
        (SESSIONS, json!({})),
        (USER, json!({ "id": people[0].id() })),
        (USERS, json!({})),
        (APPROVALS, json!({})),
        (TASK, json!({ "id": tasks[0] })),
        (TASKS, json!({})),
        (TASKS, json!({ "filter": { "search": "chairs" } })),
        (NODES, json!({ "ids": tasks[..20] })),
        (STATS, json!({})),
        (STATS, json!({})),
        (
            CREATE_TASK,
            json!({ "input": { "title": "Fetch more chairs" } }),
        ),
        (
            UPDATE_TASK,
            json!({ "input": { "taskId": tasks[0], "deadline": app.in_(TimeDelta::days(1)) } }),
        ),
        (
            ASSIGN_TASK,
            json!({ "input": { "taskId": tasks[0], "assigneeId": people[1].id() } }),
        ),
        (
            SET_TASK_STATUS,
            json!({ "input": { "taskId": tasks[0], "status": "COMPLETED" } }),
        ),
    ] {
        let is_search = variables["filter"]["search"].is_string();
        let name = if is_search {
            "tasks by search".to_owned()
        } else if names.contains(&operation.name) {
            format!("{} again", operation.name)
        } else {
            operation.name.to_owned()
        };
        names.push(operation.name);
        let statements = cost(&app, &ada, operation.text, variables).await;
        writeln!(table, "{name:<20} {statements:>10}").unwrap();
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("statements", table));
}
