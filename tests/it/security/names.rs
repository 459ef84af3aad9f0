//! Nobody can pass for somebody else: names and addresses are unique however they
//! are spelled, and whatever they look like.

use serde_json::json;

use crate::support::{TestApp, UPDATE_PROFILE};

#[tokio::test]
async fn a_username_that_looks_like_another_is_taken() {
    let app = TestApp::start().await;
    app.employee("paul").await;
    app.employee("Modern").await;
    app.employee("x0x").await;
    for name in [
        "paul", "PAUL", "Paul", " paul ", "pau1", "PAU1", "paUI", "rnodern", "modem", "xOx", "XoX",
    ] {
        let double = app.stranger("double");
        let answer = double.tries_to_sign_up(json!({ "username": name })).await;
        answer.refused_for(&["input.username USERNAME_TAKEN"]);
    }
    for name in ["paula", "pa.ul", "pa-ul", "moderna"] {
        let other = app.stranger(name);
        other.tries_to_sign_up(json!({})).await.succeeds();
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn an_address_is_the_same_whatever_its_case_and_the_spelling_of_its_domain() {
    let app = TestApp::start().await;
    let paul = app.stranger("paul").with_email("Paul@B\u{fc}cher.example");
    paul.signs_up().await;
    app.runs_all_jobs().await;
    for email in [
        "paul@b\u{fc}cher.example",
        "PAUL@B\u{dc}CHER.EXAMPLE",
        "paul@xn--bcher-kva.example",
        " paul@b\u{fc}cher.example ",
    ] {
        let double = app.stranger("double").with_email(email);
        let answer = double.tries_to_sign_up(json!({})).await;
        answer.refused_for(&["input.email EMAIL_TAKEN"]);
    }
    // What dots and plus signs mean is the receiver's business.
    for (name, email) in [
        ("plus", "paul+1@b\u{fc}cher.example"),
        ("dot", "p.aul@b\u{fc}cher.example"),
    ] {
        app.stranger(name).with_email(email).signs_up().await;
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn nobody_logs_in_by_the_address_of_somebody_else_as_a_name() {
    let app = TestApp::start().await;
    app.employee("paul").await;
    let double = app.stranger("double");
    let form = json!({ "username": "paul@example.com" });
    double
        .tries_to_sign_up(form)
        .await
        .refused_for(&["input.username INVALID"]);
}

#[tokio::test]
async fn a_name_can_be_respelled_by_its_owner_only() {
    let app = TestApp::start().await;
    let (paul, eve) = (app.employee("paul").await, app.employee("eve").await);
    let rename = async |person: &crate::support::Person, name: &str| {
        let input = json!({ "input": { "username": name } });
        person.asks(UPDATE_PROFILE, input).await
    };
    for name in ["Paul", "PAUL", "pau1", "paul"] {
        rename(&paul, name).await.succeeds();
    }
    for name in ["paul", "PAU1"] {
        let answer = rename(&eve, name).await;
        answer.refused_for(&["input.username USERNAME_TAKEN"]);
    }
    for name in ["admin", "R00T", "rnuster"] {
        let answer = rename(&eve, name).await;
        answer.refused_for(&["input.username INVALID"]);
    }
    // Another case can look like somebody else.
    let (pail, pall) = (app.employee("pail").await, app.employee("pall").await);
    let answer = rename(&pail, "paIl").await;
    answer.refused_for(&["input.username USERNAME_TAKEN"]);
    rename(&pall, "PALL").await.succeeds();
    // Once it is given up, it is free.
    rename(&paul, "paolo").await.succeeds();
    rename(&eve, "paul").await.succeeds();
}
