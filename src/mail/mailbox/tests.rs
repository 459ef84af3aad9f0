use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use uuid::Uuid;

use super::*;

const PNG: &[u8] = b"\x89PNG not really";

fn id(number: u128) -> DeliveryId {
    DeliveryId(Uuid::from_u128(number))
}

/// A folder with these files, and its mailbox.
fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Mailbox) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let mailbox = Mailbox::new(folder.path().to_owned());
    (folder, mailbox)
}

fn name(number: u128, time: &str) -> String {
    format!("{time}-welcome-{}.eml", id(number))
}

#[tokio::test]
async fn the_newest_come_first_and_strangers_are_passed_over() {
    let (folder, mailbox) = folder(&[
        (
            &name(1, "20260105T090000.000Z"),
            b"Subject: One\r\nTo: a@b.c\r\n\r\n",
        ),
        (
            &name(2, "20260106T090000.000Z"),
            b"Subject: =?utf-8?q?Tw=C3=B6?=\r\n\r\n",
        ),
        (&name(3, "20260104T090000.000Z"), b"\xff\xfe\0"),
        ("notes.eml", b"Subject: Not ours\r\n\r\n"),
        (
            ".20260105T090000.000Z-welcome.eml.7-0.tmp",
            b"Subject: Half\r\n\r\n",
        ),
    ]);
    fs::create_dir(folder.path().join(name(4, "20260107T090000.000Z"))).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(
        "/etc/passwd",
        folder.path().join(name(5, "20260108T090000.000Z")),
    )
    .unwrap();

    let listed = mailbox.list_newest(10).await.unwrap();
    let said: Vec<_> = listed
        .iter()
        .map(|entry| (entry.id, entry.subject.as_str(), entry.to.as_str()))
        .collect();
    assert_eq!(
        said,
        [(id(2), "Twö", ""), (id(1), "One", "a@b.c"), (id(3), "", "")]
    );
    assert_eq!(mailbox.list_newest(1).await.unwrap().len(), 1);
    for missing in [4, 5, 6] {
        assert!(mailbox.find(id(missing)).await.unwrap().is_none());
    }
    assert!(mailbox.find(id(3)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_folder_that_is_not_there_yet_is_empty() {
    let mailbox = Mailbox::new("/nowhere/mail".into());
    assert_eq!(mailbox.list_newest(50).await.unwrap(), []);
    assert!(mailbox.find(id(1)).await.unwrap().is_none());
}

fn with_parts() -> Vec<u8> {
    let image = BASE64.encode(PNG);
    format!(
        "From: Muster <muster@localhost>\r\n\
         To: =?utf-8?q?Zo=C3=AB?= <zoe@example.com>\r\n\
         Subject: Figures\r\n\
         X-Long: one\r\n two\r\n\
         Content-Type: multipart/mixed; boundary=outer\r\n\r\n\
         --outer\r\nContent-Type: multipart/related; boundary=inner\r\n\r\n\
         --inner\r\nContent-Type: multipart/alternative; boundary=core\r\n\r\n\
         --core\r\nContent-Type: text/plain\r\n\r\nFigures in plain words\r\n\
         --core\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <!doctype html><html><HEAD><title>F</title></HEAD>\
         <img src=\"cid:logo\"><img src='cid:logo-2'><img src=\"cid:evil\"></html>\r\n\
         --core--\r\n\
         --inner\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{image}\r\n\
         --inner\r\nContent-Type: image/svg+xml\r\nContent-ID: <evil>\r\n\r\n<svg/>\r\n\
         --inner--\r\n\
         --outer\r\nContent-Type: text/csv\r\n\
         Content-Disposition: attachment; filename=\"../tasks.csv\"\r\n\r\na,b\r\n\
         --outer--\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn a_mail_is_taken_apart() {
    let (_folder, mailbox) = folder(&[(&name(1, "20260105T090000.000Z"), &with_parts())]);
    let mail = mailbox.find(id(1)).await.unwrap().unwrap();
    assert_eq!(mail.entry.to, "Zoë <zoe@example.com>");
    assert_eq!(
        mail.text.as_deref().map(str::trim),
        Some("Figures in plain words")
    );
    let long = mail.headers.iter().find(|(name, _)| name == "X-Long");
    assert_eq!(long.unwrap().1, "one two");
    let csv = mail
        .attachments
        .iter()
        .find(|part| part.name == "../tasks.csv");
    assert_eq!(csv.unwrap().content, b"a,b");

    let html = mail.html.unwrap();
    let image = format!("<img src=\"data:image/png;base64,{}\">", BASE64.encode(PNG));
    assert!(html.contains(&image), "{html}");
    // Neither another id that begins alike, nor what could hold a script.
    assert!(
        html.contains("'cid:logo-2'") && html.contains("\"cid:evil\""),
        "{html}"
    );
    let expected = "<!doctype html><html><HEAD><base target=\"_blank\"><title>";
    assert!(html.starts_with(expected), "{html}");
}

#[tokio::test]
async fn an_image_that_is_asked_for_again_and_again_does_not_fill_the_memory() {
    let message = format!(
        "Content-Type: multipart/related; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/html\r\n\r\n{}\r\n\
         --b\r\nContent-Type: image/png\r\nContent-ID: <x>\r\n\r\n{}\r\n--b--\r\n",
        "<img src=\"cid:x\">".repeat(10_000),
        "p".repeat(1_000_000),
    );
    let message = message.as_bytes();
    let (_folder, mailbox) = folder(&[(&name(1, "20260105T090000.000Z"), message)]);
    let html = mailbox.find(id(1)).await.unwrap().unwrap().html.unwrap();
    assert!(html.contains("data:image/png"));
    assert!(html.len() < 8_000_000, "{}", html.len());
}

#[tokio::test]
async fn html_without_a_head_opens_its_links_in_a_new_tab_too() {
    let message = b"Content-Type: text/html\r\n\r\n<a href=/>go</a>";
    let (_folder, mailbox) = folder(&[(&name(1, "20260105T090000.000Z"), message)]);
    let mail = mailbox.find(id(1)).await.unwrap().unwrap();
    assert_eq!(
        mail.html.as_deref(),
        Some("<!doctype html><base target=\"_blank\"><a href=/>go</a>")
    );
    assert_eq!(mail.text, None);
}

/// Parts in parts, and mails in mails.
fn nested(depth: usize) -> [Vec<u8>; 2] {
    let mut parts = b"Subject: Nested\r\n".to_vec();
    for level in 0..depth {
        let boundary = format!("boundary=b{level}\r\n\r\n--b{level}\r\n");
        parts.extend(format!("Content-Type: multipart/mixed; {boundary}").into_bytes());
    }
    let mut mails = b"Subject: Nested\r\n".to_vec();
    mails.extend(b"Content-Type: message/rfc822\r\n\r\n".repeat(depth));
    [parts, mails]
}

#[tokio::test]
async fn mails_that_are_nested_endless_or_broken_are_read_as_far_as_they_go() {
    let endless = vec![b'x'; usize::try_from(SIZE_MAX).unwrap() + 1_000];
    let broken = b"Subject: =?utf-8?b?????=\r\nContent-Type: multipart/mixed\r\n\r\n--\r\n\0";
    let nested: Vec<_> = [PARTS_MAX, PARTS_MAX + 1, 20_000].map(nested).concat();
    for message in &nested {
        let (_folder, mailbox) = folder(&[(&name(1, "20260105T090000.000Z"), message)]);
        let mail = mailbox.find(id(1)).await.unwrap().unwrap();
        assert_eq!(mail.entry.subject, "Nested");
    }
    let messages: [&[u8]; 3] = [&endless, broken, b""];
    for message in messages {
        let (_folder, mailbox) = folder(&[(&name(1, "20260105T090000.000Z"), message)]);
        assert_eq!(mailbox.list_newest(50).await.unwrap().len(), 1);
        assert!(mailbox.find(id(1)).await.unwrap().is_some());
    }
}
