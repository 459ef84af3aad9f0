//! People prove by a mailed link that an address is theirs, and admins see
//! whether they did.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT_EVENTS, APPROVALS, Answer, CONFIRM_EMAIL, Person, REQUEST_EMAIL_CONFIRMATION, TestApp,
    UPDATE_USER, assert_mail,
};

async fn confirms(person: &Person, token: &str) -> Answer {
    let input = json!({ "input": { "token": token } });
    person.asks(CONFIRM_EMAIL, input).await
}

async fn asks_for_a_link(person: &Person) -> bool {
    let answer = person.asks(REQUEST_EMAIL_CONFIRMATION, json!({})).await;
    answer.succeeds().data("requestEmailConfirmation.accepted") == true
}

/// Whether this user's address is confirmed, as `viewer` sees it.
async fn is_verified(viewer: &Person, user_id: &str) -> Value {
    let query = "query ($id: ID!) { user(id: $id) { emailVerified } }";
    let answer = viewer.sends(query, json!({ "id": user_id })).await;
    answer.without_errors().data("user.emailVerified")
}

async fn moves(admin: &Person, user_id: &str, email: &str) {
    // Only for their own is the password looked at.
    let input = json!({ "userId": user_id, "email": email, "currentPassword": admin.password });
    admin
        .asks(UPDATE_USER, json!({ "input": input }))
        .await
        .succeeds();
}

#[tokio::test]
async fn a_newcomer_confirms_their_address_by_the_link_in_the_welcome() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    let id = nico.signs_up().await;
    app.runs_all_jobs().await;
    let welcome = nico.inbox().last();
    assert_mail("welcome", &welcome);
    let waiting = ada.asks(APPROVALS, json!({})).await.succeeds();
    assert_eq!(waiting.data("approvals.nodes.0.user.emailVerified"), false);

    // Whoever has the link is told nothing about the person.
    let answer = confirms(&app.stranger("anyone"), &welcome.token()).await;
    let answer = answer.succeeds();
    assert_eq!(answer.data("confirmEmail.confirmed"), true);
    assert_eq!(answer.data("confirmEmail.user"), Value::Null);
    let waiting = ada.asks(APPROVALS, json!({})).await.succeeds();
    assert_eq!(waiting.data("approvals.nodes.0.user.emailVerified"), true);

    let again = confirms(&nico, &welcome.token()).await;
    again.refused_for(&["input.token INVALID_TOKEN"]);
    assert_eq!(is_verified(&ada, &id).await, true);
}

#[tokio::test]
async fn nobody_needs_a_confirmed_address_to_be_let_in() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    assert_eq!(is_verified(&nico, nico.id()).await, false);
    let answer = confirms(&nico, &nico.inbox().latest("welcome").token()).await;
    let answer = answer.succeeds();
    assert_eq!(answer.data("confirmEmail.user.id"), nico.id());
    assert_eq!(answer.data("confirmEmail.user.emailVerified"), true);
}

#[tokio::test]
async fn only_oneself_and_admins_see_whether_an_address_is_confirmed() {
    let app = TestApp::start().await;
    let (ada, mia) = (app.admin("ada").await, app.manager("mia").await);
    let (nico, olga) = (app.employee("nico").await, app.employee("olga").await);
    // Whoever ran `create-admin` vouched for the address.
    assert_eq!(is_verified(&ada, ada.id()).await, true);
    for (viewer, expected) in [
        (&ada, json!(false)),
        (&nico, json!(false)),
        (&mia, Value::Null),
        (&olga, Value::Null),
    ] {
        assert_eq!(is_verified(viewer, nico.id()).await, expected);
    }
}

