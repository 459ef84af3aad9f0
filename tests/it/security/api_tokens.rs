//! Attacks by and on the tokens of scripts: none does more than it was made for,
//! nor more than its owner may now, and none can make itself last.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::contract::{access, sdl};
use crate::support::{
    API_TOKENS, APPROVE_USER, Authenticator, CREATE_API_TOKEN, CREATE_TASK, INVITE_USER, Person,
    RESET_SECOND_FACTOR, REVOKE_API_TOKEN, REVOKE_USER_SESSIONS, SET_USER_ROLE, TestApp,
    UPDATE_PROFILE, UPDATE_USER, USERS, VIEWER,
};

async fn create(person: &Person, access: &str, role: Option<&str>) -> Person {
    let input = json!({
        "name": "script", "access": access, "role": role, "currentPassword": person.password,
    });
    let answer = person
        .asks(CREATE_API_TOKEN, json!({ "input": input }))
        .await
        .succeeds();
    person.with_access_token(&answer.words("createApiToken.token"))
}

/// What each guarded field of the schema says to this script.
async fn codes(script: &Person, root: &str) -> Vec<(String, bool, Option<String>)> {
    let schema = sdl::ours();
    let mut codes = Vec::new();
    for (of, field) in sdl::root_fields(&schema) {
        if of == root && sdl::guard(field).is_some() {
            let query = access::query(&schema, of, field);
            let answer = script.sends(&query, json!({})).await;
            let needs_session = field.directives.has("session");
            codes.push((field.name.to_string(), needs_session, answer.code()));
        }
    }
    assert!(!codes.is_empty());
    codes
}

