//! Which front ends of other origins a browser may let in.

use http::HeaderValue;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    None,
    /// Every origin, and therefore without credentials.
    Any,
    /// These, with credentials.
    List(Vec<HeaderValue>),
}
