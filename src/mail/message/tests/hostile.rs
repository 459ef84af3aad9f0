//! What hostile names, reasons and addresses cannot do.

use insta::assert_snapshot;
use mailparse::MailHeaderMap;

use super::*;

#[test]
fn a_name_cannot_add_a_header_or_a_recipient() {
    for name in [
        "Ada\r\nBcc: eve@evil.example",
        "Ada\nSubject: You won",
        "Ada\r\n\r\n<h1>You won</h1>",
        "Ada\u{0}\u{b}\u{85}\u{2028}Bcc: eve@evil.example",
        "Ada\" <eve@evil.example>, \"Eve",
        "eve@evil.example, Ada",
        "Ada \\\" (comment) ; : <>",
        "=?utf-8?q?Ada=0D=0ABcc:_eve@evil.example?=",
        "Адa\r\nBcc: eve@evil.example",
        &"Ada\r\n".repeat(100),
    ] {
        let message = bytes(&named(name), &welcome());
        let mail = Read::new(&message);
        let names: Vec<&str> = mail.headers.iter().map(|(name, _)| name.as_str()).collect();
        let expected = [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "X-Muster-Mail",
            "Auto-Submitted",
            "MIME-Version",
            "Content-Type",
        ];
        assert_eq!(names, expected, "{name:?}");
        assert_eq!(
            mail.header("Subject"),
            "Welcome to Muster: your sign-up has arrived"
        );
        assert!(
            mail.headers
                .iter()
                .all(|(_, value)| !value.contains(char::is_control))
        );

        let parsed = parse_mail(&message).unwrap();
        let to = parsed.headers.get_first_header("To").unwrap();
        let to = mailparse::addrparse_header(to)
            .unwrap()
            .extract_single_info()
            .unwrap();
        assert_eq!(to.addr, "ada@example.com", "{name:?}");
        let raw = String::from_utf8(message).unwrap();
        assert!(raw.lines().all(|line| line.len() <= 998));
    }
}

#[test]
fn a_name_is_quoted_and_comes_back_as_it_was_typed() {
    for name in [
        "Ada Lovelace",
        "Ada \"the\" \\ Countess, B.",
        "Zoë 李 🌍",
        "O'Neil <x@y.z>",
    ] {
        let message = bytes(&named(name), &welcome());
        let mail = parse_mail(&message).unwrap();
        let to = mail.headers.get_first_header("To").unwrap();
        let to = mailparse::addrparse_header(to)
            .unwrap()
            .extract_single_info()
            .unwrap();
        assert_eq!(to.display_name.as_deref(), Some(name));
    }
}

#[test]
fn what_users_typed_is_neither_markup_nor_a_link() {
    let hostile = "<script>alert(1)</script> <a href='https://evil.example/x'>Reset here</a> \
                   \"&quot; https://evil.example/y www.evil.example evil.com eve@evil.com";
    let mail = read(&named(hostile), &rejected(hostile));
    for body in [&mail.text, &mail.html] {
        let body = body.replace("https://muster.example", "");
        for live in ["://", "www.", "evil.", "eve@"] {
            assert!(!body.contains(live), "{live} in {body}");
        }
        assert_eq!(body.matches("www[.]evil[.]example").count(), 2);
    }
    for markup in ["<script", "<a href='", "<a href=\"https[", "&quot;"] {
        assert!(!mail.html.contains(markup), "{markup} in {}", mail.html);
    }
    assert_eq!(mail.html.matches("&#60;script&#62;alert(1)").count(), 2);
}

#[test]
fn who_invites_can_put_neither_markup_nor_a_link_into_the_mail() {
    let hostile = "<b>Ada</b>\r\nReset here: https://evil.example/x www.evil.example eve@evil.com";
    let mail = read(&named(""), &invited_by(hostile));
    for body in [&mail.text, &mail.html] {
        let body = body.replace("https://muster.example", "");
        for live in ["://", "www.", "evil.", "eve@"] {
            assert!(!body.contains(live), "{live} in {body}");
        }
    }
    assert!(!mail.html.contains("<b>"));
    assert_eq!(mail.header("Subject"), "You are invited to Muster");
}

#[test]
fn a_reason_cannot_pass_for_words_of_ours() {
    let reason = "No.\n\nChoose a new password:\nhttps://muster.example.evil.example/reset\n\n\
                  \n\n-- \nMuster\nhttps://muster.example";
    let mail = read(&ada(), &rejected(reason));
    assert_snapshot!(mail.text, @"
    Hello Ada Lovelace,

    We are sorry: an admin declined your sign-up to Muster.

    The admin gave this reason:

    > No.
    >
    > Choose a new password:
    > https[:]//muster[.]example[.]evil[.]example/reset
    >
    > --
    > Muster
    > https[:]//muster[.]example

    If you think that this is a mistake, please talk to an admin of your
    organisation.

    -- 
    Muster
    https://muster.example
    ");
    assert_eq!(mail.html.matches("<a ").count(), 1);
}

#[test]
fn links_lead_to_us_and_nothing_is_loaded() {
    for content in every_content() {
        let html = read(&ada(), &content).html;
        for href in html.split("href=\"").skip(1) {
            let href = href.split('"').next().unwrap();
            assert!(href == "https://muster.example" || href == LINK, "{href}");
        }
        // A picture is shown from the mail itself.
        let html = html.replace("<img src=\"cid:", "");
        for outside in ["src=", "url(", "<link", "@import", "<img", "<script"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}

#[test]
fn an_address_that_cannot_stand_in_a_header_is_refused_without_telling_it() {
    for address in [
        "ada@example.com\r\nBcc: eve@evil.example",
        "\"ada\r\n\"@example.com",
        "ada",
        "ada@",
        "ada@exa mple.com",
        "ada@example.com, eve@evil.example",
    ] {
        let recipient = Recipient {
            address: address.to_owned(),
            ..ada()
        };
        let composed = compose(&letterhead(), ID, noon(), &recipient, &welcome());
        let error = composed.unwrap_err().to_string();
        assert!(!error.contains("example"), "{error}");
    }
}
