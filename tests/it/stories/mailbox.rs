//! Whoever tries Muster out without a mail server reads its mails in the browser;
//! nobody else does.

use std::fs;
use std::path::Path;

use axum::http::header::{HOST, ORIGIN};
use reqwest::{Client, Response, StatusCode};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::TestApp;
use crate::support::program::{House, Server};

async fn gets(server: &Server, path: &str) -> Response {
    server.http().get(server.url(path)).send().await.unwrap()
}

/// The paths of the mails in the list, newest first.
fn links(list: &str) -> Vec<String> {
    let links = list.split("href=\"/mail/delivery_").skip(1);
    links
        .map(|rest| format!("/mail/delivery_{}", rest.split('"').next().unwrap()))
        .collect()
}

#[tokio::test]
async fn whoever_tries_muster_out_reads_its_mails_in_the_browser() {
    let house = House::new();
    let server = house.serves().await;
    let empty = gets(&server, "/mail").await.text().await.unwrap();
    assert!(empty.contains("No mail yet."), "{empty}");

    server.stranger("nico").signs_up().await;
    house.waits_for_mails(1).await;
    server.stranger("olga").signs_up().await;
    let mails = house.waits_for_mails(2).await;
    let list = gets(&server, "/mail").await.text().await.unwrap();
    let links = links(&list);
    assert_eq!(links.len(), 2, "{list}");
    let (nico, olga) = (list.find("nico@example.com"), list.find("olga@example.com"));
    assert!(olga.unwrap() < nico.unwrap(), "{list}");
    assert!(list.contains("<code>welcome</code>") && list.contains(&mails[1].subject));

    let page = gets(&server, &links[0]).await;
    let policy = page.headers()["content-security-policy"].clone();
    assert!(!policy.to_str().unwrap().contains("script"), "{policy:?}");
    let page = page.text().await.unwrap();
    let frame = format!(
        "<iframe title=\"The mail\" src=\"{}/html\" \
         sandbox=\"allow-popups allow-popups-to-escape-sandbox\"",
        links[0]
    );
    assert!(page.contains(&frame), "{page}");
    // The text with its link, and the headers.
    for said in [
        mails[1].token().as_str(),
        "X-Muster-Mail",
        mails[1].header("Message-ID"),
    ] {
        let escaped = said.replace('<', "&#60;").replace('>', "&#62;");
        assert!(page.contains(&escaped), "{said} is not in {page}");
    }

    let html = gets(&server, &format!("{}/html", links[0])).await;
    let policy = html.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    for rule in [
        "default-src 'none'",
        "sandbox allow-popups allow-popups-to-escape-sandbox",
        "frame-ancestors 'self'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(
        !policy.contains("script") && !policy.contains("allow-same-origin"),
        "{policy}"
    );
    let html = html.text().await.unwrap();
    assert!(
        html.contains("Hello olga,") && html.contains("<base target=\"_blank\">"),
        "{html}"
    );
}

const HERE: &[(&str, &str)] = &[("PUBLIC_URL", "http://localhost:8000")];

/// An app with this folder of mails.
async fn with_mails(folder: &Path) -> TestApp {
    let folder = folder.to_str().unwrap();
    TestApp::start_with(&[HERE, &[("MAIL_DIR", folder)]].concat()).await
}

const ID: &str = "delivery_00000000000000000000000007";

fn folder_with(message: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("20260105T090000.000Z-welcome-{ID}.eml");
    fs::write(folder.path().join(name), message).unwrap();
    folder
}

