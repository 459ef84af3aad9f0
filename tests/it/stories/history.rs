//! The history of accounts: who did what to whom, when, and from where. People
//! read their own, admins everyone's.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT_EVENTS, APPROVE_USER, Authenticator, CHANGE_PASSWORD, DELETE_USER,
    DISABLE_SECOND_FACTOR, NODE, Person, REGENERATE_RECOVERY_CODES, RESET_SECOND_FACTOR,
    REVOKE_SESSION, REVOKE_USER_SESSIONS, SESSIONS, SET_USER_ROLE, TestApp, UPDATE_PROFILE,
    UPDATE_USER,
};

/// What happened to this user as this person sees it, oldest first.
async fn kinds(reader: &Person, user_id: &str) -> Vec<String> {
    let filter = json!({ "filter": { "userId": user_id }, "first": 100 });
    let answer = reader.asks(ACCOUNT_EVENTS, filter).await.succeeds();
    let mut kinds = answer.each("accountEvents.nodes", "kind");
    assert_eq!(answer.data("accountEvents.totalCount"), kinds.len());
    kinds.reverse();
    kinds
}

#[tokio::test]
async fn what_happens_to_an_account_is_told_in_order() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let nico = app.stranger("nico");
    let id = nico.signs_up().await;
    nico.logs_in().await.refused_with("NOT_APPROVED");
    ada.approves(&id).await;
    nico.with_password("not this one")
        .logs_in()
        .await
        .refused_with("INVALID_CREDENTIALS");
    nico.logs_in().await.succeeds();
    let phone = nico.on_another_device();
    phone.logs_in().await.succeeds();
    let sessions = nico.asks(SESSIONS, json!({})).await.succeeds();
    let of_phone = sessions.words("sessions.0.id");
    let input = json!({ "input": { "sessionId": of_phone } });
    nico.asks(REVOKE_SESSION, input).await.succeeds();
    let input = json!({ "input": { "currentPassword": nico.password, "newPassword": "velvet comet ladder 9" } });
    nico.asks(CHANGE_PASSWORD, input).await.succeeds();
    let input = json!({ "input": { "username": "nicola" } });
    nico.asks(UPDATE_PROFILE, input).await.succeeds();
    for active in [false, true] {
        let input = json!({ "input": { "userId": id, "active": active } });
        ada.asks(UPDATE_USER, input).await.succeeds();
    }
    let input = json!({ "input": { "userId": id, "email": "nicola@example.com" } });
    ada.asks(UPDATE_USER, input).await.succeeds();
    app.runs_all_jobs().await;
    assert_eq!(
        kinds(&ada, &id).await,
        [
            "SIGNED_UP",
            "LOG_IN_REFUSED",
            "APPROVED",
            "LOG_IN_FAILED",
            "LOGGED_IN",
            "LOGGED_IN",
            "SESSION_REVOKED",
            "PASSWORD_CHANGED",
            "USERNAME_CHANGED",
            "DEACTIVATED",
            "REACTIVATED",
            "EMAIL_CHANGED",
        ]
    );
}

#[tokio::test]
async fn a_reset_by_mail_and_a_stolen_token_are_told() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let nico = app.employee("nico").await;
    let stolen = nico.tokens();
    nico.refreshes().await.succeeds();
    let thief = nico.on_another_device();
    thief.keeps(stolen);
    app.clock.advance(TimeDelta::seconds(11));
    thief.refreshes().await.refused_with("INVALID_TOKEN");
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().last().reset_token();
    let password = "velvet comet ladder 9";
    nico.tries_to_reset(&token, password).await.succeeds();
    let nico = nico.with_password(password);
    nico.logs_in().await.succeeds();
    nico.logs_out().await;
    app.runs_all_jobs().await;
    let id = nico.id().to_owned();
    assert_eq!(
        kinds(&ada, &id).await[3..],
        [
            "REFRESH_TOKEN_REUSED",
            "PASSWORD_RESET_REQUESTED",
            "PASSWORD_RESET",
            "LOGGED_IN",
            "LOGGED_OUT",
        ]
    );
}

