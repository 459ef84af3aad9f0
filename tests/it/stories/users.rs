//! What admins and managers do to others.

use serde_json::{Value, json};

use crate::support::{
    Answer, DELETE_USER, NODE, Person, SET_USER_ROLE, TestApp, UPDATE_USER, USER,
};

async fn update(person: &Person, user: &str, changes: Value) -> Answer {
    let mut input = changes;
    input["userId"] = user.into();
    person.asks(UPDATE_USER, json!({ "input": input })).await
}

async fn set_role(person: &Person, user: &str, role: &str) -> Answer {
    let input = json!({ "userId": user, "role": role });
    person.asks(SET_USER_ROLE, json!({ "input": input })).await
}

async fn delete(person: &Person, user: &str) -> Answer {
    person
        .asks(DELETE_USER, json!({ "input": { "userId": user } }))
        .await
}

/// One of each, and a second admin and manager to be acted on.
struct House {
    app: TestApp,
    ada: Person,
    abe: Person,
    mia: Person,
    max: Person,
    eve: Person,
}

async fn house() -> House {
    let app = TestApp::start().await;
    House {
        ada: app.admin("ada").await,
        abe: app.admin("abe").await,
        mia: app.manager("mia").await,
        max: app.manager("max").await,
        eve: app.employee("eve").await,
        app,
    }
}

/// What each may change of whom, as `updateUser` says, and `viewerCanUpdate` before it.
#[tokio::test]
async fn who_may_change_what_of_whom() {
    let House {
        ada,
        abe,
        mia,
        max,
        eve,
        ..
    } = &house().await;
    let (names, log_in, active) = (0b001, 0b010, 0b100);
    for (viewer, user, allowed) in [
        (ada, eve, names | log_in | active),
        (ada, mia, names | log_in | active),
        (ada, ada, names | log_in),
        (ada, abe, 0),
        (mia, eve, names | active),
        (mia, max, 0),
        (mia, mia, 0),
        (mia, ada, 0),
    ] {
        let who = format!("{} on {}", viewer.username, user.username);
        for (kind, field, value) in [
            (names, "firstName", json!("New")),
            (names, "lastName", json!(null)),
            (log_in, "username", json!(user.username)),
            (log_in, "email", json!(user.email)),
            (active, "active", json!(true)),
        ] {
            let answer = update(viewer, user.id(), json!({ field: value })).await;
            if allowed & kind != 0 {
                answer.succeeds();
            } else if allowed != 0 {
                answer.refused_for(&[&format!("input.{field} NOT_ALLOWED")]);
            } else {
                answer.refused_for(&["input.userId NOT_ALLOWED"]);
            }
        }
        let answer = viewer
            .asks(USER, json!({ "id": user.id() }))
            .await
            .succeeds();
        assert_eq!(answer.data("user.viewerCanUpdate"), allowed != 0, "{who}");
        let is_admin = viewer.username == "ada";
        assert_eq!(answer.data("user.viewerCanSetRole"), is_admin, "{who}");
        let is_other = user.username != "ada" && user.username != "abe";
        assert_eq!(
            answer.data("user.viewerCanDelete"),
            is_admin && is_other,
            "{who}"
        );
    }
}

#[tokio::test]
async fn nothing_is_changed_when_a_part_is_not_allowed() {
    let House { mia, eve, .. } = &house().await;
    let changes = json!({ "firstName": "New", "email": "new@example.com", "username": "new" });
    let answer = update(mia, eve.id(), changes).await;
    let mut problems = answer.user_errors();
    problems.sort();
    assert_eq!(
        problems,
        ["input.email NOT_ALLOWED", "input.username NOT_ALLOWED"]
    );
    let answer = mia.asks(USER, json!({ "id": eve.id() })).await.succeeds();
    assert_eq!(answer.data("user.firstName"), Value::Null);
}

