//! What may be done to a user.

use super::{NotAllowed, Verdict, allow_if, is_admin};
use crate::actor::{Actor, Viewer};
use crate::entity::user::Model as User;
use crate::entity::{Role, UserStatus};

fn is_self(actor: &Actor, user: &User) -> bool {
    actor.user_id() == Some(user.id)
}

/// See the e-mail address and the tasks of a user whom the actor can see.
pub fn may_see_contact(actor: &Actor, user: &User) -> bool {
    *actor == Actor::System || is_self(actor, user) || actor.has(Role::Manager)
}

/// See whether the address of a user whom the actor can see is confirmed: what admins decide by.
pub fn may_see_verification(actor: &Actor, user: &User) -> bool {
    is_admin(actor) || is_self(actor, user)
}

/// Use a mailed link, for a new password or to confirm an address. People who wait for a decision
/// may: they still cannot log in.
pub fn may_use_mailed_link(user: &User) -> bool {
    matches!(user.status, UserStatus::Active | UserStatus::Pending)
}

/// Change some field of this user through `updateUser`.
pub fn may_update(actor: &Actor, user: &User) -> Verdict {
    match actor {
        Actor::System => Ok(()),
        Actor::User(viewer) if viewer.role == Role::Admin => allow_if(
            is_self(actor, user) || user.role != Role::Admin,
            "Admins cannot change other admins.",
        ),
        Actor::User(viewer) if viewer.role == Role::Manager => allow_if(
            user.role == Role::Employee,
            "Managers can change employees only.",
        ),
        Actor::User(_) | Actor::Anonymous | Actor::Refused => {
            Err(NotAllowed("Only managers and admins can change users."))
        }
    }
}

/// Change what a user logs in with. Comes after `may_update`. A script that could change the
/// address of its owner could have a new password mailed there.
pub fn may_update_log_in(actor: &Actor, user: &User) -> Verdict {
    allow_if(
        is_admin(actor),
        "Only admins can change a username or an e-mail address.",
    )?;
    allow_if(
        !(is_self(actor, user) && actor.viewer().is_some_and(Viewer::is_script)),
        "An API token cannot change what its owner logs in with.",
    )
}

/// Change one's own username through `updateProfile`.
pub fn may_update_own_username(actor: &Actor) -> Verdict {
    allow_if(
        !actor.viewer().is_some_and(Viewer::is_script),
        "An API token cannot change what its owner logs in with.",
    )
}

/// Deactivate or reactivate. Comes after `may_update`.
pub fn may_set_active(actor: &Actor, user: &User) -> Verdict {
    allow_if(!is_self(actor, user), "Nobody can deactivate themselves.")?;
    allow_if(
        matches!(user.status, UserStatus::Active | UserStatus::Deactivated),
        "Only users who were let in can be deactivated or reactivated.",
    )
}

pub fn may_set_role(actor: &Actor, user: &User) -> Verdict {
    allow_if(is_admin(actor), "Only admins can set roles.")?;
    allow_if(
        user.status == UserStatus::Active,
        "Roles can be set for active users only.",
    )
}

pub fn may_delete(actor: &Actor, user: &User) -> Verdict {
    allow_if(is_admin(actor), "Only admins can delete users.")?;
    allow_if(!is_self(actor, user), "Nobody can delete themselves.")?;
    allow_if(user.role != Role::Admin, "Admins cannot be deleted.")
}

/// Give somebody this role, by whatever way. An admin whom a script made would outlast the script's
/// token.
pub fn may_grant(actor: &Actor, role: Role) -> Verdict {
    allow_if(
        role != Role::Admin || !actor.viewer().is_some_and(Viewer::is_script),
        "An API token cannot make admins.",
    )
}

/// End all sessions of anybody, another admin's too: it takes no right from them.
pub fn may_revoke_sessions(actor: &Actor) -> Verdict {
    allow_if(
        is_admin(actor),
        "Only admins can end the sessions of others.",
    )
}

