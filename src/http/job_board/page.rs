//! The form, the board's page, and what that is made of: apalis's own files, which are
//! in the binary, and two of ours that make them feel at home at `/jobs`.

use std::sync::LazyLock;

use apalis_board_api::ui::ServeUI;
use askama::Template;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::page::{ASSET_POLICY, CSS, HTML, JAVASCRIPT, file};

/// The form needs no script.
const FORM_POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";
/// The board is compiled to WebAssembly, which this lets in, and `eval` not.
const BOARD_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";
const WASM: &str = "application/wasm";

/// As apalis names them, in the version that is pinned.
const APP: &str = "apalis-board-web-5f43ae260a03616d.js";
const APP_WASM: &str = "apalis-board-web-5f43ae260a03616d_bg.wasm";
const APP_STYLE: &str = "input-2a95b2ef12d8c39a.css";

/// Where the app learns at which address it is. It was built for the root of a host: `board.js` says
/// what it takes for one here.
const READS_PATH: &str = "arg1.pathname";
const IS_TOLD_PATH: &str = "globalThis.pathOnBoard(arg1.pathname)";

static TOLD_APP: LazyLock<String> = LazyLock::new(|| {
    let app = std::str::from_utf8(apalis_file(APP)).unwrap_or_default();
    app.replace(READS_PATH, IS_TOLD_PATH)
});

fn apalis_file(name: &'static str) -> &'static [u8] {
    ServeUI::get_file(name).map_or(&[], |file| file.contents())
}

/// Anybody may have these: they are published, and the form is made of one of them.
pub(super) fn assets<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let of_ours = |kind, body| file(kind, ASSET_POLICY, body);
    Router::new()
        .route("/app.js", of_ours(JAVASCRIPT, TOLD_APP.as_bytes()))
        .route("/app.wasm", of_ours(WASM, apalis_file(APP_WASM)))
        .route("/app.css", of_ours(CSS, apalis_file(APP_STYLE)))
        .route("/board.js", of_ours(JAVASCRIPT, include_bytes!("board.js")))
        .route("/board.css", of_ours(CSS, include_bytes!("board.css")))
}

pub(super) fn board() -> Response {
    page(
        StatusCode::OK,
        BOARD_POLICY,
        include_str!("board.html").to_owned(),
    )
}

#[derive(Template)]
#[template(path = "job_board/log_in.html", config = "src/http/askama.toml")]
struct Form<'a> {
    login: &'a str,
    message: Option<&'a str>,
}

/// With what was typed before, but for the secrets, and what was wrong with it.
pub(super) fn form(status: StatusCode, login: &str, message: Option<&str>) -> Response {
    match (Form { login, message }).render() {
        Ok(html) => page(status, FORM_POLICY, html),
        Err(error) => {
            tracing::error!(%error, "the form of the job board cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// It depends on who asks, so nobody keeps it: the layers around see to that.
fn page(status: StatusCode, policy: &'static str, html: String) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(HTML)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(policy),
        ),
        // Without any, browsers would not say that a form was sent from here.
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("same-origin"),
        ),
    ];
    (status, headers, html).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_there_and_the_app_is_told_where_it_is() {
        for name in [APP, APP_WASM, APP_STYLE] {
            assert!(apalis_file(name).len() > 10_000, "{name}");
        }
        let app = std::str::from_utf8(apalis_file(APP)).unwrap();
        // Of the location, and of the addresses of links.
        assert_eq!(app.matches(".pathname").count(), 2);
        assert_eq!(app.matches(READS_PATH).count(), 2);
        assert_eq!(TOLD_APP.matches(IS_TOLD_PATH).count(), 2);
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let style = std::str::from_utf8(apalis_file(APP_STYLE)).unwrap();
        assert!(
            !style.contains("@import") && !style.contains("url(http") && !style.contains("url(//")
        );
        for ours in [
            include_str!("board.html"),
            include_str!("board.js"),
            include_str!("board.css"),
            include_str!("log_in.html"),
        ] {
            assert!(!ours.contains("http:") && !ours.contains("https:") && !ours.contains("\"//"));
        }
    }

    #[test]
    fn what_was_typed_is_text_in_the_form() {
        let typed = "\"><script>alert(1)</script>";
        let form = Form {
            login: typed,
            message: Some(typed),
        };
        let html = form.render().unwrap();
        assert!(
            !html.contains("<script") && html.contains("&#60;script"),
            "{html}"
        );
    }
}
