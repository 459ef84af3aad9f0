//! The operator changes the signing secret. Mails that waited meanwhile go out
//! all the same, and their links work.

use chrono::TimeDelta;
use muster::mail::SendError;
use serde_json::json;

use crate::support::{
    ACCEPT_INVITATION, Answer, CONFIRM_EMAIL, DELIVERIES, DELIVERY_PREVIEW, INVITATIONS,
    INVITE_USER, PAUSE_MAILS, Person, REQUEST_EMAIL_CONFIRMATION, RESEND_DELIVERY, RESUME_MAILS,
    TestApp,
};

const NEW: &[(&str, &str)] = &[("JWT_SECRET", "9zY8xW7vU6tS5rQ4pO3nM2lK1jI0hG_f")];
/// The kinds with a link that lets its reader do something.
const KINDS: [&str; 4] = [
    "INVITATION",
    "PASSWORD_RESET",
    "EMAIL_CONFIRMATION",
    "WELCOME",
];

async fn pauses(admin: &Person) {
    let input = json!({ "input": { "kinds": KINDS } });
    admin.asks(PAUSE_MAILS, input).await.succeeds();
}

async fn resumes(admin: &Person) {
    let input = json!({ "input": { "kinds": KINDS } });
    admin.asks(RESUME_MAILS, input).await.succeeds();
}

async fn invites(admin: &Person, person: &Person) {
    let input = json!({ "input": { "email": person.email, "role": "EMPLOYEE" } });
    admin.asks(INVITE_USER, input).await.succeeds();
}

async fn accepts(person: &Person, token: &str) -> Answer {
    let input = json!({ "input": {
        "token": token, "username": person.username, "password": person.password,
    } });
    person.asks(ACCEPT_INVITATION, input).await
}

async fn confirms(person: &Person, token: &str) -> Answer {
    let input = json!({ "input": { "token": token } });
    person.asks(CONFIRM_EMAIL, input).await
}

/// The text of the only mail of this kind, as an admin may read it.
async fn preview(admin: &Person, kind: &str) -> String {
    let filter = json!({ "filter": { "kind": [kind], "state": ["DUE"] } });
    let answer = admin.asks(DELIVERIES, filter).await.succeeds();
    assert_eq!(answer.data("deliveries.totalCount"), 1, "{kind}");
    let id = answer.words("deliveries.nodes.0.id");
    let input = json!({ "deliveryId": id });
    let answer = admin.asks(DELIVERY_PREVIEW, input).await;
    answer.succeeds().words("deliveryPreview.text")
}

#[tokio::test]
async fn mails_that_waited_go_out_with_links_that_work() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.admin("ada").await, app.employee("eve").await);
    pauses(&ada).await;
    let (nico, olga) = (app.stranger("nico"), app.stranger("olga"));
    invites(&ada, &nico).await;
    olga.signs_up().await;
    app.clock.advance(TimeDelta::minutes(6));
    eve.asks(REQUEST_EMAIL_CONFIRMATION, json!({}))
        .await
        .succeeds();
    eve.forgets_password().await;
    app.runs_all_jobs().await;
    assert_eq!(eve.inbox().count("password-reset"), 0);

    // From now on, nobody can tell what the first links were.
    let after = app.restarts_with(NEW).await;
    let [ada, eve, nico, olga] = [&ada, &eve, &nico, &olga].map(|person| person.at(&after));
    ada.logs_in().await.succeeds();
    let hashes = "SELECT token_hash FROM invitations UNION ALL SELECT token_hash FROM reset_tokens \
        UNION ALL SELECT token_hash FROM email_confirmations ORDER BY token_hash";
    let before = after.database().reads(hashes).await;
    for kind in KINDS {
        let text = preview(&ada, kind).await;
        assert!(text.contains("#token=hidden"), "{kind}: {text}");
    }
    // Looking at a mail changes nothing.
    assert_eq!(after.database().reads(hashes).await, before);
    resumes(&ada).await;
    after.lets_pass(TimeDelta::minutes(1)).await;

    accepts(&nico, &nico.inbox().latest("invitation").token())
        .await
        .succeeds();
    confirms(&olga, &olga.inbox().latest("welcome").token())
        .await
        .succeeds();
    let link = eve.inbox().latest("email-confirmation").token();
    confirms(&eve, &link).await.succeeds();
    let link = eve.inbox().latest("password-reset").reset_token();
    let password = "velvet comet ladder 9";
    eve.tries_to_reset(&link, password).await.succeeds();
    eve.with_password(password).logs_in().await.succeeds();
    after.runs_all_jobs().await;
}

#[tokio::test]
async fn a_mail_that_failed_for_now_is_tried_again_with_a_link_that_works() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    invites(&ada, &nico).await;
    app.outbox
        .fail_next(1, &SendError::transient("451 greylisted"));
    app.runs_all_jobs().await;
    let after = app.restarts_with(NEW).await;
    let nico = nico.at(&after);
    after.lets_pass(TimeDelta::minutes(1)).await;
    let first = nico.inbox().last().token();

    // The link is the same however often the mail is sent from then on.
    let ada = ada.at(&after);
    ada.logs_in().await.succeeds();
    let answer = ada.asks(DELIVERIES, json!({})).await.succeeds();
    let input = json!({ "input": { "deliveryId": answer.data("deliveries.nodes.0.id") } });
    ada.asks(RESEND_DELIVERY, input).await.succeeds();
    after.runs_all_jobs().await;
    assert_eq!(nico.inbox().kinds(), ["invitation", "invitation"]);
    assert_eq!(nico.inbox().last().token(), first);
    accepts(&nico, &first).await.succeeds();
}

#[tokio::test]
async fn a_link_that_was_mailed_before_still_works() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    invites(&ada, &nico).await;
    app.runs_all_jobs().await;
    let after = app.restarts_with(NEW).await;
    let token = nico.inbox().last().token();
    accepts(&nico.at(&after), &token).await.succeeds();
}

/// What is over is not brought back to life.
#[tokio::test]
async fn a_link_that_ended_meanwhile_is_not_mailed() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    let (eve, olga) = (app.employee("eve").await, app.stranger("olga"));
    pauses(&ada).await;
    for person in [&nico, &olga] {
        invites(&ada, person).await;
    }
    // The newer one takes the place of the older.
    invites(&ada, &olga).await;
    eve.forgets_password().await;
    app.clock.advance(TimeDelta::minutes(31));
    let after = app.restarts_with(NEW).await;
    let ada = ada.at(&after);
    ada.logs_in().await.succeeds();
    let answer = ada.asks(INVITATIONS, json!({})).await.succeeds();
    let nicos = answer.data("invitations.nodes.2");
    assert_eq!(nicos["email"], nico.email);
    after
        .sql("UPDATE invitations SET revoked_at = created_at WHERE email = 'nico@example.com'")
        .await;
    resumes(&ada).await;
    after.runs_all_jobs().await;
    let inboxes = [&nico, &eve, &olga].map(|person| person.at(&after).inbox());
    assert_eq!(inboxes[0].kinds(), [""; 0]);
    assert_eq!(inboxes[1].kinds(), [""; 0]);
    assert_eq!(inboxes[2].kinds(), ["invitation"]);
    accepts(&olga.at(&after), &inboxes[2].last().token())
        .await
        .succeeds();
    let over = json!({ "kind": KINDS, "state": ["SUPPRESSED"] });
    let answer = ada.asks(DELIVERIES, json!({ "filter": over })).await;
    assert_eq!(answer.succeeds().data("deliveries.totalCount"), 3);
}