/// Approve or reject a sign-up.
pub fn may_decide(actor: &Actor, user: &User) -> Verdict {
    allow_if(is_admin(actor), "Only admins can decide on sign-ups.")?;
    allow_if(!is_self(actor, user), "Nobody can decide on themselves.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixture::{OTHER, VIEWER, actor, script, user};

    /// Viewer's role, target (self or other), target's role: may update, set the role, delete.
    #[test]
    fn the_table_of_rights_over_active_users() {
        use Role::{Admin, Employee, Manager};
        for (role, target, target_role, update, set_role, delete) in [
            (Employee, VIEWER, Employee, false, false, false),
            (Employee, OTHER, Employee, false, false, false),
            (Employee, OTHER, Manager, false, false, false),
            (Employee, OTHER, Admin, false, false, false),
            (Manager, VIEWER, Manager, false, false, false),
            (Manager, OTHER, Employee, true, false, false),
            (Manager, OTHER, Manager, false, false, false),
            (Manager, OTHER, Admin, false, false, false),
            (Admin, VIEWER, Admin, true, true, false),
            (Admin, OTHER, Employee, true, true, true),
            (Admin, OTHER, Manager, true, true, true),
            (Admin, OTHER, Admin, false, true, false),
        ] {
            let actor = actor(role);
            let user = user(target, target_role, UserStatus::Active);
            let row = (role, target, target_role);
            assert_eq!(may_update(&actor, &user).is_ok(), update, "update {row:?}");
            assert_eq!(
                may_set_role(&actor, &user).is_ok(),
                set_role,
                "role {row:?}"
            );
            assert_eq!(may_delete(&actor, &user).is_ok(), delete, "delete {row:?}");
        }
    }

    #[test]
    fn a_script_cannot_change_what_its_owner_logs_in_with() {
        let script = script(Role::Admin);
        for (actor, id, expected) in [
            (script, VIEWER, false),
            (script, OTHER, true),
            (actor(Role::Admin), VIEWER, true),
            (actor(Role::Manager), OTHER, false),
            (Actor::System, VIEWER, true),
        ] {
            let user = user(id, Role::Admin, UserStatus::Active);
            let verdict = may_update_log_in(&actor, &user);
            assert_eq!(verdict.is_ok(), expected, "{actor:?}");
        }
        assert!(may_update_own_username(&script).is_err());
        assert!(may_update_own_username(&actor(Role::Employee)).is_ok());
    }

    #[test]
    fn roles_are_set_and_activity_is_switched_only_where_the_status_allows_it() {
        for (status, role, active) in [
            (UserStatus::Pending, false, false),
            (UserStatus::Active, true, true),
            (UserStatus::Rejected, false, false),
            (UserStatus::Deactivated, false, true),
        ] {
            let user = user(OTHER, Role::Employee, status);
            assert_eq!(may_set_role(&actor(Role::Admin), &user).is_ok(), role);
            assert_eq!(may_set_active(&actor(Role::Admin), &user).is_ok(), active);
        }
    }

    #[test]
    fn nobody_deactivates_or_decides_on_themselves() {
        let own = user(VIEWER, Role::Admin, UserStatus::Active);
        assert!(may_set_active(&actor(Role::Admin), &own).is_err());
        assert!(may_decide(&actor(Role::Admin), &own).is_err());
    }

    #[test]
    fn nobody_is_made_an_admin_by_a_script() {
        for role in [Role::Employee, Role::Manager, Role::Admin] {
            let may = may_grant(&script(Role::Admin), role);
            assert_eq!(may.is_ok(), role != Role::Admin);
            for granter in [Actor::System, actor(Role::Admin), Actor::Anonymous] {
                assert!(may_grant(&granter, role).is_ok(), "{granter:?}");
            }
        }
    }

    #[test]
    fn a_mailed_link_is_for_whoever_was_let_in_or_waits_for_it() {
        for (status, may) in [
            (UserStatus::Pending, true),
            (UserStatus::Active, true),
            (UserStatus::Rejected, false),
            (UserStatus::Deactivated, false),
        ] {
            let holder = user(VIEWER, Role::Employee, status);
            assert_eq!(may_use_mailed_link(&holder), may, "{status:?}");
        }
    }

    #[test]
    fn whether_an_address_is_confirmed_is_for_the_person_and_admins() {
        let other = user(OTHER, Role::Employee, UserStatus::Pending);
        let own = user(VIEWER, Role::Employee, UserStatus::Active);
        for (actor, of_self, of_others) in [
            (Actor::System, true, true),
            (actor(Role::Admin), true, true),
            (actor(Role::Manager), true, false),
            (actor(Role::Employee), true, false),
            (Actor::Anonymous, false, false),
            (Actor::Refused, false, false),
        ] {
            assert_eq!(may_see_verification(&actor, &own), of_self, "{actor:?}");
            assert_eq!(may_see_verification(&actor, &other), of_others, "{actor:?}");
        }
    }

    #[test]
    fn contact_is_for_the_person_managers_and_admins() {
        let other = user(OTHER, Role::Employee, UserStatus::Active);
        let own = user(VIEWER, Role::Employee, UserStatus::Active);
        assert!(may_see_contact(&actor(Role::Employee), &own));
        assert!(!may_see_contact(&actor(Role::Employee), &other));
        assert!(may_see_contact(&actor(Role::Manager), &other));
        assert!(!may_see_contact(&Actor::Anonymous, &other));
    }

    /// Who asks: may set what others log in with, end their sessions, decide on their sign-up.
    #[test]
    fn what_is_for_admins_and_muster_itself_is_for_nobody_else() {
        let other = user(OTHER, Role::Employee, UserStatus::Pending);
        for (actor, expected) in [
            (Actor::System, true),
            (actor(Role::Admin), true),
            (actor(Role::Manager), false),
            (actor(Role::Employee), false),
            (Actor::Anonymous, false),
            (Actor::Refused, false),
        ] {
            for verdict in [
                may_update_log_in(&actor, &other),
                may_revoke_sessions(&actor),
                may_decide(&actor, &other),
            ] {
                assert_eq!(verdict.is_ok(), expected, "{actor:?}");
            }
        }
    }
}
