//! Where a database is, and which of the two engines it is.

use std::time::Duration;

use crate::config::{Secret, Settings};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Where a database is, and how much may be asked of it.
#[derive(Clone)]
pub struct Address {
    pub url: Secret,
    /// Around the pooler, if there is one.
    pub direct_url: Option<Secret>,
    pub connections: u32,
    pub timeout: Duration,
}

impl Address {
    pub fn of(settings: &Settings) -> Self {
        Self {
            url: settings.database_url.clone(),
            direct_url: settings.database_direct_url.clone(),
            connections: settings.database_connections,
            timeout: settings.database_timeout.to_std().unwrap_or_default(),
        }
    }

    pub(super) fn engine(&self) -> Engine {
        if self.url.expose().starts_with("sqlite:") {
            Engine::Sqlite
        } else {
            Engine::Postgres
        }
    }
}
