//! Attacks by operations that ask for more than they seem to: lists inside lists,
//! of which some have no pages, and texts as long as they may be.

use serde_json::json;

use crate::support::{CREATE_API_TOKEN, Person, TestApp};

/// All that a task tells of itself.
const TASK: &str = "id title description status deadline isOverdue createdAt updatedAt completedAt \
    version viewerCanUpdate viewerCanAssign viewerCanSetStatus viewerCanDelete \
    assignee { id username email role status } createdBy { id username email role status }";

/// A page of a hundred tasks of somebody, told twice.
fn many_tasks() -> String {
    format!("tasks(first: 100) {{ nodes {{ {TASK} }} edges {{ cursor node {{ {TASK} }} }} }}")
}

async fn is_refused(person: &Person, query: &str) {
    let answer = person.sends(query, json!({})).await;
    let answer = answer.fails_with("QUERY_TOO_COMPLEX");
    let message = answer.errors()[0]["message"].clone();
    let message = message.as_str().unwrap();
    assert!(message.starts_with("The operation costs "), "{message}");
}

async fn is_answered(person: &Person, query: &str) {
    person.sends(query, json!({})).await.succeeds();
}

#[tokio::test]
async fn a_list_without_pages_multiplies_what_hangs_on_it() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.admin("ada").await, app.employee("eve").await);
    let input = json!({ "name": "script", "access": "READ", "currentPassword": eve.password });
    let answer = eve.asks(CREATE_API_TOKEN, json!({ "input": input })).await;
    let script = eve.with_access_token(&answer.words("createApiToken.token"));
    let tasks = many_tasks();
    // Once, that is well within what an employee may ask for.
    is_answered(&eve, &format!("{{ viewer {{ {tasks} }} }}")).await;
    for query in [
        "{ reminderPreview { groups { tasks { assignee { HERE } } } } }",
        "{ reminderPreview { groups { ... { ...G } } } } fragment G on ReminderGroup { tasks { ...T } } fragment T on Task { createdBy { HERE } }",
        "{ apiTokens { user { HERE } } }",
    ] {
        let query = query.replace("HERE", &tasks);
        is_refused(&eve, &query).await;
        is_refused(&script, &query).await;
    }
    for list in [
        "{ pausedMails { pausedBy { HERE } } }",
        "mutation { pauseMails(input: { kinds: [WELCOME] }) { pausedMails { pausedBy { HERE } } } }",
    ] {
        is_refused(&ada, &list.replace("HERE", &tasks)).await;
        is_answered(&ada, &list.replace("HERE", "username")).await;
    }
    for list in [
        "{ reminderPreview { totalCount groups { kind tasks { title assignee { displayName } } } } }",
        "{ apiTokens { name user { tasks(first: 5) { nodes { id title } } } } }",
        "{ sessions { id userAgent createdAt } }",
    ] {
        is_answered(&eve, list).await;
        is_answered(&script, list).await;
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn what_is_refused_as_too_dear_has_not_begun() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let query = format!(
        "mutation {{ pauseMails(input: {{ kinds: [WELCOME] }}) {{ pausedMails {{ pausedBy {{ {} }} }} }} }}",
        many_tasks()
    );
    is_refused(&ada, &query).await;
    let answer = ada
        .sends("{ pausedMails { kind } }", json!({}))
        .await
        .succeeds();
    assert_eq!(answer.data("pausedMails"), json!([]));
}

/// Of fields there are few enough, and of what is in them far too much.
#[tokio::test]
async fn long_texts_add_up_to_a_few_megabytes_and_no_more() {
    const TASKS: usize = 20;
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let long = "\u{1f9ed}".repeat(10_000);
    for _ in 0..TASKS {
        let input = json!({ "title": "Count", "description": long, "assigneeId": mia.id() });
        mia.creates_task_with(input).await;
    }
    let page = "tasks(first: 20) { nodes { title description HERE } }";
    let once = page.replace("HERE", "");
    let query = format!("{{ viewer {{ {once} }} }}");
    let answer = mia.sends(&query, json!({})).await.succeeds();
    assert_eq!(
        answer.each("viewer.tasks.nodes", "description"),
        [long.as_str(); TASKS]
    );
    let again = page.replace("HERE", &format!("assignee {{ {once} }}"));
    let query = format!("{{ viewer {{ {again} }} }}");
    let answer = mia.sends(&query, json!({})).await;
    let answer = answer.fails_with("QUERY_TOO_COMPLEX");
    // Each text that is left out is told as such.
    let (asked_for, fit) = (TASKS * (TASKS + 1), 8 * 1024 * 1024 / long.len());
    assert_eq!(answer.errors().len(), asked_for - fit);
    assert_eq!(answer.text().matches(&long).count(), fit);
    assert_eq!(answer.each("viewer.tasks.nodes", "title"), ["Count"; TASKS]);
    app.runs_all_jobs().await;
}
