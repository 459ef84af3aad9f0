//! Keyset pages: a page begins where the one before ended, by the values that
//! the rows are sorted by, so rows that come or go meanwhile neither repeat nor
//! hide others.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Order};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::Source;
use crate::error::Result;

/// The value of the sorted column in one row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SortKey {
    Instant(DateTime<Utc>),
    Text(String),
    /// The row has none, and comes last in either direction.
    Missing,
}

/// A row's place in a list. The id breaks ties, in the same direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    pub key: SortKey,
    pub id: Uuid,
}

impl Position {
    /// In a list that is sorted by when its rows were created.
    pub fn created(at: DateTime<Utc>, id: Uuid) -> Self {
        Self {
            key: SortKey::Instant(at),
            id,
        }
    }
}

/// Which part of a list is asked for: the first rows, or (`backward`) the last
/// ones, of what lies between the two positions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub size: u64,
    pub backward: bool,
    pub after: Option<Position>,
    pub before: Option<Position>,
}

impl Window {
    /// The beginning of a list.
    pub fn first(size: u64) -> Self {
        Self {
            size,
            backward: false,
            after: None,
            before: None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub has_next_page: bool,
    pub has_previous_page: bool,
}

/// What a list is sorted by.
pub(super) struct Sort {
    /// An expression that is never null and stands as it is in an index.
    pub key: Expr,
    pub id: Expr,
    pub descending: bool,
    /// What `key` is for a row that has no value; None where every row has one.
    pub missing: Option<Expr>,
}

impl Sort {
    fn position(&self, position: &Position) -> Option<Expr> {
        let key = match &position.key {
            SortKey::Instant(instant) => Expr::val(*instant),
            SortKey::Text(text) => Expr::val(text.as_str()),
            SortKey::Missing => self.missing.clone()?,
        };
        Some(Expr::tuple([key, Expr::val(position.id)]))
    }

    /// The condition that keeps a row between the two positions. A row-value comparison, since
    /// databases cannot use an index for the same thing spelled out with OR.
    pub fn between(&self, window: &Window) -> Vec<Expr> {
        let row = Expr::tuple([self.key.clone(), self.id.clone()]);
        let mut conditions = Vec::new();
        for (position, is_after) in [(&window.after, true), (&window.before, false)] {
            let Some(position) = position else {
                continue;
            };
            conditions.push(match self.position(position) {
                Some(position) if is_after == self.descending => row.clone().lt(position),
                Some(position) => row.clone().gt(position),
                // Every row has a value, and so comes before a place among those that have none.
                None => Expr::val(1).eq(i32::from(!is_after)),
            });
        }
        conditions
    }

    /// The order in which rows are read: from the end of the list when the last ones are asked for.
    pub fn reading_order(&self, window: &Window) -> Order {
        if self.descending == window.backward {
            Order::Asc
        } else {
            Order::Desc
        }
    }

    /// One row more than asked for is read: it tells whether there are more.
    pub fn apply<E: EntityTrait>(&self, select: Select<E>, window: &Window) -> Select<E> {
        let order = self.reading_order(window);
        let mut select = select;
        for condition in self.between(window) {
            select = select.filter(condition);
        }
        select
            .order_by(self.key.clone(), order.clone())
            .order_by(self.id.clone(), order)
            .limit(window.size.saturating_add(1))
    }
}

/// A page of a list whose rows come in the order in which they were created, newest first: by the
/// two columns, of that instant and of the id.
pub(super) async fn newest_first<E: EntityTrait>(
    source: &impl Source,
    select: Select<E>,
    (created_at, id): (E::Column, E::Column),
    window: &Window,
) -> Result<Page<E::Model>> {
    let sort = Sort {
        key: Expr::col(created_at),
        id: Expr::col(id),
        descending: true,
        missing: None,
    };
    let rows = sort.apply(select, window).all(source.connection()).await?;
    Ok(Page::new(rows, window))
}

impl<T> Page<T> {
    /// The same page, whose rows can be shown in several places without being copied.
    pub fn shared(self) -> Page<Arc<T>> {
        Page {
            rows: self.rows.into_iter().map(Arc::new).collect(),
            has_next_page: self.has_next_page,
            has_previous_page: self.has_previous_page,
        }
    }

    /// From the rows in reading order, the surplus one included.
    pub(super) fn new(mut rows: Vec<T>, window: &Window) -> Self {
        let size = usize::try_from(window.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        if window.backward {
            rows.reverse();
            Self {
                rows,
                has_next_page: window.before.is_some(),
                has_previous_page: more,
            }
        } else {
            Self {
                rows,
                has_next_page: more,
                has_previous_page: window.after.is_some(),
            }
        }
    }
}