#[tokio::test]
async fn a_token_that_may_read_can_change_nothing() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let script = create(&ada, "READ", None).await;
    for (field, _, code) in codes(&script, "Mutation").await {
        assert_eq!(code.as_deref(), Some("FORBIDDEN"), "{field}");
    }
    for (field, _, code) in codes(&script, "Query").await {
        assert_ne!(code.as_deref(), Some("FORBIDDEN"), "{field}");
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_token_that_may_read_is_told_that_it_can_change_nothing() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let (reader, writer) = (
        create(&ada, "READ", None).await,
        create(&ada, "FULL", None).await,
    );
    let task = json!({ "title": "Count the chairs", "assigneeId": nico.id() });
    let task = ada.creates_task_with(task).await;
    let schema = sdl::ours();
    let mut fields = 0;
    for (name, of) in &schema.types {
        let Some(of) = of.as_object() else { continue };
        let of = of.fields.keys().map(ToString::to_string);
        for field in of.filter(|field| field.starts_with("viewerCan")) {
            let id = match name.as_str() {
                "Task" => task.as_str(),
                "User" => nico.id(),
                other => panic!("nobody knows a {other} to ask for {field}"),
            };
            let query = format!("{{ node(id: \"{id}\") {{ ... on {name} {{ {field} }} }} }}");
            for (who, expected) in [(&ada, true), (&writer, true), (&reader, false)] {
                let answer = who.sends(&query, json!({})).await.succeeds();
                let can = answer.data(&format!("node.{field}"));
                assert_eq!(can, expected, "{name}.{field}");
            }
            fields += 1;
        }
    }
    assert_eq!(fields, 8);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn no_token_can_touch_what_its_owner_proves_themselves_with() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let script = create(&ada, "FULL", None).await;
    for (field, needs_session, code) in codes(&script, "Mutation").await {
        let is_forbidden = code.as_deref() == Some("FORBIDDEN");
        assert_eq!(is_forbidden, needs_session, "{field}: {code:?}");
        let about_credentials = [
            "Password",
            "SecondFactor",
            "RecoveryCodes",
            "createApiToken",
        ]
        .iter()
        .any(|word| field.contains(word));
        let of_others = field.starts_with("resetSecondFactor");
        assert!(!about_credentials || needs_session || of_others, "{field}");
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn no_token_can_lead_its_owners_mail_elsewhere() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let script = create(&ada, "FULL", None).await;
    // Not even with the password, and it cannot guess that.
    for password in [Value::Null, json!(ada.password), json!("a wrong guess")] {
        let input = json!({ "userId": ada.id(), "email": "thief@example.com", "currentPassword": password });
        let answer = script.asks(UPDATE_USER, json!({ "input": input })).await;
        answer.refused_for(&["input.email NOT_ALLOWED"]);
    }
    let of_nico = json!({ "input": { "userId": nico.id(), "email": "nicola@example.com" } });
    script.asks(UPDATE_USER, of_nico).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn no_token_makes_admins_or_renames_its_owner() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let script = create(&ada, "FULL", None).await;
    let of_nico = |role: &str| json!({ "input": { "userId": nico.id(), "role": role } });
    let answer = script.asks(SET_USER_ROLE, of_nico("ADMIN")).await;
    answer.refused_for(&["input.role NOT_ALLOWED"]);
    let answer = script.asks(SET_USER_ROLE, of_nico("MANAGER")).await;
    answer.succeeds();
    let invited = |role: &str| json!({ "input": { "email": "eve@example.com", "role": role } });
    let answer = script.asks(INVITE_USER, invited("ADMIN")).await;
    answer.refused_for(&["input.role NOT_ALLOWED"]);
    let olga = app.stranger("olga").signs_up().await;
    let input = json!({ "input": { "userId": olga, "role": "ADMIN" } });
    let answer = script.asks(APPROVE_USER, input).await;
    answer.refused_for(&["input.role NOT_ALLOWED"]);
    let input = json!({ "input": { "username": "thief" } });
    let answer = script.asks(UPDATE_PROFILE, input).await;
    answer.refused_for(&["input.username NOT_ALLOWED"]);
    let input = json!({ "input": { "firstName": "Ada" } });
    script.asks(UPDATE_PROFILE, input).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_token_ends_with_the_sessions_that_an_admin_ends_and_with_a_second_factor() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let script = create(&nico, "FULL", None).await;
    let input = json!({ "input": { "userId": nico.id() } });
    ada.asks(REVOKE_USER_SESSIONS, input).await.succeeds();
    assert!(!script.is_signed_in().await);
    nico.logs_in().await.succeeds();
    // Made by the password alone, perhaps by whom the second factor is to keep out.
    let script = create(&nico, "FULL", None).await;
    Authenticator::set_up(&nico, &app.clock).await;
    assert!(!script.is_signed_in().await && nico.is_signed_in().await);
    // Whoever has the lost phone may have made one in a session that was open there.
    let script = create(&nico, "FULL", None).await;
    assert!(script.is_signed_in().await);
    let input = json!({ "input": { "userId": nico.id() } });
    ada.asks(RESET_SECOND_FACTOR, input).await.succeeds();
    assert!(!script.is_signed_in().await);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn where_admins_need_a_second_factor_their_tokens_need_it_whatever_their_role() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let script = create(&ada, "FULL", Some("MANAGER")).await;
    let strict = app
        .restarts_with(&[("ADMIN_SECOND_FACTOR", "required")])
        .await;
    let answer = script.at(&strict).asks(USERS, json!({})).await;
    answer.fails_with("FORBIDDEN");
    script.asks(USERS, json!({})).await.succeeds();
}

#[tokio::test]
async fn a_token_does_no_more_than_its_role_and_no_more_than_its_owner_may_now() {
    let app = TestApp::start().await;
    let (ada, abe) = (app.admin("ada").await, app.admin("abe").await);
    let small = create(&abe, "FULL", Some("EMPLOYEE")).await;
    let great = create(&abe, "FULL", Some("ADMIN")).await;
    small.asks(USERS, json!({})).await.fails_with("FORBIDDEN");
    great.asks(USERS, json!({})).await.succeeds();
    // What one token must not do, it cannot have done for it by another one either.
    let input = json!({ "input": { "userId": abe.id(), "role": "EMPLOYEE" } });
    ada.asks(SET_USER_ROLE, input).await.succeeds();
    great.asks(USERS, json!({})).await.fails_with("FORBIDDEN");
    let input = json!({ "input": { "title": "Count the chairs" } });
    great.asks(CREATE_TASK, input).await.fails_with("FORBIDDEN");
    let input = json!({ "input": { "userId": abe.id(), "role": "MANAGER" } });
    ada.asks(SET_USER_ROLE, input).await.succeeds();
    great.asks(USERS, json!({})).await.succeeds();
    small.asks(USERS, json!({})).await.fails_with("FORBIDDEN");
}

#[tokio::test]
async fn deactivation_and_a_reset_end_tokens_for_good() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let script = create(&nico, "FULL", None).await;
    for active in [false, true] {
        let input = json!({ "input": { "userId": nico.id(), "active": active } });
        ada.asks(UPDATE_USER, input).await.succeeds();
        assert!(!script.is_signed_in().await, "active: {active}");
    }
    nico.logs_in().await.succeeds();
    let script = create(&nico, "FULL", None).await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().latest("password-reset").reset_token();
    let answer = nico.tries_to_reset(&token, "velvet comet ladder 9").await;
    answer.succeeds();
    assert!(!script.is_signed_in().await);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn what_is_nearly_a_token_is_refused() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let token = create(&nico, "FULL", None).await.tokens().access.unwrap();
    let random = token.strip_prefix("muster_").unwrap();
    for garbled in [
        random.to_owned(),
        format!("MUSTER_{random}"),
        format!("muster_{}", random.to_lowercase()),
        format!("muster_{}", &random[1..]),
        format!("muster_{random}A"),
        format!("muster_{}", "A".repeat(43)),
        "muster_".to_owned(),
        format!("muster_muster_{random}"),
    ] {
        let answer = nico
            .with_access_token(&garbled)
            .asks(VIEWER, json!({}))
            .await;
        answer.fails_with("UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn a_stranger_cannot_end_a_token_nor_learn_of_it() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let script = create(&nico, "READ", None).await;
    let listed = nico.asks(API_TOKENS, json!({})).await.succeeds();
    let input = json!({ "input": { "apiTokenId": listed.data("apiTokens.0.id") } });
    for stranger in [app.employee("olga").await, app.manager("mia").await] {
        let answer = stranger.asks(REVOKE_API_TOKEN, input.clone()).await;
        answer.refused_for(&["input.apiTokenId NOT_FOUND"]);
    }
    assert!(script.is_signed_in().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thirty_made_at_once_twenty_are() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let answers = join_all((0..30).map(async |number| {
        let input = json!({
            "name": format!("script {number}"), "access": "READ", "currentPassword": nico.password,
        });
        let answer = nico.asks(CREATE_API_TOKEN, json!({ "input": input })).await;
        answer.user_errors()
    }))
    .await;
    let refused: Vec<&Vec<String>> = answers.iter().filter(|errors| !errors.is_empty()).collect();
    assert_eq!(refused.len(), 10, "{refused:?}");
    let listed = nico.asks(API_TOKENS, json!({})).await.succeeds();
    assert_eq!(listed.data("apiTokens").as_array().unwrap().len(), 20);
    // Those that are past leave room.
    app.clock.advance(TimeDelta::days(90));
    nico.logs_in().await.succeeds();
    create(&nico, "READ", None).await;
}

#[tokio::test]
async fn the_database_knows_a_token_by_its_hash_only() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let script = create(&nico, "FULL", None).await;
    assert!(script.is_signed_in().await);
    let token = script.tokens().access.unwrap();
    let random = token.strip_prefix("muster_").unwrap();
    let rows = app
        .database()
        .reads("SELECT name || token_hash || access FROM api_tokens")
        .await;
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].contains(random));
    let answer = nico.asks(API_TOKENS, json!({})).await.succeeds();
    assert!(!answer.text().contains(random));
    assert_ne!(answer.data("apiTokens"), Value::Null);
}