#[tokio::test]
async fn to_all_others_the_mailbox_is_a_path_like_any_unknown_one() {
    let folder = folder_with("Subject: A secret\r\nContent-Type: text/html\r\n\r\n<p>secret");
    let app = with_mails(folder.path()).await;
    let unknown = app.http().get(app.url("/nothing")).send().await.unwrap();
    let unknown_headers = kept(&unknown);
    let unknown_body = unknown.text().await.unwrap();
    let html = format!("/mail/{ID}/html");
    let page = format!("/mail/{ID}");
    for path in ["/mail", "/mail/mailbox.css", page.as_str(), html.as_str()] {
        let here = app.http().get(app.url(path)).send().await.unwrap();
        assert_eq!(here.status(), StatusCode::OK, "{path}");
        for (name, value) in [
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
            ("via", "1.1 proxy"),
            ("x-forwarded-host", "localhost"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-server", "localhost"),
            (HOST.as_str(), "evil.example"),
            (HOST.as_str(), "localhost.evil.example:8000"),
            (ORIGIN.as_str(), "https://evil.example"),
            (ORIGIN.as_str(), "null"),
        ] {
            for method in [reqwest::Method::GET, reqwest::Method::POST] {
                let request = app.http().request(method, app.url(path));
                let there = request.header(name, value).send().await.unwrap();
                assert_eq!(
                    there.status(),
                    StatusCode::NOT_FOUND,
                    "{path} {name}: {value}"
                );
                assert_eq!(kept(&there), unknown_headers, "{path} {name}: {value}");
                assert_eq!(there.text().await.unwrap(), unknown_body);
            }
        }
    }
}

/// All but what differs from answer to answer.
fn kept(response: &Response) -> Vec<(String, String)> {
    let mut kept: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    kept.sort();
    kept
}

/// nginx with nothing but `proxy_pass` adds no header, and names the upstream as the host.
#[tokio::test]
async fn a_bare_proxy_on_this_machine_finds_no_mailbox() {
    let folder = folder_with("Subject: A secret\r\n\r\nsecret");
    let app = with_mails(folder.path()).await;
    let address = app.url("").trim_start_matches("http://").to_owned();
    for (path, version, status) in [
        ("/mail", "1.1", "200 OK"),
        ("/mail", "1.0", "404 Not Found"),
        (&format!("/mail/{ID}"), "1.0", "404 Not Found"),
        ("/metrics", "1.1", "200 OK"),
        ("/metrics", "1.0", "404 Not Found"),
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request =
            format!("GET {path} HTTP/{version}\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (line, _) = answer.split_once("\r\n").unwrap();
        assert!(line.ends_with(status), "{path} {version}: {line}");
    }
}

#[tokio::test]
async fn there_is_no_mailbox_where_mails_are_sent_or_muster_has_a_name_of_its_own() {
    let folder = folder_with("Subject: Hello\r\n\r\n");
    let mails = [("MAIL_DIR", folder.path().to_str().unwrap())];
    for others in [
        &[("SMTP_URL", "smtp://127.0.0.1:1"), HERE[0]] as &[_],
        &[("PUBLIC_URL", "https://muster.example")],
        &[("PUBLIC_URL", "http://10.0.0.7:8000")],
        &[("TRUSTED_PROXIES", "10.0.0.7/32"), HERE[0]],
    ] {
        let app = TestApp::start_with(&[&mails, others].concat()).await;
        for path in ["/mail", &format!("/mail/{ID}"), "/mail/mailbox.css"] {
            let answer = app.http().get(app.url(path)).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path} {others:?}");
        }
    }
}

#[tokio::test]
async fn mails_of_strangers_are_shown_as_text_and_their_files_are_out_of_reach() {
    let folder = folder_with(
        "Subject: <script>alert(1)</script>\r\n\
         To: \"</title><img src=x>\" <a@example.com>\r\n\
         X-<b>: <i>\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\n</pre><script>alert(2)</script>\r\n\
         --b\r\nContent-Type: text/html\r\n\
         Content-Disposition: attachment; filename=\"../x\\\"><script>.html\"\r\n\r\n\
         <script>alert(3)</script>\r\n--b--\r\n",
    );
    fs::write(
        folder.path().join("secret.eml"),
        "Subject: Not ours\r\n\r\n",
    )
    .unwrap();
    let hostile = "<script>alert(4)<!--.eml";
    fs::write(folder.path().join(hostile), "Subject: Hostile\r\n\r\n").unwrap();
    let app = with_mails(folder.path()).await;
    let get = async |path: &str| {
        let url = app.url(path);
        Client::new().get(url).send().await.unwrap()
    };

    let list = get("/mail").await.text().await.unwrap();
    let page = get(&format!("/mail/{ID}")).await.text().await.unwrap();
    for shown in [&list, &page] {
        for markup in ["<script", "<img", "<i>", "<b>", "</pre><"] {
            assert!(!shown.contains(markup), "{markup} in {shown}");
        }
        assert!(shown.contains("&#60;script&#62;alert(1)"), "{shown}");
    }
    assert!(
        !list.contains("Not ours") && !list.contains("Hostile"),
        "{list}"
    );
    assert!(page.contains("alert(2)"), "{page}");

    let attachment = get(&format!("/mail/{ID}/attachments/0")).await;
    let headers = attachment.headers();
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let disposition = headers["content-disposition"].to_str().unwrap();
    assert!(
        disposition.starts_with("attachment; filename=\""),
        "{disposition}"
    );
    assert_eq!(disposition.matches('"').count(), 2, "{disposition}");
    assert!(!disposition.contains(['/', '<', '\\']), "{disposition}");

    for path in [
        "/mail/secret",
        "/mail/secret.eml",
        "/mail/..%2fbeside",
        "/mail/%2e%2e%2fbeside.eml",
        "/mail/delivery_00000000000000000000000008",
        "/mail/user_00000000000000000000000007",
        &format!("/mail/20260105T090000.000Z-welcome-{ID}.eml"),
        &format!("/mail/{ID}/html"),
        &format!("/mail/{ID}/attachments/1"),
    ] {
        assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
