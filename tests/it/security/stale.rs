//! Figures are cached, in each process and between them. A model of what they
//! should be is walked along at random, and no process may ever tell anything
//! else, or tell anybody what is for others.

use chrono::{DateTime, TimeDelta, Utc};
use muster::generator::Generator;
use serde_json::{Value, json};

use crate::support::database::{on_postgres, redis_server};
use crate::support::{DASHBOARD, DELETE_TASK, Person, STATS, TestApp};

const STEPS: usize = 120;

const LISTS: &str = "{ \
    open: tasks(filter: { status: [PENDING, IN_PROGRESS] }) { totalCount } \
    overdue: tasks(filter: { overdue: true }) { totalCount } \
    pending: users(filter: { status: [PENDING] }) { totalCount } }";

struct Task {
    id: String,
    status: &'static str,
    deadline: Option<DateTime<Utc>>,
    is_assigned: bool,
}

/// What the answers should be made of.
struct Model {
    tasks: Vec<Task>,
    pending_users: u64,
}

impl Model {
    fn stats(&self, now: DateTime<Utc>) -> Value {
        let count = |matches: &dyn Fn(&Task) -> bool| {
            self.tasks.iter().filter(|task| matches(task)).count()
        };
        let by_status = ["PENDING", "IN_PROGRESS", "COMPLETED"].map(
            |status| json!({ "status": status, "count": count(&|task| task.status == status) }),
        );
        json!({
            "tasksTotal": self.tasks.len(),
            "tasksByStatus": by_status,
            "tasksOverdue": count(&|task| is_overdue(task, now)),
            "tasksUnassigned": count(&|task| !task.is_assigned),
            "pendingUsers": self.pending_users,
            "openTasks": count(&|task| task.status != "COMPLETED"),
            "listedOverdue": count(&|task| is_overdue(task, now)),
            "listedPendingUsers": self.pending_users,
        })
    }

    /// Of the one employee, who has every task that anybody has.
    fn own(&self, now: DateTime<Utc>) -> (usize, usize) {
        let open = |task: &&Task| task.is_assigned && task.status != "COMPLETED";
        let overdue = |task: &&Task| open(task) && is_overdue(task, now);
        (
            self.tasks.iter().filter(open).count(),
            self.tasks.iter().filter(overdue).count(),
        )
    }
}

fn is_overdue(task: &Task, now: DateTime<Utc>) -> bool {
    task.status != "COMPLETED" && task.deadline.is_some_and(|deadline| deadline < now)
}

async fn told(manager: &Person) -> Value {
    let answer = manager.asks(STATS, json!({})).await.succeeds();
    let stats = answer.data("stats");
    let lists = manager.sends(LISTS, json!({})).await.without_errors();
    let by_status = stats["usersByStatus"].as_array().unwrap();
    let pending = by_status.iter().find(|count| count["status"] == "PENDING");
    json!({
        "tasksTotal": stats["tasksTotal"],
        "tasksByStatus": stats["tasksByStatus"],
        "tasksOverdue": stats["tasksOverdue"],
        "tasksUnassigned": stats["tasksUnassigned"],
        "pendingUsers": pending.unwrap()["count"],
        "openTasks": lists.data("open.totalCount"),
        "listedOverdue": lists.data("overdue.totalCount"),
        "listedPendingUsers": lists.data("pending.totalCount"),
    })
}

/// A number below `end`.
fn choose(chance: &Generator, end: usize) -> usize {
    usize::from(u16::from_be_bytes(chance.bytes())) % end
}

#[tokio::test]
async fn no_process_ever_tells_a_stale_or_foreign_figure() {
    for seed in [1, 2] {
        walk(seed).await;
    }
}

async fn walk(seed: u64) {
    let redis = if on_postgres() {
        redis_server()
    } else {
        String::new()
    };
    let settings: &[_] = &[("REDIS_URL", redis.as_str())];
    let first = TestApp::start_with(settings).await;
    let (mia, eve) = (first.manager("mia").await, first.employee("eve").await);
    let second = first.restarts_with(settings).await;
    second.leaves_jobs();
    first.leaves_jobs();
    let apps = [&first, &second];
    // The same people, at either process.
    let managers = apps.map(|app| mia.at(app));
    let employees = apps.map(|app| eve.at(app));

    let chance = Generator::seeded(seed);
    let mut model = Model {
        tasks: Vec::new(),
        pending_users: 0,
    };
    for step in 0..STEPS {
        let place = choose(&chance, 2);
        let manager = &managers[place];
        let task = (!model.tasks.is_empty()).then(|| choose(&chance, model.tasks.len()));
        match (choose(&chance, 6), task) {
            (0 | 1, _) | (_, None) => {
                let deadline = match choose(&chance, 3) {
                    0 => None,
                    hours => Some(first.now() + TimeDelta::hours(i64::try_from(hours).unwrap())),
                };
                let is_assigned = choose(&chance, 2) == 0;
                let id = manager
                    .creates_task_with(json!({
                        "title": format!("Task {step}"),
                        "deadline": deadline,
                        "assigneeId": is_assigned.then(|| eve.id()),
                    }))
                    .await;
                model.tasks.push(Task {
                    id,
                    status: "PENDING",
                    deadline,
                    is_assigned,
                });
            }
            (2, Some(task)) => {
                let status = ["PENDING", "IN_PROGRESS", "COMPLETED"][choose(&chance, 3)];
                manager.sets_status(&model.tasks[task].id, status).await;
                model.tasks[task].status = status;
            }
            (3, Some(task)) => {
                let input = json!({ "input": { "taskId": model.tasks.remove(task).id } });
                manager.asks(DELETE_TASK, input).await.succeeds();
            }
            (4, _) => {
                // Nothing is written, and yet tasks become overdue.
                first.clock.advance(TimeDelta::minutes(40));
            }
            _ => {
                let newcomer = apps[place].stranger(&format!("newcomer{seed}-{step}"));
                newcomer.signs_up().await;
                model.pending_users += 1;
            }
        }
        if step % 20 == 0 {
            // Access tokens last a quarter of an hour.
            for person in managers.iter().chain(&employees) {
                person.logs_in().await.succeeds();
            }
        }
        let now = first.now();
        for _ in 0..2 {
            for person in managers.iter().chain(&employees) {
                if !person.is_signed_in().await {
                    person.logs_in().await.succeeds();
                }
            }
            for manager in &managers {
                assert_eq!(
                    told(manager).await,
                    model.stats(now),
                    "seed {seed}, step {step}"
                );
            }
            let (open, overdue) = model.own(now);
            for employee in &employees {
                let figures = employee.asks(DASHBOARD, json!({})).await.succeeds();
                assert_eq!(figures.data("dashboard.openTasks"), open, "step {step}");
                assert_eq!(
                    figures.data("dashboard.overdueTasks"),
                    overdue,
                    "step {step}"
                );
                employee
                    .asks(STATS, json!({}))
                    .await
                    .fails_with("FORBIDDEN");
            }
        }
    }
    let lookups = |app: &TestApp| -> String {
        let text = app.cx.metrics.text();
        text.lines()
            .filter(|line| line.starts_with("muster_cache"))
            .collect()
    };
    let seen = apps.map(lookups).concat();
    assert!(
        seen.contains("outcome=\"local\""),
        "nothing was cached: {seen}"
    );
    if on_postgres() {
        assert!(
            seen.contains("outcome=\"shared\""),
            "nothing was shared: {seen}"
        );
    }
}
