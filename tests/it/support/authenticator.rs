//! An authenticator app: reads the QR code once, and shows six digits.

use chrono::{DateTime, TimeDelta, Utc};
use muster::clock::Clock;
use serde_json::{Value, json};
use totp_rs::Totp;

use super::{CONFIRM_SECOND_FACTOR, Person, START_SECOND_FACTOR};

pub struct Authenticator {
    totp: Totp,
    clock: Clock,
    /// In base32, as somebody would type it in.
    pub secret: String,
    /// On a sheet of paper beside it.
    pub recovery_codes: Vec<String>,
}

impl Authenticator {
    /// Set up for this person, but not confirmed.
    pub async fn of(person: &Person, clock: &Clock) -> Self {
        let input = json!({ "input": { "currentPassword": person.password } });
        let answer = person.asks(START_SECOND_FACTOR, input).await.succeeds();
        Self {
            totp: Totp::from_url(answer.words("startSecondFactor.uri")).unwrap(),
            clock: clock.clone(),
            secret: answer.words("startSecondFactor.secret"),
            recovery_codes: Vec::new(),
        }
    }

    /// Set up and confirmed. The code of the step that it is now is used up by that.
    pub async fn set_up(person: &Person, clock: &Clock) -> Self {
        let mut this = Self::of(person, clock).await;
        let input = json!({ "input": { "code": this.code() } });
        let answer = person.asks(CONFIRM_SECOND_FACTOR, input).await.succeeds();
        this.recovery_codes = codes(answer.data("confirmSecondFactor.recoveryCodes"));
        this
    }

    /// What it shows now.
    pub fn code(&self) -> String {
        self.code_at(self.clock.now())
    }

    /// What it shows when this is over.
    pub fn code_in(&self, time: TimeDelta) -> String {
        self.code_at(self.clock.now() + time)
    }

    pub fn code_at(&self, at: DateTime<Utc>) -> String {
        self.totp
            .generate(at.timestamp().unsigned_abs())
            .to_string()
    }
}

pub fn codes(list: Value) -> Vec<String> {
    serde_json::from_value(list).unwrap()
}
