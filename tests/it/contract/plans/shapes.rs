//! Who asks, for which page, and which rows lie between its ends.

use super::*;

pub(super) fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(super) fn user_id(number: u128) -> UserId {
    UserId(uuid(number))
}

pub(super) fn viewer(role: Role, number: u128) -> Actor {
    Actor::User(Viewer {
        id: user_id(number),
        role,
        lacks_second_factor: false,
        signed_in_by: SignedInBy::SignUp,
    })
}

pub(super) fn manager() -> Actor {
    viewer(Role::Manager, 3)
}

pub(super) fn employee(number: u128) -> Actor {
    viewer(Role::Employee, number)
}

/// Reading from the end is reading the opposite order from the beginning, so `backward` adds nothing.
pub(super) fn window(after: Option<Position>) -> Window {
    Window {
        size: PAGE,
        backward: false,
        after,
        before: None,
    }
}

pub(super) fn end_of<T>(page: &Page<T>, position: impl Fn(&T) -> Position) -> Option<Position> {
    page.has_next_page
        .then(|| position(page.rows.last().unwrap()))
}

pub(super) fn position_of(row: &task::Model, order: TaskOrder) -> Position {
    Position {
        id: row.id.0,
        key: match order.field {
            TaskOrderField::CreatedAt => SortKey::Instant(row.created_at),
            TaskOrderField::UpdatedAt => SortKey::Instant(row.updated_at),
            TaskOrderField::Deadline => row.deadline.map_or(SortKey::Missing, SortKey::Instant),
            TaskOrderField::Title => SortKey::Text(row.title_key.clone()),
        },
    }
}

pub(super) fn position_of_user(row: &user::Model, order: UserOrder) -> Position {
    Position {
        id: row.id.0,
        key: match order.field {
            UserOrderField::CreatedAt => SortKey::Instant(row.created_at),
            UserOrderField::Username => SortKey::Text(row.username_key.clone()),
        },
    }
}

/// Counts the rows of a table between the ends of a page, which a walk along an index must pass.
pub(super) fn between(
    table: &str,
    key: &str,
    descending: bool,
    [start, end]: [Option<&Position>; 2],
    bounds: &[String],
) -> String {
    let (later, until) = if descending { ("<", ">=") } else { (">", "<=") };
    let mut conditions = bounds.to_vec();
    for (comparison, position) in [(later, start), (until, end)] {
        if let Some(Position { key: value, id }) = position {
            let value = match value {
                SortKey::Instant(instant) => literal(*instant),
                SortKey::Text(text) => format!("'{}'", text.replace('\'', "''")),
                SortKey::Missing => (if descending { "''" } else { "'~'" }).to_owned(),
            };
            let id = id.simple();
            conditions.push(format!("({key}, id) {comparison} ({value}, X'{id}')"));
        }
    }
    conditions.push("true".to_owned());
    let conditions = conditions.join(" AND ");
    format!("SELECT CAST(count(*) AS text) FROM {table} WHERE {conditions}")
}

pub(super) fn literal(instant: DateTime<Utc>) -> String {
    let text = instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false);
    format!("'{text}'")
}

/// A list by deadline is read no further than its filter on deadlines goes.
pub(super) fn tasks_between(
    filter: &TaskFilter,
    order: TaskOrder,
    start: Option<&Position>,
    end: Option<&Position>,
) -> String {
    let mut bounds = Vec::new();
    let key = match order.field {
        TaskOrderField::CreatedAt => "created_at",
        TaskOrderField::UpdatedAt => "updated_at",
        TaskOrderField::Title => "title_key",
        TaskOrderField::Deadline => {
            let from = filter.deadline_from.map(|from| (">=", from));
            let to = filter.deadline_to.map(|to| ("<=", to));
            let overdue = (filter.overdue == Some(true)).then_some(("<", filter.now));
            for (comparison, instant) in [from, to, overdue].into_iter().flatten() {
                bounds.push(format!("deadline {comparison} {}", literal(instant)));
            }
            if order.descending {
                "deadline_falling"
            } else {
                "deadline_rising"
            }
        }
    };
    between("tasks", key, order.descending, [start, end], &bounds)
}

pub(super) fn users_between(
    order: UserOrder,
    start: Option<&Position>,
    end: Option<&Position>,
) -> String {
    let key = match order.field {
        UserOrderField::CreatedAt => "created_at",
        UserOrderField::Username => "username_key",
    };
    between("users", key, order.descending, [start, end], &[])
}
