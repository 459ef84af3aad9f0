//! The orders and filters that there are. A new one is missed here by the compiler.

use super::*;

pub(super) fn task_orders() -> Vec<TaskOrder> {
    let fields = [
        TaskOrderField::CreatedAt,
        TaskOrderField::UpdatedAt,
        TaskOrderField::Deadline,
        TaskOrderField::Title,
    ];
    let both = |field| [false, true].map(|descending| TaskOrder { field, descending });
    fields.into_iter().flat_map(both).collect()
}

pub(super) fn user_orders() -> Vec<UserOrder> {
    let fields = [UserOrderField::CreatedAt, UserOrderField::Username];
    let both = |field| [false, true].map(|descending| UserOrder { field, descending });
    fields.into_iter().flat_map(both).collect()
}

pub(super) fn task_order_name(order: TaskOrder) -> String {
    direction_name(&format!("{:?}", order.field), order.descending)
}

pub(super) fn user_order_name(order: UserOrder) -> String {
    direction_name(&format!("{:?}", order.field), order.descending)
}

pub(super) fn direction_name(field: &str, descending: bool) -> String {
    format!(
        "by {field} {}",
        if descending { "falling" } else { "rising" }
    )
}

pub(super) fn task_filters() -> Vec<(&'static str, TaskFilter)> {
    let any = || TaskFilter::any(now());
    // A filter that is added to these does not compile until it is asked for below.
    let TaskFilter {
        status: None,
        assignee: None,
        unassigned: None,
        overdue: None,
        deadline_from: None,
        deadline_to: None,
        search: None,
        now: _,
    } = any()
    else {
        panic!("`any` is about something");
    };
    let status = |status: &[TaskStatus]| TaskFilter {
        status: Some(status.to_vec()),
        ..any()
    };
    let assignee = |number| TaskFilter {
        assignee: Some(vec![user_id(number)]),
        ..any()
    };
    let unassigned = |unassigned| TaskFilter {
        unassigned: Some(unassigned),
        ..any()
    };
    let overdue = |overdue| TaskFilter {
        overdue: Some(overdue),
        ..any()
    };
    let deadline = |from: Option<i64>, to: Option<i64>| TaskFilter {
        deadline_from: from.map(|days| now() + TimeDelta::days(days)),
        deadline_to: to.map(|days| now() + TimeDelta::days(days)),
        ..any()
    };
    let search = |words: &str| TaskFilter {
        search: Some(words.to_owned()),
        ..any()
    };
    vec![
        ("any", any()),
        ("pending", status(&[TaskStatus::Pending])),
        ("completed", status(&[TaskStatus::Completed])),
        (
            "open",
            status(&[TaskStatus::Pending, TaskStatus::InProgress]),
        ),
        ("of the busiest", assignee(1)),
        ("of somebody", assignee(2)),
        ("unassigned", unassigned(true)),
        ("assigned", unassigned(false)),
        ("overdue", overdue(true)),
        ("not overdue", overdue(false)),
        ("due from now on", deadline(Some(0), None)),
        ("due until a month ago", deadline(None, Some(-30))),
        ("due until years ago", deadline(None, Some(-1500))),
        ("due this week", deadline(Some(0), Some(7))),
        ("found by a word", search("marbles")),
        ("found by two words", search("paint marb")),
        ("found by a rare word", search("4711")),
    ]
}

pub(super) fn user_filters() -> Vec<(&'static str, UserFilter)> {
    let any = UserFilter::default;
    // As with the tasks.
    let UserFilter {
        role: None,
        status: None,
        search: None,
    } = any()
    else {
        panic!("`any` is about something");
    };
    let role = |role: &[Role]| UserFilter {
        role: Some(role.to_vec()),
        ..any()
    };
    let status = |status: &[UserStatus]| UserFilter {
        status: Some(status.to_vec()),
        ..any()
    };
    let search = |words: &str| UserFilter {
        search: Some(words.to_owned()),
        ..any()
    };
    vec![
        ("any", any()),
        ("admins", role(&[Role::Admin])),
        ("employees", role(&[Role::Employee])),
        ("managers and admins", role(&[Role::Manager, Role::Admin])),
        ("pending", status(&[UserStatus::Pending])),
        ("active", status(&[UserStatus::Active])),
        (
            "left out",
            status(&[UserStatus::Rejected, UserStatus::Deactivated]),
        ),
        ("found by a word", search("ottilie")),
        ("found by a rare word", search("person4711")),
    ]
}
