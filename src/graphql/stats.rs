//! Figures over everything, for managers and admins.

use async_graphql::{Context, Object, SimpleObject};

use super::access::{self, auth};
use super::types::{Role, TaskStatus, UserStatus};
use super::{figures, muster, request_time};
use crate::error::Result;
use crate::store;
use crate::store::stats::{TaskCount, UserCount};

/// Counts over everything. Every role and status is listed, also with a count of 0.
#[derive(SimpleObject)]
struct Stats {
    /// How many users there are, whatever their status.
    users_total: i64,
    /// How many users have each role, from ADMIN to EMPLOYEE.
    users_by_role: Vec<RoleCount>,
    /// How many users have each status.
    users_by_status: Vec<UserStatusCount>,
    /// How many tasks there are.
    tasks_total: i64,
    /// How many tasks have each status.
    tasks_by_status: Vec<TaskStatusCount>,
    /// How many tasks have `isOverdue` true.
    tasks_overdue: i64,
    /// How many tasks nobody is assigned to.
    tasks_unassigned: i64,
}

/// How many users have a role.
#[derive(SimpleObject)]
struct RoleCount {
    /// The role.
    role: Role,
    /// How many have it.
    count: i64,
}

/// How many users have a status.
#[derive(SimpleObject)]
struct UserStatusCount {
    /// The status.
    status: UserStatus,
    /// How many have it.
    count: i64,
}

/// How many tasks have a status.
#[derive(SimpleObject)]
struct TaskStatusCount {
    /// The status.
    status: TaskStatus,
    /// How many have it.
    count: i64,
}

#[derive(Default)]
pub struct StatsQuery;

#[Object]
impl StatsQuery {
    /// Figures over all users and tasks. They agree with the lists. Requires MANAGER.
    #[graphql(directive = auth::apply(access::STATS.into()))]
    async fn stats(&self, ctx: &Context<'_>) -> Result<Stats> {
        access::require(ctx, access::STATS)?;
        let (db, now) = (&muster(ctx).db, request_time(ctx));
        // Tens of milliseconds at 100,000 tasks, so it is done once for each state of the tables.
        let count = async || {
            let users = store::stats::count_users(db).await?;
            let tasks = store::stats::count_tasks(db, now).await?;
            let until = store::stats::find_next_deadline(db, now).await?;
            Ok(((users, tasks), until))
        };
        let (users, tasks): (Vec<UserCount>, Vec<TaskCount>) =
            figures::over_everything(ctx, "stats", "", count).await?;
        let count_users = |matches: &dyn Fn(&UserCount) -> bool| -> i64 {
            users
                .iter()
                .filter(|row| matches(row))
                .map(|row| row.count)
                .sum()
        };
        Ok(Stats {
            users_total: count_users(&|_| true),
            users_by_role: [Role::Admin, Role::Manager, Role::Employee]
                .map(|role| RoleCount {
                    role,
                    count: count_users(&|row| row.role == role.into()),
                })
                .into(),
            users_by_status: [
                UserStatus::Pending,
                UserStatus::Active,
                UserStatus::Rejected,
                UserStatus::Deactivated,
            ]
            .map(|status| UserStatusCount {
                status,
                count: count_users(&|row| row.status == status.into()),
            })
            .into(),
            tasks_total: tasks.iter().map(|row| row.count).sum(),
            tasks_by_status: [
                TaskStatus::Pending,
                TaskStatus::InProgress,
                TaskStatus::Completed,
            ]
            .map(|status| TaskStatusCount {
                status,
                count: tasks
                    .iter()
                    .filter(|row| row.status == status.into())
                    .map(|row| row.count)
                    .sum(),
            })
            .into(),
            tasks_overdue: tasks.iter().map(|row| row.overdue).sum(),
            tasks_unassigned: tasks.iter().map(|row| row.unassigned).sum(),
        })
    }
}
