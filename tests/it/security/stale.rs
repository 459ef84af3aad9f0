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

#[tokio::test]
async fn no_process_ever_tells_a_stale_or_foreign_figure() {
    for seed in [1, 2] {
        Box::pin(walk(seed)).await;
    }
}

/// Two processes, and the same people at each.
struct Scene {
    apps: [TestApp; 2],
    managers: [Person; 2],
    employees: [Person; 2],
    chance: Generator,
    model: Model,
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
    let apps = [first, second];
    let mut scene = Scene {
        managers: [0, 1].map(|place| mia.at(&apps[place])),
        employees: [0, 1].map(|place| eve.at(&apps[place])),
        apps,
        chance: Generator::seeded(seed),
        model: Model {
            tasks: Vec::new(),
            pending_users: 0,
        },
    };
    for step in 0..STEPS {
        scene.changes_something(step).await;
        scene
            .is_told_right(&format!("seed {seed}, step {step}"))
            .await;
    }
    let mut seen = String::new();
    for app in &scene.apps {
        app.leaves_jobs();
        seen += &app.cx.metrics.text();
    }
    assert!(seen.contains("outcome=\"local\""), "nothing was cached");
    if on_postgres() {
        assert!(seen.contains("outcome=\"shared\""), "nothing was shared");
    }
}

impl Scene {
    /// A number below `end`.
    fn choose(&self, end: usize) -> usize {
        usize::from(u16::from_be_bytes(self.chance.bytes())) % end
    }

    async fn changes_something(&mut self, step: usize) {
        let place = self.choose(2);
        let count = self.model.tasks.len();
        let task = (count > 0).then(|| self.choose(count));
        match (self.choose(6), task) {
            (0 | 1, _) | (_, None) => self.creates_task(place, step).await,
            (2, Some(task)) => {
                let status = ["PENDING", "IN_PROGRESS", "COMPLETED"][self.choose(3)];
                let id = &self.model.tasks[task].id;
                self.managers[place].sets_status(id, status).await;
                self.model.tasks[task].status = status;
            }
            (3, Some(task)) => {
                let input = json!({ "input": { "taskId": self.model.tasks.remove(task).id } });
                let answer = self.managers[place].asks(DELETE_TASK, input).await;
                answer.succeeds();
            }
            (4, _) => {
                // Nothing is written, and yet tasks become overdue.
                self.apps[0].clock.advance(TimeDelta::minutes(40));
                for person in self.managers.iter().chain(&self.employees) {
                    // Access tokens last a quarter of an hour.
                    person.logs_in().await.succeeds();
                }
            }
            _ => {
                let name = format!("newcomer-{step}");
                self.apps[place].stranger(&name).signs_up().await;
                self.model.pending_users += 1;
            }
        }
    }

    async fn creates_task(&mut self, place: usize, step: usize) {
        let hours = [None, Some(1), Some(2)][self.choose(3)];
        let deadline = hours.map(|hours| self.apps[0].now() + TimeDelta::hours(hours));
        let is_assigned = self.choose(2) == 0;
        let eve = self.employees[place].id();
        let input = json!({
            "title": format!("Task {step}"),
            "deadline": deadline,
            "assigneeId": is_assigned.then_some(eve),
        });
        self.model.tasks.push(Task {
            id: self.managers[place].creates_task_with(input).await,
            status: "PENDING",
            deadline,
            is_assigned,
        });
    }

    /// Twice, since what is wrong may be what is kept.
    async fn is_told_right(&self, place: &str) {
        let now = self.apps[0].now();
        for _ in 0..2 {
            for manager in &self.managers {
                assert_eq!(told(manager).await, self.model.stats(now), "{place}");
            }
            let (open, overdue) = self.model.own(now);
            for employee in &self.employees {
                let figures = employee.asks(DASHBOARD, json!({})).await.succeeds();
                assert_eq!(figures.data("dashboard.openTasks"), open, "{place}");
                assert_eq!(figures.data("dashboard.overdueTasks"), overdue, "{place}");
                let refused = employee.asks(STATS, json!({})).await;
                refused.fails_with("FORBIDDEN");
            }
        }
    }
}
