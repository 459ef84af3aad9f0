//! Nobody learns who is here: not by the words of an answer, nor by the work
//! behind it.

use serde_json::json;

use crate::support::{
    LOG_IN, Person, REQUEST_PASSWORD_RESET, SIGN_UP, Statements, TestApp, UPDATE_USER,
};

/// People of every standing, and somebody who was never here.
async fn everybody(app: &TestApp) -> Vec<Person> {
    let ada = app.admin("ada").await;
    let active = app.employee("active").await;
    let gone = app.employee("gone").await;
    let input = json!({ "userId": gone.id(), "active": false });
    ada.asks(UPDATE_USER, json!({ "input": input }))
        .await
        .succeeds();
    let (pending, rejected) = (app.stranger("pending"), app.stranger("rejected"));
    pending.signs_up().await;
    rejected.signs_up().await;
    ada.rejects(rejected.id(), "").await;
    app.runs_all_jobs().await;
    vec![ada, active, gone, pending, rejected, app.stranger("nobody")]
}

#[tokio::test]
async fn a_wrong_password_is_told_in_the_same_words_to_everybody() {
    let app = TestApp::start().await;
    let asker = app.stranger("asker");
    let long = "x".repeat(5_000);
    let mut texts = Vec::new();
    let mut costs = Vec::new();
    for person in everybody(&app).await {
        for login in [&person.username, &person.email] {
            for password in ["wrong", "", &long] {
                let before = app.statements();
                let input = json!({ "login": login, "password": password });
                let answer = asker.asks(LOG_IN, json!({ "input": input })).await;
                costs.push(app.statements() - before);
                assert_eq!(answer.http_status(), 200);
                texts.push(answer.text().to_owned());
                answer.refused_with("INVALID_CREDENTIALS");
            }
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    costs.dedup();
    assert_eq!(costs.len(), 1, "{costs:?}");
}

#[tokio::test]
async fn the_same_work_is_done_for_everybody_and_for_nobody() {
    let app = TestApp::start().await;
    let asker = app.stranger("asker");
    let people = everybody(&app).await;
    app.leaves_jobs();
    let statements = Statements::listen();
    let long = "x".repeat(5_000);
    let mut log_ins = Vec::new();
    let mut resets = Vec::new();
    for person in &people {
        for password in ["wrong", "", &long] {
            let runs = app.cx.passwords.runs();
            let input = json!({ "login": person.email, "password": password });
            let answer = asker.asks(LOG_IN, json!({ "input": input })).await;
            assert_eq!(app.cx.passwords.runs() - runs, 1);
            log_ins.push((statements.take(), answer.lasting_headers()));
        }
        let runs = app.cx.passwords.runs();
        let input = json!({ "input": { "email": person.email } });
        let answer = asker.asks(REQUEST_PASSWORD_RESET, input).await;
        assert_eq!(app.cx.passwords.runs(), runs);
        resets.push((statements.take(), answer.lasting_headers()));
    }
    for mut found in [log_ins, resets] {
        assert!(found[0].0.len() > 1, "nothing was heard: {found:?}");
        found.dedup();
        assert_eq!(found.len(), 1, "{found:#?}");
    }
}

#[tokio::test]
async fn only_the_right_password_learns_why_the_door_is_shut() {
    let app = TestApp::start().await;
    let people = everybody(&app).await;
    for (person, code) in people[2..].iter().zip([
        "DEACTIVATED",
        "NOT_APPROVED",
        "NOT_APPROVED",
        "INVALID_CREDENTIALS",
    ]) {
        person.logs_in().await.refused_with(code);
    }
}

#[tokio::test]
async fn asking_for_a_link_tells_nothing_and_mails_only_who_may_reset() {
    let app = TestApp::start().await;
    let asker = app.stranger("asker");
    let people = everybody(&app).await;
    let mut texts = Vec::new();
    let mut costs = Vec::new();
    for person in &people {
        let before = app.statements();
        let input = json!({ "input": { "email": person.email } });
        let answer = asker.asks(REQUEST_PASSWORD_RESET, input).await.succeeds();
        costs.push(app.statements() - before);
        texts.push(answer.text().to_owned());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    costs.dedup();
    assert_eq!(costs.len(), 1, "{costs:?}");
    let sent = app.mails().len();
    app.runs_all_jobs().await;
    assert_eq!(app.mails().len() - sent, 3);
    for (person, count) in people.iter().zip([1, 1, 0, 1, 0, 0]) {
        let mailed = person.inbox().count("password-reset");
        assert_eq!(mailed, count, "{}", person.username);
    }
}

#[tokio::test]
async fn one_request_is_one_guess() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let guess = |name: &str, password: &str| {
        format!(
            "{name}: logIn(input: {{ login: \"eve\", password: \"{password}\" }}) {{ accessToken }}"
        )
    };
    let query = format!(
        "mutation {{ {} {} }}",
        guess("a", "wrong"),
        guess("b", &eve.password)
    );
    let answer = eve.on_another_device().sends(&query, json!({})).await;
    let answer = answer.fails_with("QUERY_TOO_COMPLEX");
    assert!(!answer.text().contains("accessToken\":\""));
    let form = "mutation ($a: SignUpInput!) { x: signUp(input: $a) { user { id } } y: signUp(input: $a) { user { id } } }";
    let input = json!({ "username": "new", "email": "new@example.com", "password": eve.password });
    let answer = eve.sends(form, json!({ "a": input })).await;
    answer.fails_with("QUERY_TOO_COMPLEX");
    eve.asks(SIGN_UP, json!({ "input": input }))
        .await
        .succeeds();
    app.runs_all_jobs().await;
}
