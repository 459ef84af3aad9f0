//! Admins invite people, who join by the mailed link without another decision.

use chrono::TimeDelta;
use muster::mail::SendError;
use serde_json::{Value, json};

use crate::support::{
    ACCEPT_INVITATION, ACCOUNT_EVENTS, Answer, Authenticator, CONFIRM_EMAIL, DELETE_USER,
    INVITATIONS, INVITE_USER, NODE, Person, REVOKE_INVITATION, SET_USER_ROLE, TestApp, assert_mail,
};

async fn tries_to_invite(admin: &Person, input: Value) -> Answer {
    admin.asks(INVITE_USER, json!({ "input": input })).await
}

/// The id of the invitation.
async fn invites(admin: &Person, person: &Person, role: &str) -> String {
    let input = json!({ "email": person.email, "role": role });
    let answer = tries_to_invite(admin, input).await.succeeds();
    answer.words("inviteUser.invitation.id")
}

async fn accepts(person: &Person, token: &str) -> Answer {
    accepts_with(person, token, json!({})).await
}

/// With fields of the form that differ from the usual ones.
async fn accepts_with(person: &Person, token: &str, fields: Value) -> Answer {
    let mut input = json!({
        "token": token, "username": person.username, "password": person.password,
    });
    for (name, value) in fields.as_object().unwrap() {
        input[name] = value.clone();
    }
    let input = json!({ "input": input });
    person.asks(ACCEPT_INVITATION, input).await
}

/// Invited, and with the link at hand.
async fn invited(app: &TestApp, admin: &Person, username: &str) -> (Person, String) {
    let person = app.stranger(username);
    invites(admin, &person, "EMPLOYEE").await;
    app.runs_all_jobs().await;
    let token = person.inbox().last().token();
    (person, token)
}

async fn states(admin: &Person) -> Vec<String> {
    let answer = admin.asks(INVITATIONS, json!({})).await.succeeds();
    answer.each("invitations.nodes", "state")
}

