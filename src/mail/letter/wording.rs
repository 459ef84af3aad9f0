//! What each mail says: its subject and its parts, from plain facts. No word in
//! here is from a user, except where a quotation or a name stands.

mod report;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::super::content::{Content, SecretLink};
use super::super::user_text;
use super::{Part, tasks};
use crate::entity::{Role, SecondFactorChange};

/// More than the longest reason.
const QUOTE_MAX: usize = 2_000;

pub(super) fn paragraph(text: impl Into<String>) -> Part {
    Part::Paragraph(text.into())
}

fn quote(text: &str) -> Part {
    let lines = user_text::lines(text, QUOTE_MAX);
    Part::Quote(
        lines
            .iter()
            .map(|line| user_text::without_links(line))
            .collect(),
    )
}

pub(super) fn word(
    content: &Content,
    zone: Tz,
    public_url: &str,
    chart_id: &str,
) -> (String, Vec<Part>) {
    let open = || Part::Link {
        label: "Open Muster",
        url: public_url.to_owned(),
    };
    let (subject, parts) = match content {
        Content::Welcome { link, valid_days } => (
            "Welcome to Muster: your sign-up has arrived",
            welcome(link.as_ref(), *valid_days),
        ),
        Content::Approved { role } => (
            "Your Muster account is approved",
            vec![
                paragraph(format!(
                    "Good news: an admin approved your sign-up. You can log in now, as {}.",
                    with_article(*role)
                )),
                open(),
            ],
        ),
        Content::Rejected { reason } => (
            "Your sign-up to Muster was declined",
            rejected(reason.as_deref().unwrap_or_default()),
        ),
        Content::PasswordReset {
            link,
            valid_minutes,
        } => (
            "Reset your Muster password",
            vec![
                paragraph(format!(
                    "A new password was asked for your Muster account. This link lets you choose \
                     one. It works once, within {}.",
                    minutes(*valid_minutes)
                )),
                Part::Link {
                    label: "Choose a new password",
                    url: link.expose().to_owned(),
                },
                paragraph(
                    "Keep the link to yourself: whoever has it can take over your account. If it \
                     was not you who asked, ignore this mail, and your password stays as it is.",
                ),
            ],
        ),
        Content::PasswordChanged { at } => (
            "Your Muster password was changed",
            vec![
                paragraph(format!(
                    "Your Muster password was changed on {}.",
                    instant(*at, zone)
                )),
                paragraph("If that was you, there is nothing to do."),
                paragraph(
                    "If it was not, ask for a password reset at once, which also logs everyone \
                     out of your account, and tell an admin.",
                ),
            ],
        ),
        Content::SecondFactorChanged { change, at } => {
            second_factor_changed(*change, &instant(*at, zone))
        }
        Content::EmailConfirmation { link, valid_days } => (
            "Confirm your e-mail address for Muster",
            email_confirmation(link, *valid_days),
        ),
        Content::EmailChanged { at } => (
            "The e-mail address of your Muster account was changed",
            email_changed(&instant(*at, zone)),
        ),
        Content::Invitation {
            link,
            role,
            invited_by,
            expires_at,
        } => (
            "You are invited to Muster",
            invitation(link, *role, invited_by, &instant(*expires_at, zone)),
        ),
        Content::TaskReport(report) => {
            let mut parts = report::parts(report, zone, chart_id);
            parts.push(open());
            return (report::subject(report), parts);
        }
        Content::ApprovalWaiting {
            sign_ups,
            more,
            link,
        } => return tasks::approval_waiting(sign_ups, *more, link, zone),
        Content::Assigned { tasks, more, link } => {
            return tasks::assigned(tasks, *more, link, zone);
        }
        Content::DailyReminder {
            date,
            groups,
            more,
            link,
        } => return tasks::daily_reminder(*date, groups, *more, link, zone),
    };
    (subject.to_owned(), parts)
}

fn second_factor_changed(change: SecondFactorChange, at: &str) -> (&'static str, Vec<Part>) {
    match change {
        SecondFactorChange::Enabled => (
            "Your Muster account has a second factor now",
            vec![
                paragraph(format!(
                    "A second factor was set up for your Muster account on {at}. From now on, \
                     logging in takes a code of your authenticator app besides your password. \
                     Everyone else who was logged in to your account was logged out."
                )),
                paragraph(
                    "Keep the recovery codes in a safe place: each lets you log in once without \
                     the app.",
                ),
                paragraph(
                    "If it was not you, tell an admin at once: whoever did it knows your password.",
                ),
            ],
        ),
        SecondFactorChange::Disabled => (
            "Your Muster account has no second factor any more",
            vec![
                paragraph(format!(
                    "The second factor of your Muster account was disabled on {at}. Logging in \
                     takes your password alone now, and your recovery codes are void."
                )),
                paragraph("If that was you, there is nothing to do."),
                paragraph(RESET_AND_TELL),
            ],
        ),
        SecondFactorChange::Reset => (
            "An admin reset the second factor of your Muster account",
            vec![
                paragraph(format!(
                    "An admin took the second factor of your Muster account away on {at}, and \
                     you were logged out everywhere. Log in with your password, and set up a new \
                     second factor."
                )),
                paragraph("If you did not ask for this, tell another admin."),
            ],
        ),
        SecondFactorChange::RecoveryCodeUsed { left } => (
            "A recovery code of your Muster account was used",
            vec![
                paragraph(format!(
                    "Somebody logged in to your Muster account by a recovery code on {at}. {}",
                    recovery_codes_left(left)
                )),
                paragraph("If that was you, there is nothing more to do."),
                paragraph(RESET_AND_TELL),
            ],
        ),
        SecondFactorChange::RecoveryCodesReplaced => (
            "Your Muster account has new recovery codes",
            vec![
                paragraph(format!(
                    "New recovery codes were made for your Muster account on {at}. The earlier \
                     ones are void."
                )),
                paragraph("If that was you, there is nothing to do."),
                paragraph(RESET_AND_TELL),
            ],
        ),
    }
}

