//! Who must have a second factor, and who may take one away.

use super::{Verdict, allow_if, is_admin};
use crate::actor::Actor;
use crate::entity::Role;
use crate::entity::user::Model as User;

/// Whether people of this role need a second factor to use what the role gives them. `of_admins` is
/// the setting `ADMIN_SECOND_FACTOR`.
pub fn is_required(role: Role, of_admins: bool) -> bool {
    of_admins && role == Role::Admin
}

/// Know of somebody whether they have a second factor.
pub fn may_see(actor: &Actor, user: &User) -> bool {
    is_admin(actor) || actor.user_id() == Some(user.id)
}

/// Take somebody's second factor away, who has lost phone and codes. Not one's own: that takes a
/// code, lest a stolen session do it. Not another admin's, as with all that an admin logs in with:
/// else one stolen account would open the way to all the others. An admin in need is made something
/// less by another one first, which everybody sees.
pub fn may_reset(actor: &Actor, user: &User) -> Verdict {
    allow_if(is_admin(actor), "Only admins can reset a second factor.")?;
    allow_if(
        actor.user_id() != Some(user.id),
        "Nobody can reset their own second factor. Disable it with a code.",
    )?;
    allow_if(
        user.role != Role::Admin,
        "Admins cannot reset another admin's second factor. Set another role first.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::UserStatus;
    use crate::policy::fixture::{OTHER, VIEWER, actor, user};

    /// Viewer's role, target (self or other), target's role: may see, may reset.
    #[test]
    fn the_table_of_rights_over_second_factors() {
        use Role::{Admin, Employee, Manager};
        for (role, target, target_role, see, reset) in [
            (Employee, VIEWER, Employee, true, false),
            (Employee, OTHER, Employee, false, false),
            (Manager, VIEWER, Manager, true, false),
            (Manager, OTHER, Employee, false, false),
            (Admin, VIEWER, Admin, true, false),
            (Admin, OTHER, Employee, true, true),
            (Admin, OTHER, Manager, true, true),
            (Admin, OTHER, Admin, true, false),
        ] {
            let (actor, user) = (actor(role), user(target, target_role, UserStatus::Active));
            let row = (role, target, target_role);
            assert_eq!(may_see(&actor, &user), see, "see {row:?}");
            assert_eq!(may_reset(&actor, &user).is_ok(), reset, "reset {row:?}");
        }
        let other = user(OTHER, Employee, UserStatus::Active);
        for nobody in [Actor::Anonymous, Actor::Refused] {
            assert!(!may_see(&nobody, &other));
            assert!(may_reset(&nobody, &other).is_err());
        }
    }

    #[test]
    fn it_is_asked_of_admins_where_the_server_asks() {
        for (role, of_admins, required) in [
            (Role::Admin, true, true),
            (Role::Admin, false, false),
            (Role::Manager, true, false),
            (Role::Employee, true, false),
        ] {
            assert_eq!(is_required(role, of_admins), required);
        }
    }
}