#[tokio::test]
async fn whoever_is_invited_joins_at_once() {
    let closed = [
        ("SIGN_UP", "closed"),
        ("SIGN_UP_DOMAINS", "elsewhere.example"),
    ];
    let app = TestApp::start_with(&closed).await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    let input = json!({ "email": "Nico@example.com", "role": "MANAGER" });
    let answer = tries_to_invite(&ada, input).await.succeeds();
    let sent = answer.data("inviteUser.invitation");
    assert_eq!(sent["state"], "PENDING");
    assert_eq!(sent["invitedBy"]["username"], "ada");
    assert_eq!(sent["expiresAt"], app.in_(TimeDelta::days(7)));
    assert_eq!(
        (&sent["acceptedAt"], &sent["user"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(app.runs_all_jobs().await, 1);
    let mail = nico.clone().with_email("Nico@example.com").inbox().last();
    assert_mail("invitation", &mail);

    app.clock.advance(TimeDelta::days(1));
    let form = json!({ "firstName": "Nico", "lastName": "Rossi", "timeZone": "Europe/Rome" });
    let answer = accepts_with(&nico, &mail.token(), form).await.succeeds();
    let user = answer.data("acceptInvitation.user");
    assert_eq!(
        (&user["role"], &user["status"]),
        (&json!("MANAGER"), &json!("ACTIVE"))
    );
    assert_eq!(
        (&user["email"], &user["emailVerified"]),
        (&json!("Nico@example.com"), &json!(true))
    );
    assert_eq!(
        (&user["lastName"], &user["timeZone"]),
        (&json!("Rossi"), &json!("Europe/Rome"))
    );
    nico.logs_in().await.succeeds();
    nico.logs_in_as("nico@example.com").await.succeeds();

    ada.logs_in().await.succeeds();
    let answer = ada.asks(INVITATIONS, json!({})).await.succeeds();
    let kept = answer.data("invitations.nodes.0");
    assert_eq!(kept["state"], "ACCEPTED");
    assert_eq!(kept["acceptedAt"], app.in_(TimeDelta::zero()));
    assert_eq!(kept["user"]["username"], "nico");
    assert_eq!(app.runs_all_jobs().await, 0);
}

#[tokio::test]
async fn an_invitation_is_good_once() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (nico, token) = invited(&app, &ada, "nico").await;
    accepts(&nico, &token).await.succeeds();
    let again = accepts(&app.stranger("olga"), &token).await;
    again.refused_for(&["input.token INVALID_TOKEN"]);
}

#[tokio::test]
async fn an_invitation_expires_when_it_says() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (nico, olga) = (app.stranger("nico"), app.stranger("olga"));
    for person in [&nico, &olga] {
        let until = app.in_(TimeDelta::days(30));
        let input = json!({ "email": person.email, "role": "ADMIN", "expiresAt": until });
        tries_to_invite(&ada, input).await.succeeds();
    }
    app.runs_all_jobs().await;
    app.clock
        .advance(TimeDelta::days(30) - TimeDelta::milliseconds(1));
    let token = nico.inbox().last().token();
    accepts(&nico, &token).await.succeeds();
    app.clock.advance(TimeDelta::milliseconds(1));
    let token = olga.inbox().last().token();
    let late = accepts(&olga, &token).await;
    late.refused_for(&["input.token INVALID_TOKEN"]);
    // Who joined as an admin is one.
    nico.logs_in().await.succeeds();
    assert_eq!(states(&nico).await, ["EXPIRED", "ACCEPTED"]);
}

#[tokio::test]
async fn what_an_admin_may_ask_for_is_bounded() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let moment = TimeDelta::milliseconds(1);
    for (input, problem) in [
        (json!({ "email": "" }), "input.email BLANK"),
        (json!({ "email": "olga" }), "input.email INVALID"),
        (
            json!({ "email": "NICO@example.com" }),
            "input.email EMAIL_TAKEN",
        ),
        (
            json!({ "expiresAt": app.in_(TimeDelta::zero()) }),
            "input.expiresAt INVALID",
        ),
        (
            json!({ "expiresAt": app.in_(TimeDelta::days(30) + moment) }),
            "input.expiresAt INVALID",
        ),
    ] {
        let mut form = json!({ "email": "olga@example.com", "role": "EMPLOYEE" });
        for (name, value) in input.as_object().unwrap() {
            form[name] = value.clone();
        }
        tries_to_invite(&ada, form).await.refused_for(&[problem]);
    }
    let input = json!({ "email": "olga@example.com", "role": "EMPLOYEE" });
    tries_to_invite(&nico, input).await.fails_with("FORBIDDEN");
    assert_eq!(states(&ada).await, [""; 0]);
}

#[tokio::test]
async fn a_newer_invitation_takes_the_place_of_the_older() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (nico, older) = invited(&app, &ada, "nico").await;
    let input = json!({ "email": "NICO@example.com", "role": "MANAGER" });
    tries_to_invite(&ada, input).await.succeeds();
    app.runs_all_jobs().await;
    let newer = nico.clone().with_email("NICO@example.com").inbox().last();
    assert_eq!(states(&ada).await, ["PENDING", "REVOKED"]);
    let answer = accepts(&nico, &older).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    let answer = accepts(&nico, &newer.token()).await.succeeds();
    assert_eq!(answer.data("acceptInvitation.user.role"), "MANAGER");
}

#[tokio::test]
async fn an_invitation_that_was_taken_back_opens_no_door() {
    let app = TestApp::start().await;
    let (ada, abe) = (app.admin("ada").await, app.admin("abe").await);
    let (nico, token) = invited(&app, &ada, "nico").await;
    let answer = ada.asks(INVITATIONS, json!({})).await.succeeds();
    let id = answer.words("invitations.nodes.0.id");
    let input = json!({ "input": { "invitationId": id } });
    // Another admin may, too.
    let answer = abe.asks(REVOKE_INVITATION, input.clone()).await.succeeds();
    assert_eq!(answer.data("revokeInvitation.invitation.state"), "REVOKED");
    let answer = accepts(&nico, &token).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    let again = ada.asks(REVOKE_INVITATION, input).await;
    again.refused_for(&["input.invitationId NOT_ALLOWED"]);
    for unknown in ["garbled", "invitation_00000000000000000000000000", ada.id()] {
        let input = json!({ "input": { "invitationId": unknown } });
        let answer = ada.asks(REVOKE_INVITATION, input).await;
        answer.refused_for(&["input.invitationId NOT_FOUND"]);
    }
}