#[tokio::test]
async fn what_happens_to_a_second_factor_is_told() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let nico = app.employee("nico").await;
    let before = kinds(&ada, nico.id()).await.len();
    let authenticator = Authenticator::set_up(&nico, &app.clock).await;
    let codes = &authenticator.recovery_codes;
    nico.logs_in().await.refused_with("SECOND_FACTOR_REQUIRED");
    nico.logs_in_with("000000")
        .await
        .refused_with("INVALID_CODE");
    nico.logs_in_with(&codes[0]).await.succeeds();
    let by = |code: &str| json!({ "input": { "currentPassword": nico.password, "code": code } });
    let answer = nico.asks(REGENERATE_RECOVERY_CODES, by(&codes[1])).await;
    let code = answer
        .succeeds()
        .words("regenerateRecoveryCodes.recoveryCodes.0");
    nico.asks(DISABLE_SECOND_FACTOR, by(&code)).await.succeeds();
    Authenticator::set_up(&nico, &app.clock).await;
    let input = json!({ "input": { "userId": nico.id() } });
    ada.asks(RESET_SECOND_FACTOR, input).await.succeeds();
    app.runs_all_jobs().await;
    assert_eq!(
        kinds(&ada, nico.id()).await[before..],
        [
            "SECOND_FACTOR_ENABLED",
            "SECOND_FACTOR_ASKED",
            "SECOND_FACTOR_FAILED",
            "RECOVERY_CODE_USED",
            "LOGGED_IN",
            "RECOVERY_CODE_USED",
            "RECOVERY_CODES_REPLACED",
            "RECOVERY_CODE_USED",
            "SECOND_FACTOR_DISABLED",
            "SECOND_FACTOR_ENABLED",
            "SECOND_FACTOR_RESET",
        ]
    );
}

#[tokio::test]
async fn an_event_says_who_did_what_when_and_from_where() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let input = json!({ "input": { "userId": nico.id(), "role": "MANAGER" } });
    ada.asks(SET_USER_ROLE, input.clone()).await.succeeds();
    // Nothing changes, so nothing happens.
    ada.asks(SET_USER_ROLE, input).await.succeeds();

    let only = json!({ "filter": { "kind": ["ROLE_SET"] } });
    let answer = ada.asks(ACCOUNT_EVENTS, only.clone()).await.succeeds();
    assert_eq!(answer.data("accountEvents.totalCount"), 1);
    let event = answer.data("accountEvents.nodes.0");
    assert_eq!(event["user"]["username"], "nico");
    assert_eq!(event["userId"], nico.id());
    assert_eq!(event["doneBy"]["username"], "ada");
    assert_eq!(
        (&event["roleBefore"], &event["roleAfter"]),
        (&json!("EMPLOYEE"), &json!("MANAGER"))
    );
    assert_eq!(event["ipAddress"], "127.0.0.1");
    assert_eq!(event["createdAt"], app.in_(TimeDelta::zero()).as_str());

    // Whose role it is sees who set it, but not where they were.
    let answer = nico.asks(ACCOUNT_EVENTS, only).await.succeeds();
    let event = answer.data("accountEvents.nodes.0");
    assert_eq!(event["doneBy"]["username"], "ada");
    assert_eq!(event["ipAddress"], Value::Null);
    let own = json!({ "filter": { "kind": ["LOGGED_IN"] } });
    let answer = nico.asks(ACCOUNT_EVENTS, own).await.succeeds();
    assert_eq!(answer.data("accountEvents.nodes.0.ipAddress"), "127.0.0.1");
}

#[tokio::test]
async fn a_decision_tells_as_what_somebody_was_let_in() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (mia, nico) = (app.stranger("mia"), app.stranger("nico"));
    for person in [&mia, &nico] {
        person.signs_up().await;
    }
    // Though they asked to be an employee.
    let input = json!({ "input": { "userId": mia.id(), "role": "MANAGER" } });
    ada.asks(APPROVE_USER, input).await.succeeds();
    ada.rejects(nico.id(), "").await;
    app.runs_all_jobs().await;
    let kinds = json!({ "filter": { "kind": ["APPROVED", "REJECTED"] } });
    let answer = ada.asks(ACCOUNT_EVENTS, kinds).await.succeeds();
    let events = answer.data("accountEvents.nodes");
    for (event, username, role) in [
        (&events[0], "nico", Value::Null),
        (&events[1], "mia", json!("MANAGER")),
    ] {
        assert_eq!(event["user"]["username"], username);
        assert_eq!(event["doneBy"]["username"], "ada");
        assert_eq!(
            (&event["roleBefore"], &event["roleAfter"]),
            (&Value::Null, &role)
        );
    }
}

#[tokio::test]
async fn people_see_their_own_history_and_nobody_elses() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (mia, nico) = (app.manager("mia").await, app.employee("nico").await);
    for (reader, other) in [(&mia, &nico), (&nico, &mia), (&nico, &ada)] {
        assert_eq!(kinds(reader, other.id()).await, [] as [&str; 0]);
        let answer = reader.asks(ACCOUNT_EVENTS, json!({})).await.succeeds();
        for user_id in answer.each("accountEvents.nodes", "userId") {
            assert_eq!(user_id, reader.id());
        }
        let all = json!({ "filter": { "userId": other.id() } });
        let theirs = ada.asks(ACCOUNT_EVENTS, all).await.succeeds();
        let event = theirs.words("accountEvents.nodes.0.id");
        let answer = reader.asks(NODE, json!({ "id": event })).await.succeeds();
        assert_eq!(answer.data("node"), Value::Null);
        let answer = ada.asks(NODE, json!({ "id": event })).await.succeeds();
        assert_eq!(answer.data("node.id"), event.as_str());
    }
}

