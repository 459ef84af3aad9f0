//! Full-text search: every word from its beginning, without regard to case and
//! accents, and never read as a query language.

use serde_json::json;

use crate::support::{Person, TASKS, TestApp, UPDATE_PROFILE, UPDATE_TASK, USERS};

async fn found(person: &Person, words: &str) -> Vec<String> {
    let order = json!({ "field": "TITLE", "direction": "ASC" });
    let variables = json!({ "filter": { "search": words }, "orderBy": order });
    let answer = person.asks(TASKS, variables).await.succeeds();
    let titles = answer.each("tasks.nodes", "title");
    assert_eq!(answer.data("tasks.totalCount"), titles.len());
    titles
}

#[tokio::test]
async fn words_are_found_from_their_beginning_in_title_and_description() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    for (title, description) in [
        ("Quarterly report", "Figures of the north"),
        ("Report a bug", ""),
        ("Écrire à Zoë", "Café, façade, naïve"),
        ("Straße fegen", "日本語のメモ"),
    ] {
        mia.creates_task_with(json!({ "title": title, "description": description }))
            .await;
    }
    for (words, expected) in [
        ("report", &["Quarterly report", "Report a bug"][..]),
        ("REP", &["Quarterly report", "Report a bug"]),
        ("rep quar", &["Quarterly report"]),
        ("figures report", &["Quarterly report"]),
        ("port", &[]),
        ("report missing", &[]),
        ("ecrire", &["Écrire à Zoë"]),
        ("zoe", &["Écrire à Zoë"]),
        ("ZOË", &["Écrire à Zoë"]),
        ("facade cafe", &["Écrire à Zoë"]),
        ("Straß", &["Straße fegen"]),
        ("日本", &["Straße fegen"]),
    ] {
        assert_eq!(found(&mia, words).await, expected, "{words}");
    }
}

#[tokio::test]
async fn odd_characters_are_only_text() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    for title in [
        "C++ and \"quotes\"",
        "50% off; DROP TABLE tasks",
        "AND OR NOT",
        "x-y_z",
    ] {
        mia.creates_task(title).await;
    }
    for (words, expected) in [
        ("\"quotes\"", &["C++ and \"quotes\""][..]),
        ("c++", &["C++ and \"quotes\""]),
        ("NOT", &["AND OR NOT"]),
        ("and OR not", &["AND OR NOT"]),
        ("50%", &["50% off; DROP TABLE tasks"]),
        ("drop;", &["50% off; DROP TABLE tasks"]),
        ("x-y_z", &["x-y_z"]),
        ("title:and", &[]),
        ("NEAR(a b)", &[]),
        ("^and", &["AND OR NOT", "C++ and \"quotes\""]),
        ("*", &[]),
        ("\"", &[]),
        ("'); --", &[]),
        ("🦑", &[]),
        ("nul\0", &[]),
    ] {
        assert_eq!(found(&mia, words).await, expected, "{words:?}");
    }
}

#[tokio::test]
async fn what_was_changed_is_found_by_its_new_words_only() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let task = mia.creates_task("Paint the fence").await;
    let input = json!({ "taskId": task, "title": "Mend the gate" });
    mia.asks(UPDATE_TASK, json!({ "input": input }))
        .await
        .succeeds();
    assert_eq!(found(&mia, "paint").await, [""; 0]);
    assert_eq!(found(&mia, "gate").await, ["Mend the gate"]);
    let query =
        "mutation ($id: ID!) { deleteTask(input: { taskId: $id }) { userErrors { code } } }";
    mia.sends(query, json!({ "id": task })).await.succeeds();
    assert_eq!(found(&mia, "gate").await, [""; 0]);
}

#[tokio::test]
async fn people_are_found_by_name_and_address() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (zoe, tom) = (app.employee("zoe.b").await, app.employee("tomas").await);
    for (person, first, last) in [(&zoe, "Zoë", "Brontë"), (&tom, "Tomás", "Silva")] {
        let input = json!({ "firstName": first, "lastName": last });
        let answer = person.asks(UPDATE_PROFILE, json!({ "input": input })).await;
        answer.succeeds();
    }
    for (words, expected) in [
        ("bronte", &["zoe.b"][..]),
        ("silva tomas", &["tomas"]),
        ("zoe.b@example.com", &["zoe.b"]),
        ("zoe", &["zoe.b"]),
        ("example", &["ada", "tomas", "zoe.b"]),
        ("ilva", &[]),
    ] {
        let order = json!({ "field": "USERNAME", "direction": "ASC" });
        let variables = json!({ "filter": { "search": words }, "orderBy": order });
        let answer = ada.asks(USERS, variables).await.succeeds();
        assert_eq!(answer.each("users.nodes", "username"), expected, "{words}");
    }
}

#[tokio::test]
async fn a_search_of_endless_words_is_refused() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let search = async |words: String| {
        let variables = json!({ "filter": { "search": words } });
        mia.asks(TASKS, variables).await
    };
    search("w ".repeat(16)).await.succeeds();
    search("x".repeat(200)).await.succeeds();
    for words in ["w ".repeat(17), "x".repeat(201), "w ".repeat(10_000)] {
        search(words).await.fails_with("BAD_USER_INPUT");
    }
}
