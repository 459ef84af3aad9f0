//! Makes the HTML of a mail fit to be shown in a frame that loads nothing: images
//! that came with it are put into it, and its links leave the frame alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail_parser::{Message, MimeHeaders};

/// Images that run nothing and load nothing.
const IMAGES: [&str; 4] = ["gif", "jpeg", "png", "webp"];
/// How often one image may stand in a mail: thousands of times, it would fill the memory.
const REPEATS_MAX: usize = 4;
const NEW_TAB: &str = "<base target=\"_blank\">";

pub(super) fn to_be_shown(html: &str, message: &Message<'_>) -> String {
    let html = with_images(html, message);
    // Before all that the mail itself could say about its links.
    match find_ignoring_case(&html, "<head>") {
        Some(head) => {
            let (before, after) = html.split_at(head + "<head>".len());
            format!("{before}{NEW_TAB}{after}")
        }
        None => format!("<!doctype html>{NEW_TAB}{html}"),
    }
}

/// `cid:logo@muster` becomes the image of the part of this Content-ID.
fn with_images(html: &str, message: &Message<'_>) -> String {
    let mut html = html.to_owned();
    for part in &message.parts {
        let (Some(id), Some(content_type)) = (part.content_id(), part.content_type()) else {
            continue;
        };
        let kind = content_type.subtype().unwrap_or_default().to_lowercase();
        let is_image = content_type.ctype().eq_ignore_ascii_case("image");
        if is_image && IMAGES.contains(&kind.as_str()) && !id.is_empty() {
            let data = BASE64.encode(part.contents());
            // With its end, since one id can be the beginning of another.
            for quote in ['"', '\'', ')'] {
                let image = format!("data:image/{kind};base64,{data}{quote}");
                html = html.replacen(&format!("cid:{id}{quote}"), &image, REPEATS_MAX);
            }
        }
    }
    html
}

fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    let windows = text.as_bytes().windows(needle.len());
    windows
        .enumerate()
        .find(|(_, window)| window.eq_ignore_ascii_case(needle.as_bytes()))
        .map(|(place, _)| place)
}
