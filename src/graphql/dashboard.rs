//! What the signed-in user sees first.

use async_graphql::{Context, Object, SimpleObject};
use chrono::TimeDelta;

use super::access::{self, auth};
use super::{loaders, muster, request_time};
use crate::calendar::local_day;
use crate::entity::{ApprovalDecision, Role};
use crate::error::{Error, Result};
use crate::store;

const LATELY: TimeDelta = TimeDelta::days(7);

/// What the signed-in user sees first. The figures are about the tasks assigned to them.
#[derive(SimpleObject)]
struct Dashboard {
    /// A greeting by name, with what is most urgent.
    message: String,
    /// Tasks that are PENDING or IN_PROGRESS.
    open_tasks: i64,
    /// Open tasks whose deadline has passed.
    overdue_tasks: i64,
    /// Open tasks with a deadline on this day, by the user's own clock.
    due_today: i64,
    /// Tasks COMPLETED in the last 7 times 24 hours.
    completed_last7_days: i64,
    /// Sign-ups that wait for a decision. Null unless the viewer is an admin.
    pending_approvals: Option<u64>,
}

#[derive(Default)]
pub struct DashboardQuery;

#[Object]
impl DashboardQuery {
    /// What the signed-in user sees first. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::DASHBOARD.into()))]
    async fn dashboard(&self, ctx: &Context<'_>) -> Result<Dashboard> {
        let actor = access::require(ctx, access::DASHBOARD)?;
        let viewer = actor.signed_in()?;
        let user = loaders(ctx)
            .user(actor, viewer.id)
            .await?
            .ok_or(Error::Unauthenticated)?;
        let db = &muster(ctx).db;
        let now = request_time(ctx);
        let today = local_day(now, user.zone());
        let counts = store::stats::count_own_tasks(db, user.id, now, today, now - LATELY).await?;
        let pending_approvals = if viewer.role == Role::Admin {
            let pending = store::approval::ApprovalFilter {
                decision: Some(vec![ApprovalDecision::Pending]),
            };
            Some(store::approval::count(db, &actor, &pending).await?)
        } else {
            None
        };
        Ok(Dashboard {
            message: message(&user.display_name(), counts.open, counts.overdue),
            open_tasks: counts.open,
            overdue_tasks: counts.overdue,
            due_today: counts.due_today,
            completed_last7_days: counts.completed_lately,
            pending_approvals,
        })
    }
}

fn message(name: &str, open: i64, overdue: i64) -> String {
    let tasks = |count: i64| if count == 1 { "task" } else { "tasks" };
    match (open, overdue) {
        (0, _) => format!("Hello, {name}. You have no open tasks."),
        (open, 0) => format!("Hello, {name}. You have {open} open {}.", tasks(open)),
        (open, overdue) => format!(
            "Hello, {name}. You have {open} open {}, {overdue} of them overdue.",
            tasks(open)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_counts_in_plain_english() {
        assert_eq!(message("Ada", 0, 0), "Hello, Ada. You have no open tasks.");
        assert_eq!(message("Ada", 1, 0), "Hello, Ada. You have 1 open task.");
        assert_eq!(
            message("Ada", 3, 1),
            "Hello, Ada. You have 3 open tasks, 1 of them overdue."
        );
    }
}
