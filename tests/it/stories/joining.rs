//! A newcomer asks to join; an admin decides; the newcomer gets in, or learns why
//! not.

use serde_json::{Value, json};

use crate::support::{APPROVALS, APPROVE_USER, REJECT_USER, SIGN_UP, TestApp, USER, assert_mail};

#[tokio::test]
async fn approval_opens_the_door_and_tells_the_newcomer() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));

    let user = nico.signs_up().await;
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().last().kind, "welcome");
    nico.logs_in().await.refused_with("NOT_APPROVED");

    let answer = ada.approves(&user).await;
    assert_eq!(answer.data("approveUser.user.status"), "ACTIVE");
    assert_eq!(answer.data("approveUser.approval.decision"), "APPROVED");
    assert_eq!(
        answer.data("approveUser.approval.decidedBy.username"),
        "ada"
    );
    app.runs_all_jobs().await;
    nico.logs_in().await.succeeds();
    assert_mail("approved", &nico.inbox().last());
    assert_eq!(nico.inbox().kinds(), ["welcome", "approved"]);
    assert!(!ada.inbox().kinds().contains(&"approved"));
}

#[tokio::test]
async fn rejection_tells_the_reason_and_keeps_the_door_shut() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    let user = nico.signs_up().await;
    let reason = "We do not know you.\nPlease talk to the front desk first.";
    let answer = ada.rejects(&user, reason).await;
    assert_eq!(answer.data("rejectUser.user.status"), "REJECTED");
    assert_eq!(answer.data("rejectUser.approval.reason"), reason);
    assert_eq!(answer.data("rejectUser.approval.grantedRole"), Value::Null);
    app.runs_all_jobs().await;
    assert_mail("rejected", &nico.inbox().latest("rejected"));
    nico.logs_in().await.refused_with("NOT_APPROVED");
}

#[tokio::test]
async fn a_rejection_may_come_without_a_reason() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    let user = nico.signs_up().await;
    ada.rejects(&user, "   ").await;
    app.runs_all_jobs().await;
    let mail = nico.inbox().latest("rejected");
    assert!(!mail.text.contains("reason"), "{mail}");
}

#[tokio::test]
async fn a_reason_has_at_most_a_thousand_characters() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    let user = nico.signs_up().await;
    let reject = async |reason: String| {
        let input = json!({ "userId": user, "reason": reason });
        ada.asks(REJECT_USER, json!({ "input": input })).await
    };
    let refused = reject("é".repeat(1_001)).await;
    refused.refused_for(&["input.reason TOO_LONG"]);
    let refused = reject("bell \u{7}".to_owned()).await;
    refused.refused_for(&["input.reason INVALID"]);
    reject("é".repeat(1_000)).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn the_role_asked_for_is_granted_by_the_approval_only() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mia = app.stranger("mia");
    let answer = mia
        .tries_to_sign_up(json!({ "requestedRole": "MANAGER" }))
        .await;
    assert_eq!(answer.succeeds().data("signUp.user.role"), "EMPLOYEE");
    ada.approves(mia.id()).await;
    let answer = mia.logs_in().await.succeeds();
    assert_eq!(answer.data("logIn.user.role"), "MANAGER");

    let otto = app.stranger("otto");
    otto.tries_to_sign_up(json!({ "requestedRole": "MANAGER" }))
        .await
        .succeeds();
    let input = json!({ "userId": otto.id(), "role": "EMPLOYEE" });
    let answer = ada.asks(APPROVE_USER, json!({ "input": input })).await;
    let answer = answer.succeeds();
    assert_eq!(answer.data("approveUser.approval.requestedRole"), "MANAGER");
    assert_eq!(answer.data("approveUser.approval.grantedRole"), "EMPLOYEE");
    let answer = otto.logs_in().await.succeeds();
    assert_eq!(answer.data("logIn.user.role"), "EMPLOYEE");
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn nobody_can_ask_to_be_an_admin() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    nico.tries_to_sign_up(json!({ "requestedRole": "ADMIN" }))
        .await
        .refused_for(&["input.requestedRole INVALID"]);
}

#[tokio::test]
async fn a_sign_up_is_decided_once() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    let user = nico.signs_up().await;
    ada.approves(&user).await;
    for operation in [APPROVE_USER, REJECT_USER] {
        let input = json!({ "input": { "userId": user } });
        let answer = ada.asks(operation, input).await;
        answer.refused_for(&["input.userId ALREADY_DECIDED"]);
    }
    app.runs_all_jobs().await;
    let inbox = nico.inbox();
    assert_eq!((inbox.count("approved"), inbox.count("rejected")), (1, 0));
}

