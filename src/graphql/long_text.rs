//! Keeps an answer to what fits into memory. An operation is priced by the number
//! of its fields, but the description of a task may have ten thousand characters:
//! an operation within its limit could ask for hundreds of megabytes of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::Context;

use crate::error::{Error, Result};

/// Of all long texts in one answer, in bytes: those of the largest page, with four bytes for each
/// character, and twice that.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many bytes of long texts the answer to one request has so far.
#[derive(Default)]
pub struct LongTexts(AtomicUsize);

impl LongTexts {
    fn tell<'a>(&self, text: &'a str) -> Result<&'a str> {
        let before = self.0.fetch_add(text.len(), Ordering::Relaxed);
        if before.saturating_add(text.len()) <= BYTES_MAX {
            Ok(text)
        } else {
            Err(Error::AnswerTooLong)
        }
    }
}

/// The text, while the answer has room for more.
pub fn long_text<'a>(ctx: &Context<'_>, text: Option<&'a str>) -> Option<Result<&'a str>> {
    let told: &LongTexts = ctx.data_unchecked();
    text.map(|text| told.tell(text))
}