#[tokio::test]
async fn an_invitation_is_worth_what_its_admin_is() {
    let app = TestApp::start().await;
    let (ada, abe) = (app.admin("ada").await, app.admin("abe").await);
    let (nico, token) = invited(&app, &abe, "nico").await;
    for role in ["MANAGER", "ADMIN"] {
        let input = json!({ "input": { "userId": abe.id(), "role": role } });
        ada.asks(SET_USER_ROLE, input).await.succeeds();
        // Getting the right back does not bring the invitation back.
        let answer = accepts(&nico, &token).await;
        answer.refused_for(&["input.token INVALID_TOKEN"]);
        assert_eq!(states(&ada).await, ["REVOKED"]);
    }

    // However the right was lost.
    let (olga, token) = invited(&app, &abe, "olga").await;
    app.sql("UPDATE users SET status = 'DEACTIVATED' WHERE username = 'abe'")
        .await;
    let answer = accepts(&olga, &token).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    app.sql("UPDATE users SET status = 'ACTIVE', role = 'EMPLOYEE' WHERE username = 'abe'")
        .await;
    let answer = accepts(&olga, &token).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    let input = json!({ "input": { "userId": abe.id() } });
    ada.asks(DELETE_USER, input).await.succeeds();
    let answer = accepts(&olga, &token).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
}

/// Whoever knew an admin's password, and no more than that, may have written it to themselves.
#[tokio::test]
async fn an_invitation_of_an_admin_who_is_held_back_opens_no_door() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let thief = app.stranger("thief");
    invites(&ada, &thief, "ADMIN").await;
    app.runs_all_jobs().await;
    let token = thief.inbox().last().token();
    // This one is still to be mailed.
    invites(&ada, &app.stranger("late"), "ADMIN").await;

    let strict = app
        .restarts_with(&[("ADMIN_SECOND_FACTOR", "required")])
        .await;
    strict.runs_all_jobs().await;
    assert_eq!(strict.mails().len(), 0);
    let (ada, thief) = (ada.at(&strict), thief.at(&strict));
    let answer = accepts(&thief, &token).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);

    // What was offered by the password alone does not come back with the second factor.
    Authenticator::set_up(&ada, &strict.clock).await;
    let answer = accepts(&thief, &token).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    assert_eq!(states(&ada).await, ["REVOKED", "REVOKED"]);
    let (nico, token) = invited(&strict, &ada, "nico").await;
    accepts(&nico, &token).await.succeeds();
}

#[tokio::test]
async fn the_form_of_an_invitation_is_checked_as_that_of_a_sign_up() {
    let app = TestApp::start().await;
    let (ada, _) = (app.admin("ada").await, app.employee("eve").await);
    let (nico, token) = invited(&app, &ada, "nico").await;
    for (form, problem) in [
        (json!({ "username": "" }), "input.username BLANK"),
        (json!({ "username": "root" }), "input.username INVALID"),
        (
            json!({ "username": "EVE" }),
            "input.username USERNAME_TAKEN",
        ),
        (json!({ "password": "short" }), "input.password TOO_SHORT"),
        // The address of the invitation is no secret.
        (
            json!({ "password": "nico@example.com" }),
            "input.password WEAK_PASSWORD",
        ),
        (
            json!({ "firstName": "x".repeat(101) }),
            "input.firstName TOO_LONG",
        ),
        (
            json!({ "timeZone": "Mars/Olympus" }),
            "input.timeZone INVALID",
        ),
    ] {
        accepts_with(&nico, &token, form)
            .await
            .refused_for(&[problem]);
    }
    // None of that has used the link up.
    accepts(&nico, &token).await.succeeds();
}