/// A new password shuts out whoever knows the old one; what they did to the second factor only an
/// admin can undo.
const RESET_AND_TELL: &str = "If it was not, ask for a password reset at once, which also logs \
     everyone out of your account, and tell an admin.";

fn recovery_codes_left(left: u64) -> String {
    match left {
        0 => "It was the last one: make new ones now.".to_owned(),
        1 => "One is left: make new ones soon.".to_owned(),
        2..=3 => format!("{left} are left: make new ones soon."),
        _ => format!("{left} are left."),
    }
}

fn welcome(link: Option<&SecretLink>, valid_days: u64) -> Vec<Part> {
    let mut parts = vec![paragraph("Thank you for signing up to Muster.")];
    parts.push(paragraph(
        "If it was not you who signed up, ignore this mail: the address stays unconfirmed.",
    ));
    if let Some(link) = link {
        parts.push(paragraph(format!(
            "If it was you, please confirm that this e-mail address is yours. The link works once, \
             within {}.",
            days(valid_days)
        )));
        parts.push(confirm(link));
    }
    parts.push(paragraph(
        "An admin decides about your sign-up, and you get a mail as soon as that is done. Until \
         then you cannot log in.",
    ));
    parts
}

fn email_confirmation(link: &SecretLink, valid_days: u64) -> Vec<Part> {
    vec![
        paragraph(format!(
            "This is the e-mail address of your Muster account. Please confirm that it is yours. \
             The link works once, within {}.",
            days(valid_days)
        )),
        confirm(link),
        paragraph(
            "If you have no account at Muster, ignore this mail: somebody mistyped their address, \
             and it stays unconfirmed.",
        ),
    ]
}

fn email_changed(at: &str) -> Vec<Part> {
    vec![
        paragraph(format!(
            "An admin changed the e-mail address of your Muster account on {at}. Mails about it now \
             go to the new address, and no longer to this one."
        )),
        paragraph("If you know of this, there is nothing to do."),
        paragraph(
            "If you do not, talk to an admin at once: whoever reads the mails to the new address \
             can choose a new password for your account.",
        ),
    ]
}

fn confirm(link: &SecretLink) -> Part {
    Part::Link {
        label: "Confirm my address",
        url: link.expose().to_owned(),
    }
}

fn invitation(link: &SecretLink, role: Role, invited_by: &str, expires_at: &str) -> Vec<Part> {
    let name = user_text::without_links(&user_text::name(invited_by));
    let who = if name.is_empty() { "An admin" } else { &name };
    vec![
        paragraph(format!(
            "{who} invites you to join Muster, as {}. The link lets you choose a username and a \
             password. It works once, until {expires_at}.",
            with_article(role)
        )),
        Part::Link {
            label: "Accept the invitation",
            url: link.expose().to_owned(),
        },
        paragraph(
            "Keep the link to yourself: whoever has it can join in your place. If you do not want \
             to join, ignore this mail.",
        ),
    ]
}

fn rejected(reason: &str) -> Vec<Part> {
    let mut parts = vec![paragraph(
        "We are sorry: an admin declined your sign-up to Muster.",
    )];
    if !user_text::lines(reason, QUOTE_MAX).is_empty() {
        parts.push(paragraph("The admin gave this reason:"));
        parts.push(quote(reason));
    }
    parts.push(paragraph(
        "If you think that this is a mistake, please talk to an admin of your organisation.",
    ));
    parts
}

/// On the recipient's clock. The offset tells the two hours apart that a clock shows twice.
pub(super) fn instant(at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone).format("%A, %-d %B %Y, %H:%M");
    if zone == Tz::UTC {
        format!("{local} (UTC)")
    } else {
        let offset = at.with_timezone(&zone).format("%:z");
        format!("{local} ({}, UTC{offset})", zone.name())
    }
}

fn minutes(minutes: u64) -> String {
    if minutes == 1 {
        "1 minute".to_owned()
    } else {
        format!("{minutes} minutes")
    }
}

fn days(days: u64) -> String {
    if days == 1 {
        "1 day".to_owned()
    } else {
        format!("{days} days")
    }
}

pub(super) fn with_article(role: Role) -> &'static str {
    match role {
        Role::Employee => "an employee",
        Role::Manager => "a manager",
        Role::Admin => "an admin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_that_a_clock_shows_twice_is_told_apart_by_its_offset() {
        let at = |text: &str| instant(text.parse().unwrap(), Tz::America__New_York);
        assert_eq!(
            at("2026-11-01T05:30:00Z"),
            "Sunday, 1 November 2026, 01:30 (America/New_York, UTC-04:00)"
        );
        assert_eq!(
            at("2026-11-01T06:30:00Z"),
            "Sunday, 1 November 2026, 01:30 (America/New_York, UTC-05:00)"
        );
        let at = "2026-01-05T09:00:00Z".parse().unwrap();
        assert_eq!(instant(at, Tz::UTC), "Monday, 5 January 2026, 09:00 (UTC)");
    }

    #[test]
    fn a_time_of_one_minute_is_written_in_the_singular() {
        assert_eq!(minutes(1), "1 minute");
        assert_eq!(minutes(30), "30 minutes");
    }
}
