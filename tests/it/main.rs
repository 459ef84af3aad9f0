//! Every test that speaks to Muster from outside of its modules, in one binary:
//! `stories` tell what people do, `contract` holds what others build on,
//! `security` what must not happen; `support` is what they speak with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod contract;
mod faults;
mod security;
mod stories;
mod support;