#[tokio::test]
async fn whoever_signed_up_meanwhile_has_an_account_already() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (nico, token) = invited(&app, &ada, "nico").await;
    nico.signs_up().await;
    let twin = app.stranger("twin");
    let answer = accepts(&twin, &token).await;
    answer.refused_with("EMAIL_TAKEN");
    let answer = accepts(&nico, &token).await;
    assert_eq!(answer.user_errors().len(), 2, "{}", answer.text());
    app.runs_all_jobs().await;
    nico.logs_in().await.refused_with("NOT_APPROVED");
}

#[tokio::test]
async fn tokens_of_other_links_open_no_door() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (nico, token) = invited(&app, &ada, "nico").await;
    let olga = app.stranger("olga");
    olga.signs_up().await;
    olga.forgets_password().await;
    app.runs_all_jobs().await;
    let of_welcome = olga.inbox().latest("welcome").token();
    let of_reset = olga.inbox().latest("password-reset").token();
    for foreign in [&of_welcome, &of_reset, "", "x", "💥", &"A".repeat(43)] {
        let answer = accepts(&nico, foreign).await;
        answer.refused_for(&["input.token INVALID_TOKEN"]);
    }
    let input = json!({ "input": { "token": token } });
    let answer = nico.asks(CONFIRM_EMAIL, input).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    let answer = nico.tries_to_reset(&token, "copper Kite 93 lantern").await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    let holds = app.database().everything().await;
    let holds = |text: &str| {
        holds
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("nico@example.com"), "nothing was read");
    assert!(!holds(&token), "the token is in the database");
}

/// Mail scanners open links before people do.
#[tokio::test]
async fn opening_the_page_accepts_nothing() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (nico, token) = invited(&app, &ada, "nico").await;
    let page = app.url(&format!("/accept-invitation#token={token}"));
    let response = app.http().get(&page).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    assert_eq!(states(&ada).await, ["PENDING"]);
    accepts(&nico, &token).await.succeeds();
}

#[tokio::test]
async fn only_admins_see_invitations() {
    let app = TestApp::start().await;
    let (ada, mia) = (app.admin("ada").await, app.manager("mia").await);
    let id = invites(&ada, &app.stranger("nico"), "EMPLOYEE").await;
    app.runs_all_jobs().await;
    let by_id = json!({ "id": id });
    let answer = ada.asks(NODE, by_id.clone()).await.succeeds();
    assert_eq!(answer.data("node.state"), "PENDING");
    let answer = mia.asks(NODE, by_id).await.without_errors();
    assert_eq!(answer.data("node"), Value::Null);
    mia.asks(INVITATIONS, json!({}))
        .await
        .fails_with("FORBIDDEN");
}

#[tokio::test]
async fn the_list_is_filtered_by_state_and_walked_in_pages() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        app.clock.advance(TimeDelta::minutes(1));
        let person = app.stranger(&format!("nico-{number}"));
        ids.push(invites(&ada, &person, "EMPLOYEE").await);
    }
    ids.reverse();
    app.runs_all_jobs().await;
    let input = json!({ "input": { "invitationId": ids[2] } });
    ada.asks(REVOKE_INVITATION, input).await.succeeds();
    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = json!({ "state": ["PENDING", "EXPIRED"], "first": 3, "after": after });
        let answer = ada.asks(INVITATIONS, page).await.succeeds();
        assert_eq!(answer.data("invitations.totalCount"), 4);
        seen.extend(answer.each("invitations.nodes", "id"));
        if answer.data("invitations.pageInfo.hasNextPage") == false {
            break;
        }
        after = answer.data("invitations.pageInfo.endCursor");
        // The list is the same one a moment later.
        app.clock.advance(TimeDelta::seconds(1));
    }
    ids.remove(2);
    assert_eq!(seen, ids);
    for (state, count) in [
        (json!(["REVOKED"]), 1),
        (json!(["ACCEPTED"]), 0),
        (json!([]), 0),
    ] {
        let answer = ada.asks(INVITATIONS, json!({ "state": state })).await;
        assert_eq!(answer.succeeds().data("invitations.totalCount"), count);
    }
}

