//! What may be done to a task.

use super::{Verdict, allow_if};
use crate::actor::Actor;
use crate::entity::task::Model as Task;
use crate::entity::user::Model as User;
use crate::entity::{Role, UserStatus};

fn hands_out_tasks(actor: &Actor) -> bool {
    *actor == Actor::System || actor.has(Role::Manager)
}

pub fn may_create(actor: &Actor) -> Verdict {
    allow_if(
        hands_out_tasks(actor),
        "Only managers and admins can create tasks.",
    )
}

pub fn may_update(actor: &Actor, _task: &Task) -> Verdict {
    allow_if(
        hands_out_tasks(actor),
        "Only managers and admins can change tasks.",
    )
}

pub fn may_assign(actor: &Actor, _task: &Task) -> Verdict {
    allow_if(
        hands_out_tasks(actor),
        "Only managers and admins can assign tasks.",
    )
}

pub fn may_set_status(actor: &Actor, task: &Task) -> Verdict {
    let is_assignee = actor.user_id().is_some() && actor.user_id() == task.assignee_id;
    allow_if(
        is_assignee || hands_out_tasks(actor),
        "Only the assignee, managers and admins can set the status.",
    )
}

pub fn may_delete(actor: &Actor, _task: &Task) -> Verdict {
    allow_if(
        hands_out_tasks(actor),
        "Only managers and admins can delete tasks.",
    )
}

/// Whether tasks can be given to this user.
pub fn is_assignable(user: &User) -> bool {
    user.status == UserStatus::Active && user.role != Role::Admin
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{TaskId, TaskStatus, UserId};
    use crate::policy::fixture::{OTHER, VIEWER, actor, user};
    use chrono::DateTime;
    use uuid::Uuid;

    fn task(assignee_id: Option<UserId>) -> Task {
        Task {
            id: TaskId(Uuid::from_u128(3)),
            title: "Count the chairs".into(),
            title_key: "count the chairs".into(),
            description: None,
            status: TaskStatus::Pending,
            deadline: None,
            assignee_id,
            created_by: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            completed_at: None,
            version: 1,
        }
    }

    /// Role, assignee: may set the status, may update, assign and delete.
    #[test]
    fn the_table_of_rights_over_tasks() {
        for (role, assignee, status, others) in [
            (Role::Employee, Some(VIEWER), true, false),
            (Role::Employee, Some(OTHER), false, false),
            (Role::Employee, None, false, false),
            (Role::Manager, Some(OTHER), true, true),
            (Role::Manager, None, true, true),
            (Role::Admin, Some(OTHER), true, true),
            (Role::Admin, None, true, true),
        ] {
            let actor = actor(role);
            let task = task(assignee);
            assert_eq!(
                may_set_status(&actor, &task).is_ok(),
                status,
                "{role:?} {assignee:?}"
            );
            for verdict in [
                may_update(&actor, &task),
                may_assign(&actor, &task),
                may_delete(&actor, &task),
            ] {
                assert_eq!(verdict.is_ok(), others, "{role:?} {assignee:?}");
            }
        }
    }

    #[test]
    fn tasks_are_for_active_employees_and_managers() {
        for (role, status, expected) in [
            (Role::Employee, UserStatus::Active, true),
            (Role::Manager, UserStatus::Active, true),
            (Role::Admin, UserStatus::Active, false),
            (Role::Employee, UserStatus::Pending, false),
            (Role::Manager, UserStatus::Deactivated, false),
            (Role::Employee, UserStatus::Rejected, false),
        ] {
            let user = user(OTHER, role, status);
            assert_eq!(is_assignable(&user), expected, "{role:?} {status:?}");
        }
    }

    #[test]
    fn nobody_may_do_anything_to_an_unassigned_task_without_signing_in() {
        for actor in [Actor::Anonymous, Actor::Refused] {
            assert!(may_set_status(&actor, &task(None)).is_err());
            assert!(may_create(&actor).is_err());
        }
    }
}
