//! Figures that take a look at many rows, by way of the cache. Whoever sees all rows
//! sees the same figures; what is counted for one person alone is not kept.

use async_graphql::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{muster, request_time};
use crate::actor::Actor;
use crate::cache::{Dated, Key};
use crate::entity::Role;
use crate::error::Result;
use crate::store;

/// A figure over all rows, and how long the clock leaves it as it is.
pub async fn over_everything<T, F>(
    ctx: &Context<'_>,
    operation: &'static str,
    variables: &str,
    compute: impl Fn() -> F,
) -> Result<T>
where
    T: Serialize + DeserializeOwned,
    F: Future<Output = Result<(T, Option<DateTime<Utc>>)>>,
{
    let (cx, now) = (muster(ctx), request_time(ctx));
    // Before the counting: what changes meanwhile has the next generation.
    let generation = store::generation::find(&cx.db).await?;
    let key = Key {
        operation,
        scope: "all",
        variables,
        generation: &generation,
    };
    // Boxed, since what computes is large and seldom needed.
    let dated = || {
        let computed = compute();
        Box::pin(async move {
            let (value, until) = computed.await?;
            let from = now;
            Ok(Dated { value, from, until })
        })
    };
    cx.cache.get(&key, now, dated).await
}

/// How many rows a list has. What the clock changes, and what is one person's, is counted each
/// time; the latter has an index.
pub async fn total<F: Future<Output = Result<u64>>>(
    ctx: &Context<'_>,
    operation: &'static str,
    actor: &Actor,
    filter: Option<&str>,
    count: impl Fn() -> F,
) -> Result<u64> {
    match filter {
        Some(filter) if actor.has(Role::Manager) => {
            // People's words are no part of a key that others keep.
            let digest = Sha256::digest(filter);
            let variables = URL_SAFE_NO_PAD.encode(digest);
            let count = || {
                let counted = count();
                async move { Ok((counted.await?, None)) }
            };
            over_everything(ctx, operation, &variables, count).await
        }
        _ => count().await,
    }
}
