//! Scripts act for whoever made their token, as far as it goes and for as long as
//! it lasts.

use chrono::TimeDelta;
use futures_util::future::join_all;
use muster::service::api_token::ApiToken;
use muster::store::api_token::{Standing, find_standing, note_use};
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT_EVENTS, API_TOKENS, CREATE_API_TOKEN, CREATE_TASK, NODE, Person, REVOKE_API_TOKEN,
    SESSIONS, Statements, TestApp, VIEWER,
};

/// A script with a new token of this person, and the token's id.
async fn script(person: &Person, input: Value) -> (Person, String) {
    let mut whole = json!({
        "name": "nightly export", "access": "FULL", "currentPassword": person.password,
    });
    for (name, value) in input.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let answer = person
        .asks(CREATE_API_TOKEN, json!({ "input": whole }))
        .await
        .succeeds();
    let token = answer.words("createApiToken.token");
    assert!(token.starts_with("muster_") && token.len() == 50, "{token}");
    (
        person.with_access_token(&token),
        answer.words("createApiToken.apiToken.id"),
    )
}

#[tokio::test]
async fn a_script_reads_and_writes_as_its_owner() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let (script, _) = script(&mia, json!({})).await;
    let answer = script.asks(VIEWER, json!({})).await.succeeds();
    assert_eq!(answer.data("viewer.username"), "mia");
    let input = json!({ "input": { "title": "Count the chairs" } });
    script.asks(CREATE_TASK, input).await.succeeds();
    let query = "{ tasks { nodes { createdBy { username } } } }";
    let answer = script.sends(query, json!({})).await.succeeds();
    assert_eq!(answer.data("tasks.nodes.0.createdBy.username"), "mia");
    // It is no session, so none of the sessions is its own.
    let answer = script.asks(SESSIONS, json!({})).await.succeeds();
    assert_eq!(answer.each("sessions", "isCurrent"), ["false"]);
    // It outlives the session that it was made in.
    mia.logs_out().await;
    assert!(script.is_signed_in().await);
}

#[tokio::test]
async fn tokens_are_listed_without_their_text_and_with_their_last_use() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let (script, id) = script(&nico, json!({ "access": "READ" })).await;
    let answer = nico.asks(API_TOKENS, json!({})).await.succeeds();
    let expected = json!([{
        "id": id, "name": "nightly export", "access": "READ", "role": "EMPLOYEE",
        "user": { "username": "nico" },
        "createdAt": app.in_(TimeDelta::zero()), "expiresAt": app.in_(TimeDelta::days(90)),
        "lastUsedAt": null,
    }]);
    assert_eq!(answer.data("apiTokens"), expected);

    app.clock.advance(TimeDelta::minutes(5));
    assert!(script.is_signed_in().await);
    let used = app.in_(TimeDelta::zero());
    // It is noted beside the answer.
    let noted = async |at: &str| {
        for _ in 0..1_000 {
            let answer = nico.asks(API_TOKENS, json!({})).await.succeeds();
            if answer.data("apiTokens.0.lastUsedAt") == at {
                return true;
            }
        }
        false
    };
    assert!(noted(&used).await);
    app.clock.advance(TimeDelta::seconds(59));
    assert!(script.is_signed_in().await);
    app.clock.advance(TimeDelta::seconds(1));
    assert!(script.is_signed_in().await);
    assert!(noted(&app.in_(TimeDelta::zero())).await);

    // Admins see those of others, others do not.
    let of_nico = json!({ "userId": nico.id() });
    let answer = ada.asks(API_TOKENS, of_nico.clone()).await.succeeds();
    assert_eq!(answer.data("apiTokens.0.id"), id.as_str());
    let mia = app.manager("mia").await;
    let answer = mia.asks(API_TOKENS, of_nico).await.succeeds();
    assert_eq!(answer.data("apiTokens"), json!([]));
    for (reader, expected) in [(&mia, Value::Null), (&nico, json!(id)), (&ada, json!(id))] {
        let answer = reader.asks(NODE, json!({ "id": id })).await.succeeds();
        assert_eq!(answer.data("node")["id"], expected);
    }
}

/// What the store knows of the token of this script.
async fn standing(app: &TestApp, script: &Person) -> Standing {
    let token = ApiToken::parse(&script.tokens().access.unwrap()).unwrap();
    let standing = find_standing(&app.cx.db, &token.hash()).await;
    standing.unwrap().unwrap()
}