#[tokio::test]
async fn people_log_in_by_username_or_address_however_they_are_spelled() {
    let app = TestApp::start().await;
    let nico = app.employee("Nico").await;
    for login in [
        "nico",
        "NICO",
        "  nico ",
        "nico@example.com",
        "Nico@EXAMPLE.com",
    ] {
        let answer = nico.on_another_device().logs_in_as(login).await;
        assert_eq!(
            answer.succeeds().data("logIn.user.username"),
            "Nico",
            "{login}"
        );
    }
}

#[tokio::test]
async fn the_admin_sees_who_waits_and_what_was_decided() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (nico, olga, pia) = (
        app.stranger("nico"),
        app.stranger("olga"),
        app.stranger("pia"),
    );
    for newcomer in [&nico, &olga, &pia] {
        newcomer.signs_up().await;
    }
    ada.approves(olga.id()).await;
    ada.rejects(pia.id(), "No room").await;
    app.runs_all_jobs().await;

    let who = async |decision: Value| {
        let answer = ada.asks(APPROVALS, json!({ "decision": decision })).await;
        let answer = answer.succeeds();
        let count = answer.data("approvals.totalCount");
        let nodes = answer.data("approvals.nodes");
        let names: Vec<String> = nodes
            .as_array()
            .unwrap()
            .iter()
            .map(|approval| approval["user"]["username"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(count, names.len());
        names
    };
    assert_eq!(who(Value::Null).await, ["pia", "olga", "nico"]);
    assert_eq!(who(json!(["PENDING"])).await, ["nico"]);
    assert_eq!(who(json!(["REJECTED", "APPROVED"])).await, ["pia", "olga"]);
    assert_eq!(who(json!([])).await, [""; 0]);
}

#[tokio::test]
async fn a_closed_house_takes_no_sign_ups() {
    let app = TestApp::start_with(&[("SIGN_UP", "closed")]).await;
    let nico = app.stranger("nico");
    nico.tries_to_sign_up(json!({}))
        .await
        .refused_with("NOT_ALLOWED");
    let answer = nico.sends("{ server { signUpOpen } }", json!({})).await;
    assert_eq!(answer.data("server.signUpOpen"), false);
}

#[tokio::test]
async fn the_newcomer_sees_their_own_answer_as_themselves() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    let form = json!({ "firstName": " Nico ", "lastName": "", "timeZone": "Asia/Dhaka" });
    let answer = nico.tries_to_sign_up(form).await.succeeds();
    assert_eq!(answer.data("signUp.user.email"), "nico@example.com");
    assert_eq!(answer.data("signUp.user.firstName"), "Nico");
    assert_eq!(answer.data("signUp.user.lastName"), Value::Null);
    assert_eq!(answer.data("signUp.user.displayName"), "Nico");
    assert_eq!(answer.data("signUp.user.timeZone"), "Asia/Dhaka");
    assert_eq!(answer.data("signUp.user.status"), "PENDING");
    assert_eq!(
        answer.data("signUp.user.createdAt"),
        "2026-01-05T09:00:00.000Z"
    );
    assert!(nico.id().starts_with("user_"));
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn deleted_while_waiting_is_gone_from_the_approval() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    let user = nico.signs_up().await;
    let delete = "mutation ($input: DeleteUserInput!) { deleteUser(input: $input) { deletedUserId userErrors { code } } }";
    let answer = ada
        .sends(delete, json!({ "input": { "userId": user } }))
        .await;
    assert_eq!(
        answer.succeeds().data("deleteUser.deletedUserId"),
        user.as_str()
    );
    let answer = ada.asks(APPROVALS, json!({})).await.succeeds();
    assert_eq!(answer.data("approvals.nodes.0.user"), Value::Null);
    let answer = ada.asks(USER, json!({ "id": user })).await;
    assert_eq!(answer.succeeds().data("user"), Value::Null);
    // The name is free again.
    let form = json!({ "username": "nico", "email": nico.email, "password": nico.password });
    let other = app.stranger("other");
    other
        .asks(SIGN_UP, json!({ "input": form }))
        .await
        .succeeds();
    app.runs_all_jobs().await;
}