#[tokio::test]
async fn an_invitation_that_was_replaced_before_it_was_sent_is_not_mailed() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    invites(&ada, &nico, "EMPLOYEE").await;
    invites(&ada, &nico, "MANAGER").await;
    app.outbox
        .fail_next(1, &SendError::transient("451 greylisted"));
    app.runs_all_jobs().await;
    app.lets_pass(TimeDelta::minutes(1)).await;
    assert_eq!(nico.inbox().kinds(), ["invitation"]);
    let token = nico.inbox().last().token();
    let answer = accepts(&nico, &token).await.succeeds();
    assert_eq!(answer.data("acceptInvitation.user.role"), "MANAGER");
}

#[tokio::test]
async fn the_history_tells_who_invited_and_who_came() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (nico, token) = invited(&app, &ada, "nico").await;
    accepts(&nico, &token).await.succeeds();
    let id = invites(&ada, &app.stranger("olga"), "EMPLOYEE").await;
    let input = json!({ "input": { "invitationId": id } });
    ada.asks(REVOKE_INVITATION, input).await.succeeds();
    app.runs_all_jobs().await;
    let kinds = ["INVITED", "INVITATION_REVOKED", "INVITATION_ACCEPTED"];
    let filter = json!({ "filter": { "kind": kinds } });
    let answer = ada.asks(ACCOUNT_EVENTS, filter).await.succeeds();
    assert_eq!(
        answer.each("accountEvents.nodes", "kind"),
        [
            "INVITATION_REVOKED",
            "INVITED",
            "INVITATION_ACCEPTED",
            "INVITED"
        ]
    );
    assert_eq!(answer.data("accountEvents.nodes.0.doneBy.username"), "ada");
    assert_eq!(answer.data("accountEvents.nodes.2.user.username"), "nico");
    assert_eq!(answer.data("accountEvents.nodes.2.doneBy.username"), "nico");
}

#[tokio::test]
async fn who_brought_somebody_in_as_what_is_known_long_after_the_invitation_is_gone() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    invites(&ada, &nico, "MANAGER").await;
    app.runs_all_jobs().await;
    let token = nico.inbox().last().token();
    accepts(&nico, &token).await.succeeds();
    app.clock.advance(TimeDelta::days(399));
    app.clears_away().await;
    for person in [&ada, &nico] {
        person.logs_in().await.succeeds();
    }
    assert_eq!(states(&ada).await, [""; 0]);

    let kinds = json!({ "filter": { "kind": ["INVITED", "INVITATION_ACCEPTED"] } });
    let answer = ada.asks(ACCOUNT_EVENTS, kinds.clone()).await.succeeds();
    let (accepted, invited) = (
        answer.data("accountEvents.nodes.0"),
        answer.data("accountEvents.nodes.1"),
    );
    assert_eq!(accepted["kind"], "INVITATION_ACCEPTED");
    assert_eq!(accepted["user"]["username"], "nico");
    assert_eq!(accepted["invitedBy"]["username"], "ada");
    assert_eq!(invited["kind"], "INVITED");
    assert_eq!(invited["doneBy"]["username"], "ada");
    assert_eq!(invited["invitedBy"], Value::Null);
    for event in [&accepted, &invited] {
        assert_eq!(
            (&event["roleBefore"], &event["roleAfter"]),
            (&Value::Null, &json!("MANAGER"))
        );
    }
    // Whose history it is sees it, too, and nothing of what was not theirs.
    let answer = nico.asks(ACCOUNT_EVENTS, kinds).await.succeeds();
    let own = answer.data("accountEvents.nodes");
    assert_eq!(own.as_array().unwrap().len(), 1);
    assert_eq!(own[0]["invitedBy"]["username"], "ada");
}

#[tokio::test]
async fn old_invitations_are_cleared_away() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    invites(&ada, &app.stranger("nico"), "EMPLOYEE").await;
    app.runs_all_jobs().await;
    let count = "SELECT CAST(count(*) AS text) FROM invitations";
    app.clock.advance(TimeDelta::days(7 + 90));
    app.clears_away().await;
    assert_eq!(app.database().reads(count).await, ["1"]);
    app.clock.advance(TimeDelta::milliseconds(1));
    app.clears_away().await;
    assert_eq!(app.database().reads(count).await, ["0"]);
}