#[tokio::test]
async fn a_link_is_good_for_a_week() {
    let app = TestApp::start().await;
    let (nico, olga) = (app.stranger("nico"), app.stranger("olga"));
    nico.signs_up().await;
    olga.signs_up().await;
    app.runs_all_jobs().await;
    app.clock
        .advance(TimeDelta::days(7) - TimeDelta::milliseconds(1));
    let token = nico.inbox().last().token();
    confirms(&nico, &token).await.succeeds();
    app.clock.advance(TimeDelta::milliseconds(1));
    let token = olga.inbox().last().token();
    let late = confirms(&olga, &token).await;
    late.refused_for(&["input.token INVALID_TOKEN"]);
}

#[tokio::test]
async fn a_new_address_is_unconfirmed_and_both_addresses_are_told() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let old_link = nico.inbox().latest("welcome").token();
    confirms(&nico, &old_link).await.succeeds();
    moves(&ada, nico.id(), "nicolas@new.example").await;
    assert_eq!(is_verified(&ada, nico.id()).await, false);
    app.runs_all_jobs().await;

    let told = nico.inbox().latest("email-changed");
    assert_mail("email-changed", &told);
    assert!(!told.text.contains("nicolas") && !told.text.contains("new.example"));
    let moved = nico.clone().with_email("nicolas@new.example");
    let asked = moved.inbox().last();
    assert_mail("email-confirmation", &asked);
    assert_eq!(moved.inbox().kinds(), ["email-confirmation"]);
    confirms(&moved, &asked.token()).await.succeeds();
    assert_eq!(is_verified(&ada, nico.id()).await, true);
}

#[tokio::test]
async fn a_link_to_the_old_address_does_not_confirm_the_new_one() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let old_link = nico.inbox().latest("welcome").token();
    moves(&ada, nico.id(), "nicolas@new.example").await;
    let answer = confirms(&nico, &old_link).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    // And one that was not sent before the address changed again is not sent at all.
    moves(&ada, nico.id(), "nico@newer.example").await;
    app.runs_all_jobs().await;
    let skipped = nico.clone().with_email("nicolas@new.example");
    assert_eq!(skipped.inbox().kinds(), ["email-changed"]);
    assert_eq!(is_verified(&ada, nico.id()).await, false);
}

#[tokio::test]
async fn an_admin_who_changes_their_own_address_confirms_it_anew() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    moves(&ada, ada.id(), "ada@new.example").await;
    assert_eq!(is_verified(&ada, ada.id()).await, false);
    app.runs_all_jobs().await;
    let link = ada.clone().with_email("ada@new.example").inbox().last();
    confirms(&ada, &link.token()).await.succeeds();
    assert_eq!(is_verified(&ada, ada.id()).await, true);
}

#[tokio::test]
async fn the_same_address_in_other_letters_stays_confirmed() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let link = nico.inbox().latest("welcome").token();
    confirms(&nico, &link).await.succeeds();
    let sent = app.mails().len();
    moves(&ada, nico.id(), "Nico@EXAMPLE.com").await;
    assert_eq!(is_verified(&ada, nico.id()).await, true);
    app.runs_all_jobs().await;
    assert_eq!(app.mails().len(), sent);
}

#[tokio::test]
async fn whoever_lost_their_link_asks_for_another() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let first = nico.inbox().latest("welcome").token();
    // The welcome is a few minutes old.
    assert!(!asks_for_a_link(&nico).await);
    app.clock.advance(TimeDelta::minutes(5));
    assert!(asks_for_a_link(&nico).await);
    assert!(!asks_for_a_link(&nico).await);
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().count("email-confirmation"), 1);
    let second = nico.inbox().latest("email-confirmation").token();
    let answer = confirms(&nico, &first).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    confirms(&nico, &second).await.succeeds();

    // Nothing is left to confirm.
    app.clock.advance(TimeDelta::hours(1));
    nico.refreshes().await.succeeds();
    assert!(!asks_for_a_link(&nico).await);
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().count("email-confirmation"), 1);

    ada.logs_in().await.succeeds();
    let filter = json!({ "filter": { "userId": nico.id() }, "first": 2, "after": null });
    let history = ada.asks(ACCOUNT_EVENTS, filter).await.succeeds();
    assert_eq!(
        history.each("accountEvents.nodes", "kind"),
        ["EMAIL_CONFIRMED", "EMAIL_CONFIRMATION_REQUESTED"]
    );
}

