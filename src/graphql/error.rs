impl From<crate::error::Error> for async_graphql::Error { fn from(e: crate::error::Error) -> Self { Self::new(e.to_string()) } }