#[tokio::test]
async fn an_admin_changes_what_somebody_logs_in_with() {
    let House { app, ada, eve, .. } = &house().await;
    let changes = json!({ "username": "Eva", "email": "eva@example.com", "firstName": "Eva" });
    let answer = update(ada, eve.id(), changes).await.succeeds();
    assert_eq!(answer.data("updateUser.user.username"), "Eva");
    eve.logs_in_as("eve")
        .await
        .refused_with("INVALID_CREDENTIALS");
    eve.logs_in_as("eva@example.com").await.succeeds();
    for (changes, problem) in [
        (json!({ "username": null }), "input.username BLANK"),
        (json!({ "email": null }), "input.email BLANK"),
        (json!({ "active": null }), "input.active BLANK"),
        (json!({ "username": "e" }), "input.username TOO_SHORT"),
        (json!({ "email": "eva" }), "input.email INVALID"),
        (
            json!({ "username": "MIA" }),
            "input.username USERNAME_TAKEN",
        ),
        (
            json!({ "email": "Mia@Example.com" }),
            "input.email EMAIL_TAKEN",
        ),
    ] {
        update(ada, eve.id(), changes).await.refused_for(&[problem]);
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn only_those_who_were_let_in_are_deactivated_or_reactivated() {
    let House { app, ada, eve, .. } = &house().await;
    let (pending, rejected) = (app.stranger("pending"), app.stranger("rejected"));
    pending.signs_up().await;
    rejected.signs_up().await;
    ada.rejects(rejected.id(), "").await;
    app.runs_all_jobs().await;
    for person in [&pending, &rejected] {
        for active in [true, false] {
            let answer = update(ada, person.id(), json!({ "active": active })).await;
            answer.refused_for(&["input.active NOT_ALLOWED"]);
        }
        let answer = set_role(ada, person.id(), "MANAGER").await;
        answer.refused_for(&["input.userId NOT_ALLOWED"]);
    }
    let answer = update(ada, eve.id(), json!({ "active": false })).await;
    assert_eq!(
        answer.succeeds().data("updateUser.user.status"),
        "DEACTIVATED"
    );
    eve.logs_in().await.refused_with("DEACTIVATED");
    let answer = set_role(ada, eve.id(), "MANAGER").await;
    answer.refused_for(&["input.userId NOT_ALLOWED"]);
    let answer = update(ada, eve.id(), json!({ "active": true })).await;
    assert_eq!(answer.succeeds().data("updateUser.user.status"), "ACTIVE");
    eve.logs_in().await.succeeds();
}

#[tokio::test]
async fn admins_make_and_unmake_managers_and_admins() {
    let House {
        ada, abe, mia, eve, ..
    } = &house().await;
    for role in ["MANAGER", "ADMIN", "EMPLOYEE"] {
        let answer = set_role(ada, eve.id(), role).await.succeeds();
        assert_eq!(answer.data("setUserRole.user.role"), role);
    }
    set_role(ada, abe.id(), "EMPLOYEE").await.succeeds();
    set_role(mia, eve.id(), "MANAGER")
        .await
        .fails_with("FORBIDDEN");
}

#[tokio::test]
async fn the_last_admin_stays_one() {
    let House { ada, abe, .. } = &house().await;
    set_role(ada, abe.id(), "EMPLOYEE").await.succeeds();
    for role in ["EMPLOYEE", "MANAGER"] {
        let answer = set_role(ada, ada.id(), role).await;
        answer.refused_for(&["input.userId LAST_ADMIN"]);
    }
    set_role(ada, ada.id(), "ADMIN").await.succeeds();
    let answer = update(ada, ada.id(), json!({ "active": false })).await;
    answer.refused_for(&["input.active NOT_ALLOWED"]);
    delete(ada, ada.id())
        .await
        .refused_for(&["input.userId NOT_ALLOWED"]);
}

#[tokio::test]
async fn admins_delete_everyone_but_admins() {
    let House {
        ada, abe, mia, eve, ..
    } = &house().await;
    for admin in [ada, abe] {
        let answer = delete(ada, admin.id()).await;
        answer.refused_for(&["input.userId NOT_ALLOWED"]);
    }
    for person in [mia, eve] {
        let answer = delete(ada, person.id()).await.succeeds();
        assert_eq!(answer.data("deleteUser.deletedUserId"), person.id());
        let answer = ada.asks(NODE, json!({ "id": person.id() })).await;
        assert_eq!(answer.succeeds().data("node"), Value::Null);
        delete(ada, person.id())
            .await
            .refused_for(&["input.userId NOT_FOUND"]);
    }
    // Deleting is as if they had never been.
    eve.logs_in().await.refused_with("INVALID_CREDENTIALS");
}

#[tokio::test]
async fn an_admin_can_change_their_own_names() {
    let House { app, ada, .. } = &house().await;
    let answer = update(
        ada,
        ada.id(),
        json!({ "firstName": "Ada", "email": "ada@new.example", "currentPassword": ada.password }),
    );
    let answer = answer.await.succeeds();
    assert_eq!(answer.data("updateUser.user.displayName"), "Ada");
    assert_eq!(answer.data("updateUser.user.email"), "ada@new.example");
    // A form that sends everything anew takes the password only for what it is about.
    let same = json!({ "username": "ada", "firstName": "Augusta", "email": "ada@new.example" });
    let answer = update(ada, ada.id(), same).await.succeeds();
    assert_eq!(answer.data("updateUser.user.displayName"), "Augusta");
    app.runs_all_jobs().await;
}