#[tokio::test]
async fn a_reset_by_mail_confirms_the_address_too() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().latest("password-reset").token();
    assert_eq!(is_verified(&ada, nico.id()).await, false);
    nico.tries_to_reset(&token, "copper Kite 93 lantern")
        .await
        .succeeds();
    assert_eq!(is_verified(&ada, nico.id()).await, true);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_link_is_for_one_thing_only() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let reset = nico.inbox().latest("password-reset").token();
    let confirmation = nico.inbox().latest("welcome").token();
    for token in [reset.as_str(), "", "x", "💥", &"A".repeat(43)] {
        let answer = confirms(&nico, token).await;
        answer.refused_for(&["input.token INVALID_TOKEN"]);
    }
    let answer = nico
        .tries_to_reset(&confirmation, "copper Kite 93 lantern")
        .await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    confirms(&nico, &confirmation).await.succeeds();
}

#[tokio::test]
async fn whoever_was_shut_out_confirms_nothing() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (gone, rejected) = (app.employee("gone").await, app.stranger("rejected"));
    let input = json!({ "input": { "userId": gone.id(), "active": false } });
    ada.asks(UPDATE_USER, input).await.succeeds();
    rejected.signs_up().await;
    app.runs_all_jobs().await;
    ada.rejects(rejected.id(), "").await;
    // Who is shut out before their mail is sent gets no link in it.
    let late = app.stranger("late");
    let id = late.signs_up().await;
    ada.rejects(&id, "").await;
    app.runs_all_jobs().await;
    assert!(!late.inbox().latest("welcome").text.contains("#token="));
    for person in [&gone, &rejected] {
        let token = person.inbox().latest("welcome").token();
        let answer = confirms(person, &token).await;
        answer.refused_for(&["input.token INVALID_TOKEN"]);
        assert_eq!(is_verified(&ada, person.id()).await, false);
        // Another address is told that it is not theirs any more, and the new one is asked nothing.
        moves(
            &ada,
            person.id(),
            &format!("{}@new.example", person.username),
        )
        .await;
    }
    app.runs_all_jobs().await;
    assert_eq!(gone.inbox().count("email-changed"), 1);
    assert!(
        app.mails()
            .iter()
            .all(|mail| mail.kind != "email-confirmation")
    );
}

/// Mail scanners open links before people do.
#[tokio::test]
async fn opening_the_page_consumes_nothing_and_leaks_nothing() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().last().token();
    let page = app.url(&format!("/confirm-email#token={token}"));
    for _ in 0..3 {
        let response = app.http().get(&page).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{part} is not in {policy}");
        }
    }
    confirms(&nico, &token).await.succeeds();
}

#[tokio::test]
async fn the_link_leads_where_the_settings_say() {
    let pages = [("CONFIRM_EMAIL_URL", "https://app.example/hello?to=muster")];
    let app = TestApp::start_with(&pages).await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    app.runs_all_jobs().await;
    let text = nico.inbox().last().text;
    assert!(text.contains("https://app.example/hello?to=muster#token="));
}

#[tokio::test]
async fn links_that_expired_are_cleared_away() {
    let app = TestApp::start().await;
    app.stranger("nico").signs_up().await;
    app.runs_all_jobs().await;
    let count = "SELECT CAST(count(*) AS text) FROM email_confirmations";
    app.clock.advance(TimeDelta::days(7));
    app.clears_away().await;
    assert_eq!(app.database().reads(count).await, ["1"]);
    app.clock
        .advance(TimeDelta::days(1) + TimeDelta::milliseconds(1));
    app.clears_away().await;
    assert_eq!(app.database().reads(count).await, ["0"]);
}
