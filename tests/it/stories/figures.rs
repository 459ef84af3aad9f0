//! Figures: they agree with the lists.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{DASHBOARD, Person, STATS, TASKS, TestApp, UPDATE_PROFILE, USERS};

async fn count(person: &Person, list: &str, filter: Value) -> Value {
    let operation = if list == "users" { USERS } else { TASKS };
    let answer = person.asks(operation, json!({ "filter": filter })).await;
    answer.succeeds().data(&format!("{list}.totalCount"))
}

pub(super) struct House {
    pub(super) app: TestApp,
    pub(super) ada: Person,
    pub(super) mia: Person,
    pub(super) eve: Person,
}

/// People of every kind, and tasks of every kind, some of them Eve's.
pub(super) async fn busy_house() -> House {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    for name in ["nico", "olga"] {
        app.stranger(name).signs_up().await;
    }
    let pia = app.stranger("pia");
    pia.signs_up().await;
    ada.rejects(pia.id(), "").await;
    for (hours, mine, status) in [
        (Some(-2), true, "PENDING"),
        (Some(-2), true, "COMPLETED"),
        (Some(1), true, "IN_PROGRESS"),
        (Some(14), true, "PENDING"),
        (Some(16), true, "PENDING"),
        (None, true, "PENDING"),
        (Some(-1), false, "IN_PROGRESS"),
        (None, false, "COMPLETED"),
    ] {
        let deadline = hours.map(|hours| app.in_(TimeDelta::hours(hours)));
        let assignee = mine.then(|| eve.id());
        let input = json!({ "title": "Count", "deadline": deadline, "assigneeId": assignee });
        let task = mia.creates_task_with(input).await;
        mia.sets_status(&task, status).await;
    }
    app.runs_all_jobs().await;
    House { app, ada, mia, eve }
}

#[tokio::test]
async fn figures_agree_with_the_lists() {
    let House { ada, mia, .. } = &Box::pin(busy_house()).await;
    for person in [ada, mia] {
        let answer = person.asks(STATS, json!({})).await.succeeds();
        let stats = answer.data("stats");
        assert_eq!(stats["usersTotal"], count(person, "users", json!({})).await);
        assert_eq!(stats["tasksTotal"], count(person, "tasks", json!({})).await);
        let overdue = json!({ "overdue": true });
        assert_eq!(stats["tasksOverdue"], count(person, "tasks", overdue).await);
        let unassigned = json!({ "unassigned": true });
        assert_eq!(
            stats["tasksUnassigned"],
            count(person, "tasks", unassigned).await
        );
        for (figures, list, field, values) in [
            (
                "usersByRole",
                "users",
                "role",
                &["ADMIN", "MANAGER", "EMPLOYEE"][..],
            ),
            (
                "usersByStatus",
                "users",
                "status",
                &["PENDING", "ACTIVE", "REJECTED", "DEACTIVATED"],
            ),
            (
                "tasksByStatus",
                "tasks",
                "status",
                &["PENDING", "IN_PROGRESS", "COMPLETED"],
            ),
        ] {
            let figures = stats[figures].as_array().unwrap();
            // Every value is there, also with a count of 0.
            let named: Vec<_> = figures.iter().map(|figure| &figure[field]).collect();
            assert_eq!(named, values);
            for figure in figures {
                let filter = json!({ field: [figure[field]] });
                assert_eq!(
                    figure["count"],
                    count(person, list, filter).await,
                    "{figure}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_empty_house_has_figures_of_zero() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let answer = ada.asks(STATS, json!({})).await.succeeds();
    assert_eq!(answer.data("stats.usersTotal"), 1);
    assert_eq!(answer.data("stats.tasksTotal"), 0);
    assert_eq!(answer.data("stats.tasksOverdue"), 0);
    assert_eq!(answer.each("stats.tasksByStatus", "count"), ["0"; 3]);
}

#[tokio::test]
async fn the_dashboard_counts_ones_own_tasks_by_ones_own_clock() {
    let House { app, ada, eve, .. } = &Box::pin(busy_house()).await;
    let answer = eve.asks(DASHBOARD, json!({})).await.succeeds();
    let dashboard = answer.data("dashboard");
    assert_eq!(dashboard["openTasks"], 5);
    assert_eq!(dashboard["overdueTasks"], 1);
    // From 00:00 to 24:00 UTC: what was due at 07:00, and what is due at 10:00 and at 23:00.
    assert_eq!(dashboard["dueToday"], 3);
    assert_eq!(dashboard["completedLast7Days"], 1);
    assert_eq!(dashboard["pendingApprovals"], Value::Null);
    let message = dashboard["message"].as_str().unwrap();
    assert!(
        message.contains("eve") && message.contains('5'),
        "{message}"
    );

    // In Dhaka it is 15:00; the day ends at 18:00 UTC.
    let input = json!({ "input": { "timeZone": "Asia/Dhaka" } });
    eve.asks(UPDATE_PROFILE, input).await.succeeds();
    let answer = eve.asks(DASHBOARD, json!({})).await.succeeds();
    assert_eq!(answer.data("dashboard.dueToday"), 2);

    let answer = ada.asks(DASHBOARD, json!({})).await.succeeds();
    assert_eq!(answer.data("dashboard.pendingApprovals"), 2);
    assert_eq!(answer.data("dashboard.openTasks"), 0);

    app.clock.advance(TimeDelta::days(7));
    eve.logs_in().await.succeeds();
    let answer = eve.asks(DASHBOARD, json!({})).await.succeeds();
    assert_eq!(answer.data("dashboard.completedLast7Days"), 1);
    app.clock.advance(TimeDelta::milliseconds(1));
    let answer = eve.asks(DASHBOARD, json!({})).await.succeeds();
    assert_eq!(answer.data("dashboard.completedLast7Days"), 0);
    assert_eq!(answer.data("dashboard.overdueTasks"), 4);
}
