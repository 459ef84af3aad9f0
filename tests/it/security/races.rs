//! Many at once: what may happen once happens once, whoever is first.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    ACCEPT_INVITATION, APPROVALS, APPROVE_USER, Answer, Authenticator, CONFIRM_EMAIL, INVITE_USER,
    Person, REJECT_USER, SET_USER_ROLE, TestApp, UPDATE_USER, USERS,
};

/// The codes of the refusals, and how many were not refused.
fn outcomes(answers: &[Answer]) -> (usize, Vec<String>) {
    let mut codes: Vec<String> = answers.iter().flat_map(Answer::user_errors).collect();
    let won = answers.len() - codes.len();
    codes.dedup();
    (won, codes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_uses_of_one_link_one_sets_the_password() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().latest("password-reset").reset_token();
    let password = |number: usize| format!("copper Kite {number} lantern");
    let answers = join_all((0..50).map(async |number| {
        let answer = nico.tries_to_reset(&token, &password(number)).await;
        assert!(answer.http_status() < 500, "{}", answer.text());
        answer
    }))
    .await;
    let (won, codes) = outcomes(&answers);
    assert_eq!(
        (won, codes),
        (1, vec!["input.token INVALID_TOKEN".to_owned()])
    );
    let winner = answers
        .iter()
        .position(|answer| answer.user_errors().is_empty());
    let nico = nico.with_password(&password(winner.unwrap()));
    nico.logs_in().await.succeeds();
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().count("password-changed"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_log_ins_with_one_code_one_gets_in() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let authenticator = Authenticator::set_up(&nico, &app.clock).await;
    // That of the step that it is now was used to set it up.
    let code_of_the_app = authenticator.code_in(TimeDelta::seconds(30));
    for code in [&code_of_the_app, &authenticator.recovery_codes[0]] {
        let answers = join_all((0..50).map(async |_| {
            loop {
                let answer = nico.on_another_device().logs_in_with(code).await;
                assert!(answer.http_status() < 500, "{}", answer.text());
                // So many passwords at once make the server busy.
                if answer.code().as_deref() != Some("UNAVAILABLE") {
                    return answer.without_errors();
                }
            }
        }))
        .await;
        let (won, codes) = outcomes(&answers);
        assert_eq!(
            (won, codes),
            (1, vec!["input.code INVALID_CODE".to_owned()])
        );
    }
    app.runs_all_jobs().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_uses_of_one_link_one_confirms_the_address() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().last().token();
    let answers = join_all((0..50).map(async |_| {
        let input = json!({ "input": { "token": token } });
        nico.asks(CONFIRM_EMAIL, input).await.without_errors()
    }))
    .await;
    let (won, codes) = outcomes(&answers);
    assert_eq!(
        (won, codes),
        (1, vec!["input.token INVALID_TOKEN".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_who_accept_one_invitation_one_joins() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let input = json!({ "input": { "email": "nico@example.com", "role": "MANAGER" } });
    ada.asks(INVITE_USER, input).await.succeeds();
    app.runs_all_jobs().await;
    let token = app.stranger("nico").inbox().last().token();
    let crowd: Vec<Person> = (0..50)
        .map(|number| app.stranger(&format!("nico-{number}")))
        .collect();
    let answers = join_all(crowd.iter().map(async |person| {
        let input =
            json!({ "token": token, "username": person.username, "password": person.password });
        loop {
            let input = json!({ "input": input });
            let answer = person.asks(ACCEPT_INVITATION, input).await;
            assert!(answer.http_status() < 500, "{}", answer.text());
            if answer.code().as_deref() != Some("UNAVAILABLE") {
                return answer.without_errors();
            }
        }
    }))
    .await;
    let (won, codes) = outcomes(&answers);
    assert_eq!(
        (won, codes),
        (1, vec!["input.token INVALID_TOKEN".to_owned()])
    );
    let answer = ada.asks(USERS, json!({})).await.succeeds();
    assert_eq!(answer.data("users.totalCount"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_sign_ups_with_one_name_one_is_taken() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let crowd: Vec<Person> = (0..100)
        .map(|number| {
            app.stranger("nico")
                .with_email(&format!("nico{number}@example.com"))
        })
        .collect();
    let answers = join_all(crowd.iter().map(async |person| {
        loop {
            let answer = person.tries_to_sign_up(json!({})).await;
            assert!(answer.http_status() < 500, "{}", answer.text());
            // So many hashes at once make the server busy, and it says so instead of queueing them.
            if answer.code().as_deref() != Some("UNAVAILABLE") {
                return answer.without_errors();
            }
        }
    }))
    .await;
    let (won, codes) = outcomes(&answers);
    assert_eq!(
        (won, codes),
        (1, vec!["input.username USERNAME_TAKEN".to_owned()])
    );
    let answer = ada.asks(USERS, json!({})).await.succeeds();
    assert_eq!(answer.data("users.totalCount"), 2);
    app.runs_all_jobs().await;
    let mut kinds: Vec<String> = app.mails().into_iter().map(|mail| mail.kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["approval-waiting", "welcome"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_admins_who_decide_at_once_one_decides() {
    let app = TestApp::start().await;
    let (ada, abe) = (app.admin("ada").await, app.admin("abe").await);
    for round in 0..10 {
        let nico = app.stranger(&format!("nico-{round}"));
        let input = json!({ "input": { "userId": nico.signs_up().await } });
        let (yes, no) = tokio::join!(
            ada.asks(APPROVE_USER, input.clone()),
            abe.asks(REJECT_USER, input)
        );
        let (won, codes) = outcomes(&[yes, no]);
        assert_eq!(
            (won, codes),
            (1, vec!["input.userId ALREADY_DECIDED".to_owned()])
        );
        app.runs_all_jobs().await;
        let inbox = nico.inbox();
        assert_eq!(inbox.all().len(), 2);
        let answer = ada.asks(APPROVALS, json!({ "first": 1 })).await.succeeds();
        let decision = answer.words("approvals.nodes.0.decision");
        assert_eq!(inbox.count(&decision.to_lowercase()), 1);
        let login = nico.logs_in().await;
        assert_eq!(login.user_errors().is_empty(), decision == "APPROVED");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_admins_unmake_each_other_one_is_left() {
    let app = TestApp::start().await;
    for round in 0..10 {
        let names = [format!("ada-{round}"), format!("abe-{round}")];
        let (ada, abe) = (app.admin(&names[0]).await, app.admin(&names[1]).await);
        app.executes("UPDATE users SET role = 'EMPLOYEE' WHERE role = 'ADMIN' AND username NOT IN (SELECT username FROM users WHERE role = 'ADMIN' ORDER BY id DESC LIMIT 2)").await;
        let unmake = async |by: &Person, of: &Person| {
            let input = json!({ "input": { "userId": of.id(), "role": "EMPLOYEE" } });
            by.asks(SET_USER_ROLE, input).await
        };
        let answers: [Answer; 4] = tokio::join!(
            unmake(&ada, &abe),
            unmake(&abe, &ada),
            unmake(&ada, &ada),
            unmake(&abe, &abe)
        )
        .into();
        for answer in &answers {
            // Whoever is unmade first cannot unmake any more.
            let codes = ["FORBIDDEN", "UNAVAILABLE"];
            let is_late = answer
                .code()
                .is_some_and(|code| codes.contains(&code.as_str()));
            assert!(answer.errors().is_empty() || is_late, "{}", answer.text());
        }
        let mut admins = 0;
        for person in [&ada, &abe] {
            let answer = person.sends("{ viewer { role } }", json!({})).await;
            admins += usize::from(answer.data("viewer.role") == "ADMIN");
        }
        assert_eq!(admins, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_take_one_address_one_has_it() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mut people = Vec::new();
    for number in 0..10 {
        people.push(app.employee(&format!("person-{number}")).await);
    }
    let answers = join_all(people.iter().map(async |person| {
        let input = json!({ "userId": person.id(), "email": "wanted@example.com" });
        ada.asks(UPDATE_USER, json!({ "input": input })).await
    }))
    .await;
    let (won, codes) = outcomes(&answers);
    assert_eq!(
        (won, codes),
        (1, vec!["input.email EMAIL_TAKEN".to_owned()])
    );
    app.runs_all_jobs().await;
}
