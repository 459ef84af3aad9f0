//! Missing, garbled, of another type, or somebody else's: an id that leads
//! nowhere gets one and the same answer.

use apollo_compiler::Schema;
use serde_json::{Value, json};

use crate::contract::sdl;
use crate::support::{NODES, Person, REVOKE_SESSION, SESSIONS, SET_TASK_STATUS, TestApp};

const NOWHERE: &[&str] = &[
    "",
    "garbled",
    "1",
    "user_00000000000000000000000000",
    "task_00000000000000000000000000",
    "session_00000000000000000000000000",
    "approval_00000000000000000000000000",
    "user_01h455vb4pex5vsknk084sn02q",
    "task_7zzzzzzzzzzzzzzzzzzzzzzzzz",
    "task_8zzzzzzzzzzzzzzzzzzzzzzzzz",
    "TASK_01H455VB4PEX5VSKNK084SN02Q",
    "task_01h455vb4pex5vsknk084sn02q ",
    "delivery_01h455vb4pex5vsknk084sn02q",
    "'; DROP TABLE users; --",
    "💥",
    "nul\0",
];

/// The mutations that take an id, with the name of its field, from the schema.
fn mutations_by_id(schema: &Schema) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (root, field) in sdl::root_fields(schema) {
        let Some(argument) = field.arguments.iter().find(|_| root == "Mutation") else {
            continue;
        };
        let input = argument.ty.inner_named_type();
        for field_of_input in schema.get_input_object(input).unwrap().fields.values() {
            if field_of_input.ty.inner_named_type() == "ID" {
                let names = (&field.name, input, &field_of_input.name);
                found.push((
                    names.0.to_string(),
                    names.1.to_string(),
                    names.2.to_string(),
                ));
            }
        }
    }
    found
}

/// What the mutations need besides the id.
fn rest(mutation: &str, task: &str, id_field: &str) -> Value {
    match (mutation, id_field) {
        ("setUserRole", _) => json!({ "role": "MANAGER" }),
        ("setTaskStatus", _) => json!({ "status": "COMPLETED" }),
        ("createTask", _) => json!({ "title": "Count the chairs" }),
        ("assignTask", "assigneeId") => json!({ "taskId": task }),
        ("assignTask", _) => json!({ "assigneeId": null }),
        ("updateTask", _) => json!({ "title": "New", "expectedVersion": 7 }),
        ("updateUser", _) => json!({ "firstName": "New" }),
        _ => json!({}),
    }
}

#[tokio::test]
async fn every_mutation_answers_not_found_to_every_id_that_leads_nowhere() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let task = ada.creates_task("Count the chairs").await;
    let mutations = mutations_by_id(&sdl::ours());
    assert!(mutations.len() >= 12, "{mutations:?}");
    for (mutation, input, id_field) in mutations {
        let query = format!(
            "mutation ($input: {input}!) {{ {mutation}(input: $input) {{ userErrors {{ field message code }} }} }}"
        );
        let mut texts: Vec<String> = Vec::new();
        for id in NOWHERE {
            let mut input = rest(&mutation, &task, &id_field);
            input[&id_field] = (*id).into();
            let answer = ada.sends(&query, json!({ "input": input })).await;
            texts.push(answer.text().to_owned());
            answer.refused_for(&[&format!("input.{id_field} NOT_FOUND")]);
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{mutation}: {texts:?}");
    }
}

#[tokio::test]
async fn every_query_answers_null_to_every_id_that_leads_nowhere() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let query = "query ($id: ID!) { task(id: $id) { id } user(id: $id) { id } node(id: $id) { id } nodes(ids: [$id]) { id } }";
    for id in NOWHERE {
        let answer = ada.sends(query, json!({ "id": id })).await;
        assert_eq!(
            answer.text(),
            r#"{"data":{"task":null,"user":null,"node":null,"nodes":[null]}}"#,
            "{id:?}"
        );
    }
}

#[tokio::test]
async fn an_id_of_another_type_leads_nowhere() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let task = ada.creates_task("Count the chairs").await;
    let query = "query ($user: ID!, $task: ID!) { task(id: $user) { id } user(id: $task) { id } }";
    let answer = ada
        .sends(query, json!({ "user": ada.id(), "task": task }))
        .await;
    assert_eq!(answer.text(), r#"{"data":{"task":null,"user":null}}"#);
}

/// The same text for what is somebody else's and for what is not there.
async fn same_as_missing(
    person: &Person,
    operation: crate::support::Operation,
    id_field: &str,
    foreign: &str,
) {
    let ask = async |id: &str| {
        let mut input = match id_field {
            "taskId" => json!({ "status": "COMPLETED" }),
            _ => json!({}),
        };
        input[id_field] = id.into();
        let answer = person.asks(operation, json!({ "input": input })).await;
        assert_eq!(answer.http_status(), 200);
        answer.text().to_owned()
    };
    let (prefix, _) = foreign.split_once('_').unwrap();
    let missing = format!("{prefix}_01h455vb4pex5vsknk084sn02q");
    let answer = ask(foreign).await;
    assert!(answer.contains("NOT_FOUND"), "{answer}");
    assert_eq!(answer, ask(&missing).await);
    assert_eq!(answer, ask("garbled").await);
}

#[tokio::test]
async fn what_is_somebody_elses_is_as_good_as_missing() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let (eve, otto) = (app.employee("eve").await, app.employee("otto").await);
    let task = mia.creates_task("Count the chairs").await;
    mia.assigns(&task, &otto).await;
    same_as_missing(&eve, SET_TASK_STATUS, "taskId", &task).await;
    let answer = otto.asks(SESSIONS, json!({})).await.succeeds();
    let session = answer.words("sessions.0.id");
    same_as_missing(&eve, REVOKE_SESSION, "sessionId", &session).await;
    same_as_missing(&mia, REVOKE_SESSION, "sessionId", &session).await;
    assert!(otto.is_signed_in().await);
}

#[tokio::test]
async fn a_hundred_nodes_can_be_asked_for_and_no_more() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let task = mia.creates_task("Count the chairs").await;
    let ids = |count: usize| json!({ "ids": vec!["garbled"; count] });
    let answer = mia.asks(NODES, ids(100)).await.succeeds();
    assert_eq!(answer.data("nodes"), json!(vec![Value::Null; 100]));
    mia.asks(NODES, ids(101)).await.fails_with("BAD_USER_INPUT");
    // In the order of the ids, twice where an id is there twice.
    let ids = json!({ "ids": [task, "garbled", mia.id(), task] });
    let answer = mia.asks(NODES, ids).await.succeeds();
    assert_eq!(answer.data("nodes.0.id"), task.as_str());
    assert_eq!(answer.data("nodes.1"), Value::Null);
    assert_eq!(answer.data("nodes.2.id"), mia.id());
    assert_eq!(answer.data("nodes.3.id"), task.as_str());
    let answer = mia.asks(NODES, json!({ "ids": [] })).await.succeeds();
    assert_eq!(answer.data("nodes"), json!([]));
}
