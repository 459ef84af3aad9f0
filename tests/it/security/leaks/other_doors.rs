//! Everything besides a password and a session's tokens that lets somebody in: used
//! well, used twice, changed a little, and put where it does not belong.

use chrono::TimeDelta;
use muster::clock::Clock;
use serde_json::json;

use crate::support::browser::with_form;
use crate::support::program::{House, Server};
use crate::support::{
    ACCEPT_INVITATION, Answer, Authenticator, CONFIRM_EMAIL, CONFIRM_SECOND_FACTOR,
    CREATE_API_TOKEN, CREATE_TASK, INVITE_USER, Mail, NODE, PASSWORD, Person, REVOKE_API_TOKEN,
    VIEWER,
};

const REFRESH_COOKIE: &str = "__Host-muster_refresh_token";
/// By the name that it has where the server is called by plain HTTP.
const BOARD_COOKIE: &str = "muster_job_board";
const STEP: TimeDelta = TimeDelta::seconds(30);

/// What came of a story.
#[derive(Default)]
pub(super) struct Heard {
    /// What must be told to nobody.
    pub secrets: Vec<String>,
    /// What was answered to whoever got something wrong.
    pub refusals: Vec<String>,
}

impl Heard {
    fn keeps(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    fn refusal(&mut self, answer: &Answer) {
        self.refusals.push(answer.text().to_owned());
    }

    /// Takes a secret of one kind for one of any other.
    async fn misplaces(&mut self, secret: &str, person: &Person) {
        let stranger = person.on_another_device();
        let bearer = stranger.with_access_token(secret);
        self.refusal(&bearer.asks(VIEWER, json!({})).await);
        self.refusal(&stranger.with_password(secret).logs_in().await);
        self.refusal(&stranger.logs_in_as(secret).await);
        self.refusal(&stranger.logs_in_with(secret).await);
        self.refusal(&stranger.tries_to_reset(secret, PASSWORD).await);
        for (operation, variables) in [
            (NODE, json!({ "id": secret })),
            (NODE, json!({ "id": [secret] })),
            (
                CONFIRM_EMAIL,
                json!({ "input": { "token": { "text": secret } } }),
            ),
            (CONFIRM_EMAIL, json!({ "input": { "tokn": secret } })),
        ] {
            self.refusal(&person.asks(operation, variables).await);
        }
        let query =
            format!("mutation {{ confirmEmail(input: {{ token: [\"{secret}\"] }}) {{ x }} }}");
        self.refusal(&person.sends(&query, json!({})).await);
    }
}

/// A token that is right but for its last character.
fn changed(secret: &str) -> String {
    let (rest, last) = secret.split_at(secret.len() - 1);
    format!("{rest}{}", if last == "A" { "B" } else { "A" })
}

/// The first mail of this kind to this address, once it is there.
async fn mail(house: &House, kind: &str, address: &str) -> Mail {
    let mut count = 1;
    loop {
        let mails = house.waits_for_mails(count).await;
        count = mails.len() + 1;
        let mut mails = mails.into_iter();
        if let Some(mail) = mails.find(|mail| mail.kind == kind && mail.is_to(address)) {
            return mail;
        }
    }
}

/// Ada is an admin who is logged in.
pub(super) async fn story(house: &House, server: &Server, ada: &Person) -> Heard {
    let mut heard = Heard::default();
    let olga = server.stranger("olga");
    invitation(&mut heard, house, ada, &olga).await;
    confirmation(&mut heard, house, &server.stranger("pia")).await;
    script(&mut heard, &olga).await;
    refresh_cookie(&mut heard, server, &olga).await;
    board(&mut heard, server, ada).await;
    second_factor(&mut heard, &olga).await;
    heard
}

/// Olga is invited, and joins.
async fn invitation(heard: &mut Heard, house: &House, ada: &Person, olga: &Person) {
    let input = json!({ "email": olga.email, "role": "MANAGER" });
    let invited = ada.asks(INVITE_USER, json!({ "input": input })).await;
    invited.succeeds();
    let token = mail(house, "invitation", &olga.email).await.token();
    heard.keeps(&token);
    let accepts = async |token: &str, password: &str| {
        let input = json!({ "token": token, "username": "olga", "password": password });
        olga.asks(ACCEPT_INVITATION, json!({ "input": input }))
            .await
    };
    heard.refusal(&accepts(&token, "short").await);
    heard.refusal(&accepts(&changed(&token), PASSWORD).await);
    accepts(&token, PASSWORD).await.succeeds();
    heard.refusal(&accepts(&token, PASSWORD).await);
    olga.logs_in().await.succeeds();
    heard.misplaces(&token, olga).await;
}

/// Pia signs up, and confirms her address.
async fn confirmation(heard: &mut Heard, house: &House, pia: &Person) {
    pia.signs_up().await;
    let token = mail(house, "welcome", &pia.email).await.token();
    heard.keeps(&token);
    let confirms = async |token: &str| {
        let input = json!({ "input": { "token": token } });
        pia.asks(CONFIRM_EMAIL, input).await
    };
    heard.refusal(&confirms(&changed(&token)).await);
    confirms(&token).await.succeeds();
    heard.misplaces(&token, pia).await;
}

/// Olga's script may read, tries more, and is shut out.
async fn script(heard: &mut Heard, olga: &Person) {
    let input = json!({ "name": "export", "access": "READ", "currentPassword": PASSWORD });
    let created = olga.asks(CREATE_API_TOKEN, json!({ "input": input })).await;
    let created = created.succeeds();
    let token = created.words("createApiToken.token");
    let random = token.strip_prefix("muster_").unwrap();
    // With and without its first part.
    heard.keeps(random);
    let script = olga.with_access_token(&token);
    assert!(script.is_signed_in().await);
    let input = json!({ "input": { "title": "Count the chairs" } });
    heard.refusal(&script.asks(CREATE_TASK, input).await);
    heard.misplaces(random, olga).await;
    let input = json!({ "input": { "apiTokenId": created.words("createApiToken.apiToken.id") } });
    olga.asks(REVOKE_API_TOKEN, input).await.succeeds();
    heard.misplaces(&token, olga).await;
}

/// A browser of Olga's keeps its refresh token in a cookie, and comes again with the one that it had.
async fn refresh_cookie(heard: &mut Heard, server: &Server, olga: &Person) {
    let sends = async |query: &str, cookie: &str| {
        let request = server.http().post(server.url("/graphql"));
        let request = request.header("cookie", format!("{REFRESH_COOKIE}={cookie}"));
        request
            .json(&json!({ "query": query }))
            .send()
            .await
            .unwrap()
    };
    let log_in = format!(
        "mutation {{ logIn(input: {{ login: \"olga\", password: \"{PASSWORD}\", refreshTokenIn: COOKIE }}) {{ accessToken }} }}"
    );
    let refresh = "mutation { refreshSession(input: {}) { userErrors { code } } }";
    let first = cookie(&sends(&log_in, "none").await, REFRESH_COOKIE);
    let second = cookie(&sends(refresh, &first).await, REFRESH_COOKIE);
    assert_ne!(first, second);
    let third = cookie(&sends(refresh, &second).await, REFRESH_COOKIE);
    // It was used, and so was its successor: the session is over.
    for secret in [&first, &changed(&third)] {
        let refused = sends(refresh, secret).await.text().await.unwrap();
        assert!(refused.contains("INVALID_TOKEN"), "{refused}");
        heard.refusals.push(refused);
    }
    for secret in [&first, &second, &third] {
        heard.keeps(secret);
    }
    heard.misplaces(&third, olga).await;
}

/// The value of the cookie that this sets.
fn cookie(response: &reqwest::Response, name: &str) -> String {
    let set = response.headers().get("set-cookie").expect("no cookie");
    let set = set.to_str().unwrap().strip_prefix(&format!("{name}="));
    set.unwrap().split(';').next().unwrap().to_owned()
}

/// Ada looks at the job board.
async fn board(heard: &mut Heard, server: &Server, ada: &Person) {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let http = http.build().unwrap();
    let enters = async |password: &str| {
        let fields = [("login", "ada"), ("password", password), ("code", "")];
        let request = http.post(server.url("/jobs/log-in"));
        let request = request.header("sec-fetch-site", "same-origin");
        with_form(request, &fields).send().await.unwrap()
    };
    let wrong = changed(PASSWORD);
    heard
        .refusals
        .push(enters(&wrong).await.text().await.unwrap());
    let pass = cookie(&enters(PASSWORD).await, BOARD_COOKIE);
    // The first part is the id of a session.
    let (_, proof) = pass.split_at(pass.len() - 43);
    heard.keeps(proof);
    let looks = async |pass: &str| {
        let request = http.get(server.url("/jobs/api/v1/queues"));
        let request = request.header("cookie", format!("{BOARD_COOKIE}={pass}"));
        request.send().await.unwrap()
    };
    assert_eq!(looks(&pass).await.status(), 200);
    let refused = looks(&changed(&pass)).await;
    assert_eq!(refused.status(), 401);
    heard.refusals.push(refused.text().await.unwrap());
    heard.misplaces(&pass, ada).await;
}

/// Olga sets up a second factor, logs in by it, and by a recovery code.
async fn second_factor(heard: &mut Heard, olga: &Person) {
    let authenticator = Authenticator::of(olga, &Clock::system()).await;
    heard.keeps(&authenticator.secret);
    let confirms = async |code: &str| {
        let input = json!({ "input": { "code": code } });
        olga.asks(CONFIRM_SECOND_FACTOR, input).await
    };
    heard.refusal(&confirms(&authenticator.secret).await);
    let code = authenticator.code();
    let answer = confirms(&code).await.succeeds();
    let recovery_codes = answer.data("confirmSecondFactor.recoveryCodes");
    let recovery_codes: Vec<String> = serde_json::from_value(recovery_codes).unwrap();
    let device = olga.on_another_device();
    heard.refusal(&device.logs_in().await);
    // The one that it was confirmed by is used up.
    let next = authenticator.code_in(STEP);
    heard.refusal(&device.logs_in_with(&code).await);
    device.logs_in_with(&next).await.succeeds();
    heard.refusal(&device.logs_in_with(&next).await);
    let recovery_code = &recovery_codes[0];
    device.logs_in_with(recovery_code).await.succeeds();
    heard.refusal(&device.logs_in_with(recovery_code).await);
    let query = format!(
        "mutation {{ logIn(input: {{ login: \"olga\", password: \"\", code: [\"{next}\", \"{recovery_code}\"] }}) {{ accessToken }} }}"
    );
    heard.refusal(&device.sends(&query, json!({})).await);
    heard.misplaces(&authenticator.secret, olga).await;
    heard
        .misplaces(&recovery_codes[1], &olga.with_password("of nobody"))
        .await;
    for secret in recovery_codes.iter().chain([&code, &next]) {
        heard.keeps(secret);
        // As it may be typed, too.
        heard.keeps(&secret.replace('-', ""));
    }
}
