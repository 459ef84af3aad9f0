//! What each mail says, in both of its parts.

use insta::assert_snapshot;

use super::*;

#[test]
fn a_newcomer_is_welcomed() {
    assert_snapshot!(read(&ada(), &welcome()).as_text(), @"
    X-Muster-Mail: welcome
    Subject: Welcome to Muster: your sign-up has arrived

    Hello Ada Lovelace,

    Thank you for signing up to Muster.

    If it was not you who signed up, ignore this mail: the address stays
    unconfirmed.

    If it was you, please confirm that this e-mail address is yours. The
    link works once, within 7 days.

    Confirm my address:
    https://muster.example/reset-password#token=aGVsbG8td29ybGQ_x-y

    An admin decides about your sign-up, and you get a mail as soon as that
    is done. Until then you cannot log in.

    -- 
    Muster
    https://muster.example
    ");
}

#[test]
fn an_approval_names_the_role() {
    assert_snapshot!(read(&ada(), &every_content()[1]).as_text(), @"
    X-Muster-Mail: approved
    Subject: Your Muster account is approved

    Hello Ada Lovelace,

    Good news: an admin approved your sign-up. You can log in now, as a
    manager.

    Open Muster:
    https://muster.example

    -- 
    Muster
    https://muster.example
    ");
}

#[test]
fn a_rejection_quotes_its_reason() {
    let reason = "We only take people of the north office, and all desks there are taken \
                  until spring.\n\nPlease ask again in April.";
    let mail = read(&ada(), &rejected(reason));
    assert_snapshot!(mail.as_text(), @"
    X-Muster-Mail: rejected
    Subject: Your sign-up to Muster was declined

    Hello Ada Lovelace,

    We are sorry: an admin declined your sign-up to Muster.

    The admin gave this reason:

    > We only take people of the north office, and all desks there are taken
    > until spring.
    >
    > Please ask again in April.

    If you think that this is a mistake, please talk to an admin of your
    organisation.

    -- 
    Muster
    https://muster.example
    ");
    assert_snapshot!(mail.html, @r#"
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="supported-color-schemes" content="light dark">
    <meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">
    <title>Your sign-up to Muster was declined</title>
    <style>:root { color-scheme: light dark; }</style>
    </head>
    <body style="margin: 0; padding: 24px 16px; font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;">
    <div style="max-width: 560px; margin: 0 auto; overflow-wrap: anywhere; text-wrap: pretty;">
    <p style="margin: 0 0 16px;">Hello Ada Lovelace,</p>
    <p style="margin: 0 0 16px;">We are sorry: an admin declined your sign-up to Muster.</p>
    <p style="margin: 0 0 16px;">The admin gave this reason:</p>
    <blockquote style="margin: 0 0 16px; padding: 4px 0 4px 14px; border-left: 3px solid #8a8f98;">We only take people of the north office, and all desks there are taken until spring.<br><br>Please ask again in April.</blockquote>
    <p style="margin: 0 0 16px;">If you think that this is a mistake, please talk to an admin of your organisation.</p>
    <p style="margin: 24px 0 0; padding: 12px 0 0; border-top: 1px solid #8a8f98; font-size: 14px;">Muster<br><a href="https://muster.example" style="color: inherit;">https://muster.example</a></p>
    </div>
    </body>
    </html>
    "#);
}

#[test]
fn a_rejection_without_a_reason_quotes_nothing() {
    assert_snapshot!(read(&ada(), &Content::Rejected { reason: None }).as_text(), @"
    X-Muster-Mail: rejected
    Subject: Your sign-up to Muster was declined

    Hello Ada Lovelace,

    We are sorry: an admin declined your sign-up to Muster.

    If you think that this is a mistake, please talk to an admin of your
    organisation.

    -- 
    Muster
    https://muster.example
    ");
    let blank = read(&ada(), &rejected(" \r\n\u{200b}"));
    assert!(!blank.text.contains("reason"));
    assert!(!blank.html.contains("blockquote"));
}

#[test]
fn a_password_reset_carries_the_link() {
    let mail = read(&ada(), &every_content()[3]);
    assert_snapshot!(mail.as_text(), @"
    X-Muster-Mail: password-reset
    Subject: Reset your Muster password

    Hello Ada Lovelace,

    A new password was asked for your Muster account. This link lets you
    choose one. It works once, within 30 minutes.

    Choose a new password:
    https://muster.example/reset-password#token=aGVsbG8td29ybGQ_x-y

    Keep the link to yourself: whoever has it can take over your account. If
    it was not you who asked, ignore this mail, and your password stays as
    it is.

    -- 
    Muster
    https://muster.example
    ");
    assert!(mail.html.contains(&format!("href=\"{LINK}\"")));
}

#[test]
fn a_changed_password_is_told_on_the_clock_of_its_owner() {
    assert_snapshot!(read(&ada(), &every_content()[4]).as_text(), @"
    X-Muster-Mail: password-changed
    Subject: Your Muster password was changed

    Hello Ada Lovelace,

    Your Muster password was changed on Monday, 5 January 2026, 18:00
    (Asia/Dhaka, UTC+06:00).

    If that was you, there is nothing to do.

    If it was not, ask for a password reset at once, which also logs
    everyone out of your account, and tell an admin.

    -- 
    Muster
    https://muster.example
    ");
}

#[test]
fn a_second_factor_that_was_enabled_is_told_with_what_follows() {
    let mail = read(&ada(), &second_factor(SecondFactorChange::Enabled));
    assert_snapshot!(mail.as_text(), @"
    X-Muster-Mail: second-factor-changed
    Subject: Your Muster account has a second factor now

    Hello Ada Lovelace,

    A second factor was set up for your Muster account on Monday, 5 January
    2026, 18:00 (Asia/Dhaka, UTC+06:00). From now on, logging in takes a
    code of your authenticator app besides your password. Everyone else who
    was logged in to your account was logged out.

    Keep the recovery codes in a safe place: each lets you log in once
    without the app.

    If it was not you, tell an admin at once: whoever did it knows your
    password.

    -- 
    Muster
    https://muster.example
    ");
}

#[test]
fn a_second_factor_that_was_disabled_is_told_with_what_to_do() {
    let mail = read(&ada(), &second_factor(SecondFactorChange::Disabled));
    assert_snapshot!(mail.as_text(), @"
    X-Muster-Mail: second-factor-changed
    Subject: Your Muster account has no second factor any more

    Hello Ada Lovelace,

    The second factor of your Muster account was disabled on Monday, 5
    January 2026, 18:00 (Asia/Dhaka, UTC+06:00). Logging in takes your
    password alone now, and your recovery codes are void.

    If that was you, there is nothing to do.

    If it was not, ask for a password reset at once, which also logs
    everyone out of your account, and tell an admin.

    -- 
    Muster
    https://muster.example
    ");
}

#[test]
fn a_second_factor_that_an_admin_reset_is_told_with_who_did_it() {
    let mail = read(&ada(), &second_factor(SecondFactorChange::Reset));
    assert_snapshot!(mail.as_text(), @"
    X-Muster-Mail: second-factor-changed
    Subject: An admin reset the second factor of your Muster account

    Hello Ada Lovelace,

    An admin took the second factor of your Muster account away on Monday, 5
    January 2026, 18:00 (Asia/Dhaka, UTC+06:00), and you were logged out
    everywhere. Log in with your password, and set up a new second factor.

    If you did not ask for this, tell another admin.

    -- 
    Muster
    https://muster.example
    ");
}

#[test]
fn a_recovery_code_that_was_used_is_told_with_how_many_are_left() {
    let used = |left| {
        read(
            &ada(),
            &second_factor(SecondFactorChange::RecoveryCodeUsed { left }),
        )
    };
    assert_snapshot!(used(9).as_text(), @"
    X-Muster-Mail: second-factor-changed
    Subject: A recovery code of your Muster account was used

    Hello Ada Lovelace,

    Somebody logged in to your Muster account by a recovery code on Monday,
    5 January 2026, 18:00 (Asia/Dhaka, UTC+06:00). 9 are left.

    If that was you, there is nothing more to do.

    If it was not, ask for a password reset at once, which also logs
    everyone out of your account, and tell an admin.

    -- 
    Muster
    https://muster.example
    ");
    for (left, words) in [
        (4, "4 are left."),
        (3, "3 are left: make new ones soon."),
        (1, "One is left: make new ones soon."),
        (0, "It was the last one: make new ones now."),
    ] {
        let text = used(left).text.replace('\n', " ");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn recovery_codes_that_were_replaced_are_told() {
    let mail = read(
        &ada(),
        &second_factor(SecondFactorChange::RecoveryCodesReplaced),
    );
    assert_snapshot!(mail.as_text(), @"
    X-Muster-Mail: second-factor-changed
    Subject: Your Muster account has new recovery codes

    Hello Ada Lovelace,

    New recovery codes were made for your Muster account on Monday, 5
    January 2026, 18:00 (Asia/Dhaka, UTC+06:00). The earlier ones are void.

    If that was you, there is nothing to do.

    If it was not, ask for a password reset at once, which also logs
    everyone out of your account, and tell an admin.

    -- 
    Muster
    https://muster.example
    ");
}

#[test]
fn a_newcomer_whose_link_is_void_by_now_is_welcomed_without_it() {
    let content = Content::Welcome {
        link: None,
        valid_days: 7,
    };
    let mail = read(&ada(), &content);
    assert!(!mail.text.contains("confirm that"), "{}", mail.text);
    assert_eq!(mail.html.matches("<a ").count(), 1);
}

#[test]
fn a_new_address_is_asked_to_be_confirmed() {
    let mail = read(&ada(), &every_content()[11]);
    assert_snapshot!(mail.as_text(), @"
    X-Muster-Mail: email-confirmation
    Subject: Confirm your e-mail address for Muster

    Hello Ada Lovelace,

    This is the e-mail address of your Muster account. Please confirm that
    it is yours. The link works once, within 7 days.

    Confirm my address:
    https://muster.example/reset-password#token=aGVsbG8td29ybGQ_x-y

    If you have no account at Muster, ignore this mail: somebody mistyped
    their address, and it stays unconfirmed.

    -- 
    Muster
    https://muster.example
    ");
    assert!(mail.html.contains(&format!("href=\"{LINK}\"")));
}

#[test]
fn an_address_that_was_given_up_is_told_but_not_what_took_its_place() {
    assert_snapshot!(read(&ada(), &every_content()[12]).as_text(), @"
    X-Muster-Mail: email-changed
    Subject: The e-mail address of your Muster account was changed

    Hello Ada Lovelace,

    An admin changed the e-mail address of your Muster account on Monday, 5
    January 2026, 18:00 (Asia/Dhaka, UTC+06:00). Mails about it now go to
    the new address, and no longer to this one.

    If you know of this, there is nothing to do.

    If you do not, talk to an admin at once: whoever reads the mails to the
    new address can choose a new password for your account.

    -- 
    Muster
    https://muster.example
    ");
}

#[test]
fn an_invitation_says_who_invites_as_what_and_until_when() {
    let mail = read(&named(""), &every_content()[13]);
    assert_snapshot!(mail.as_text(), @"
    X-Muster-Mail: invitation
    Subject: You are invited to Muster

    Hello,

    Grace Hopper invites you to join Muster, as a manager. The link lets you
    choose a username and a password. It works once, until Monday, 5 January
    2026, 18:00 (Asia/Dhaka, UTC+06:00).

    Accept the invitation:
    https://muster.example/reset-password#token=aGVsbG8td29ybGQ_x-y

    Keep the link to yourself: whoever has it can join in your place. If you
    do not want to join, ignore this mail.

    -- 
    Muster
    https://muster.example
    ");
    assert!(mail.html.contains(&format!("href=\"{LINK}\"")));
    let nameless = read(&named(""), &invited_by("\u{200b}"));
    assert!(nameless.text.contains("An admin invites you to join"));
}

#[test]
fn lines_of_the_text_fit_a_terminal() {
    let long = "却".repeat(500) + " " + &"word ".repeat(100);
    for content in every_content().into_iter().chain([rejected(&long)]) {
        let text = read(&named(&"Ada ".repeat(60)), &content).text;
        for line in text.lines().filter(|line| *line != LINK) {
            assert!(line.chars().count() <= 72, "{line}");
        }
    }
}