#[tokio::test]
async fn failures_of_strangers_have_no_user_and_leave_as_many_rows() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let wrong = nico.with_password("not this one");
    wrong.logs_in().await.refused_with("INVALID_CREDENTIALS");
    wrong
        .logs_in_as("nobody-here")
        .await
        .refused_with("INVALID_CREDENTIALS");
    let failed = json!({ "filter": { "kind": ["LOG_IN_FAILED"] } });
    let answer = ada.asks(ACCOUNT_EVENTS, failed).await.succeeds();
    let nodes = answer.data("accountEvents.nodes");
    assert_eq!(nodes[0]["userId"], Value::Null);
    assert_eq!(nodes[1]["userId"], nico.id());
    for node in nodes.as_array().unwrap() {
        assert_eq!(node["doneBy"], Value::Null);
        assert_eq!(node["ipAddress"], "127.0.0.1");
    }
    // Strangers could fill the disk with what nobody is concerned by.
    app.clock.advance(TimeDelta::days(8));
    app.clears_away().await;
    ada.logs_in().await.succeeds();
    let failed = json!({ "filter": { "kind": ["LOG_IN_FAILED"] } });
    let answer = ada.asks(ACCOUNT_EVENTS, failed).await.succeeds();
    assert_eq!(answer.each("accountEvents.nodes", "userId"), [nico.id()]);
}

#[tokio::test]
async fn the_history_outlives_the_user_and_ends_after_four_hundred_days() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let id = nico.id().to_owned();
    let input = json!({ "input": { "userId": id } });
    ada.asks(DELETE_USER, input).await.succeeds();
    let told = kinds(&ada, &id).await;
    assert_eq!(told.last().unwrap(), "DELETED");
    let filter = json!({ "filter": { "userId": id } });
    let answer = ada.asks(ACCOUNT_EVENTS, filter.clone()).await.succeeds();
    assert_eq!(answer.data("accountEvents.nodes.0.user"), Value::Null);

    app.clock.advance(TimeDelta::days(399));
    app.clears_away().await;
    ada.logs_in().await.succeeds();
    assert_eq!(kinds(&ada, &id).await, told);
    app.clock.advance(TimeDelta::days(2));
    app.clears_away().await;
    ada.logs_in().await.succeeds();
    assert_eq!(kinds(&ada, &id).await, [] as [&str; 0]);
}

#[tokio::test]
async fn the_list_is_filtered_by_time_and_walked_in_pages() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    for _ in 0..5 {
        app.clock.advance(TimeDelta::minutes(1));
        ada.logs_in().await.succeeds();
    }
    let (since, until) = (app.in_(TimeDelta::minutes(-3)), app.in_(TimeDelta::zero()));
    let filter = json!({ "since": since, "until": until, "kind": ["LOGGED_IN", "LOGGED_OUT"] });
    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = json!({ "filter": filter, "first": 2, "after": after });
        let answer = ada.asks(ACCOUNT_EVENTS, page).await.succeeds();
        assert_eq!(answer.data("accountEvents.totalCount"), 3);
        seen.extend(answer.each("accountEvents.nodes", "createdAt"));
        if answer.data("accountEvents.pageInfo.hasNextPage") == false {
            break;
        }
        after = answer.data("accountEvents.pageInfo.endCursor");
    }
    let expected: Vec<String> = (1..=3)
        .map(|ago| app.in_(TimeDelta::minutes(-ago)))
        .collect();
    assert_eq!(seen, expected);
    for nothing in [json!({ "kind": [] }), json!({ "userId": "garbled" })] {
        let answer = ada.asks(ACCOUNT_EVENTS, json!({ "filter": nothing })).await;
        assert_eq!(answer.succeeds().data("accountEvents.totalCount"), 0);
    }
}

#[tokio::test]
async fn an_admin_ends_all_sessions_of_somebody_who_lost_a_device() {
    let app = TestApp::start().await;
    let (ada, abe) = (app.admin("ada").await, app.admin("abe").await);
    let nico = app.employee("nico").await;
    let phone = nico.on_another_device();
    phone.logs_in().await.succeeds();
    for person in [&nico, &abe] {
        let input = json!({ "input": { "userId": person.id() } });
        ada.asks(REVOKE_USER_SESSIONS, input).await.succeeds();
        assert!(!person.is_signed_in().await);
        person.refreshes().await.refused_with("INVALID_TOKEN");
        assert_eq!(
            kinds(&ada, person.id()).await.last().unwrap(),
            "SESSIONS_REVOKED"
        );
    }
    assert!(!phone.is_signed_in().await);
    assert!(ada.is_signed_in().await);
    let input = json!({ "input": { "userId": "user_00000000000000000000000000" } });
    let answer = ada.asks(REVOKE_USER_SESSIONS, input).await;
    answer.refused_for(&["input.userId NOT_FOUND"]);
}