#[tokio::test]
async fn a_use_is_written_once_however_many_come_until_it_is() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    app.runs_all_jobs().await;
    let (script, _) = script(&nico, json!({})).await;
    let (id, now) = (standing(&app, &script).await.id, app.clock.now());
    // The token is in somebody else's hands, so whoever notes its use waits.
    let holder = app.cx.db.begin().await.unwrap();
    note_use(&holder, id, now, now).await.unwrap();
    let statements = Statements::listen();
    let signed_in = join_all((0..20).map(|_| script.is_signed_in())).await;
    assert_eq!(signed_in, [true; 20]);
    drop(holder);
    app.cx.api_token_uses.finish().await;
    let mut written = statements.take();
    written.retain(|statement| statement.starts_with("UPDATE"));
    assert_eq!(written.len(), 1, "{written:?}");
    assert_eq!(standing(&app, &script).await.last_used_at, Some(now));
}

#[tokio::test]
async fn a_use_is_not_written_that_another_process_has_noted_within_the_minute() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    app.runs_all_jobs().await;
    for (seconds, is_written) in [(1, false), (59, false), (60, true)] {
        let (script, _) = script(&nico, json!({})).await;
        let (id, now) = (standing(&app, &script).await.id, app.clock.now());
        let earlier = now - TimeDelta::seconds(seconds);
        let other = app.cx.db.begin().await.unwrap();
        note_use(&other, id, earlier, earlier).await.unwrap();
        // It was never used, as far as this request sees.
        assert!(script.is_signed_in().await);
        other.commit().await.unwrap();
        app.cx.api_token_uses.finish().await;
        let expected = if is_written { now } else { earlier };
        let found = standing(&app, &script).await.last_used_at;
        assert_eq!(found, Some(expected), "{seconds} s");
    }
}

#[tokio::test]
async fn a_token_ends_when_it_is_revoked_or_expires() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    for revoker in [&nico, &ada] {
        let (script, id) = script(&nico, json!({})).await;
        let input = json!({ "input": { "apiTokenId": id } });
        let answer = revoker.asks(REVOKE_API_TOKEN, input.clone()).await;
        assert_eq!(
            answer.succeeds().data("revokeApiToken.apiTokenId"),
            id.as_str()
        );
        assert!(!script.is_signed_in().await);
        let answer = revoker.asks(REVOKE_API_TOKEN, input).await;
        answer.refused_for(&["input.apiTokenId NOT_FOUND"]);
    }
    let in_an_hour = app.in_(TimeDelta::hours(1));
    let (script, _) = script(&nico, json!({ "expiresAt": in_an_hour })).await;
    app.clock.advance(TimeDelta::minutes(59));
    assert!(script.is_signed_in().await);
    app.clock.advance(TimeDelta::minutes(1));
    let answer = script.asks(VIEWER, json!({})).await;
    answer.fails_with("UNAUTHENTICATED");
    nico.refreshes().await.succeeds();
    let answer = nico.asks(API_TOKENS, json!({})).await.succeeds();
    assert_eq!(answer.data("apiTokens"), json!([]));
    let filter = json!({ "filter": { "kind": ["API_TOKEN_CREATED", "API_TOKEN_REVOKED"] } });
    let answer = nico.asks(ACCOUNT_EVENTS, filter).await.succeeds();
    assert_eq!(
        answer.each("accountEvents.nodes", "kind"),
        [
            "API_TOKEN_CREATED",
            "API_TOKEN_REVOKED",
            "API_TOKEN_CREATED",
            "API_TOKEN_REVOKED",
            "API_TOKEN_CREATED",
        ]
    );
}

#[tokio::test]
async fn what_a_token_shall_be_is_checked() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let year = app.in_(TimeDelta::days(367));
    let now = app.in_(TimeDelta::zero());
    for (change, problem) in [
        (json!({ "name": " " }), "input.name BLANK"),
        (json!({ "name": "x".repeat(101) }), "input.name TOO_LONG"),
        (json!({ "expiresAt": now }), "input.expiresAt INVALID"),
        (json!({ "expiresAt": year }), "input.expiresAt INVALID"),
        (json!({ "role": "ADMIN" }), "input.role NOT_ALLOWED"),
        (
            json!({ "currentPassword": "not this one" }),
            "input.currentPassword INVALID_CREDENTIALS",
        ),
    ] {
        let mut input =
            json!({ "name": "export", "access": "READ", "currentPassword": mia.password });
        for (name, value) in change.as_object().unwrap() {
            input[name] = value.clone();
        }
        let answer = mia.asks(CREATE_API_TOKEN, json!({ "input": input })).await;
        answer.refused_for(&[problem]);
    }
    let answer = mia.asks(API_TOKENS, json!({})).await.succeeds();
    assert_eq!(answer.data("apiTokens"), json!([]));
}
