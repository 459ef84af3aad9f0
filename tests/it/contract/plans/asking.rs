//! What is asked: every filter and every order, by the functions of `store` that
//! the program uses.

use super::*;

/// What a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A page of a list that this many rows belong to.
    Page { matching: u64 },
    /// How many of all rows match.
    Count { matching: u64, total: u64 },
    /// A few rows.
    Lookup,
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) statements: Vec<String>,
    /// Counts the rows of the table between the ends of the page, on SQLite.
    pub(super) passed: Option<String>,
}

pub(super) struct Asking {
    pub(super) db: Db,
    pub(super) ear: Ear,
    pub(super) cases: Vec<Case>,
}

impl Asking {
    pub(super) async fn case<T>(
        &mut self,
        name: impl Into<String>,
        kind: Kind,
        work: impl Future<Output = Result<T>>,
    ) -> T {
        let before = self.ear.all().len();
        let done = work.await.unwrap();
        let statements = self.ear.all().split_off(before);
        let statements = statements.into_iter().filter_map(|heard| match heard {
            Heard::Statement(text) => Some(text),
            Heard::Plan(_) => None,
        });
        self.cases.push(Case {
            name: name.into(),
            kind,
            statements: statements.collect(),
            passed: None,
        });
        done
    }

    /// How many belong to a list.
    pub(super) async fn count(
        &mut self,
        list: &str,
        total: u64,
        work: impl Future<Output = Result<u64>>,
    ) -> u64 {
        let unknown = Kind::Count { matching: 0, total };
        let matching = self.case(format!("{list}, counted"), unknown, work).await;
        let last = self.cases.last_mut().unwrap();
        last.kind = Kind::Count { matching, total };
        matching
    }

    pub(super) async fn everything(&mut self) {
        self.tasks().await;
        self.tasks_of_employees().await;
        self.tasks_of_several().await;
        self.users().await;
        self.approvals().await;
        self.people_at_the_door().await;
        self.figures().await;
        self.reports().await;
        self.mails().await;
        self.changes().await;
        // Whatever the server still has to say about the statement before comes with this one.
        self.db.ready().await.unwrap();
    }

    pub(super) async fn pages_of_tasks(
        &mut self,
        whose: &str,
        actor: Actor,
        filters: &[(&str, TaskFilter)],
    ) {
        let (db, beginning) = (self.db.clone(), window(None));
        for (name, filter) in filters {
            let name = format!("{whose}: {name}");
            let count = tasks::count(&db, &actor, filter);
            let matching = self.count(&name, TASKS, count).await;
            let kind = Kind::Page { matching };
            for order in task_orders() {
                let name = format!("{name}, {}", task_order_name(order));
                let first = tasks::list(&db, &actor, filter, order, &beginning);
                let first = self.case(format!("{name}, first"), kind, first).await;
                let end = end_of(&first, |row| position_of(row, order));
                self.has_passed(tasks_between(filter, order, None, end.as_ref()));
                if let Some(start) = end {
                    let window = window(Some(start.clone()));
                    let next = tasks::list(&db, &actor, filter, order, &window);
                    let next = self.case(format!("{name}, next"), kind, next).await;
                    let end = end_of(&next, |row| position_of(row, order));
                    self.has_passed(tasks_between(filter, order, Some(&start), end.as_ref()));
                }
            }
        }
    }

    pub(super) fn has_passed(&mut self, count: String) {
        self.cases.last_mut().unwrap().passed = Some(count);
    }

    pub(super) async fn tasks(&mut self) {
        self.pages_of_tasks("tasks", manager(), &task_filters())
            .await;
    }

    pub(super) async fn tasks_of_employees(&mut self) {
        let any = TaskFilter::any(now());
        let pending = TaskFilter {
            status: Some(vec![TaskStatus::Pending]),
            ..any.clone()
        };
        let open = TaskFilter {
            status: Some(vec![TaskStatus::Pending, TaskStatus::InProgress]),
            ..any.clone()
        };
        let filters = [("any", any), ("pending", pending), ("open", open)];
        self.pages_of_tasks("tasks of the busiest", employee(1), &filters)
            .await;
        self.pages_of_tasks("tasks of an employee", employee(2), &filters)
            .await;
        // What a manager sees of one person.
        let db = self.db.clone();
        for order in task_orders() {
            let name = format!("tasks of one user, {}", task_order_name(order));
            let (actor, ids, window) = (manager(), [user_id(2)], window(None));
            let list = tasks::list_by_assignee(&db, &actor, &ids, &filters[0].1, order, &window);
            let kind = Kind::Page {
                matching: TASKS / USERS,
            };
            self.case(name, kind, list).await;
        }
    }

    /// The tasks of everybody on a page of users.
    pub(super) async fn tasks_of_several(&mut self) {
        let db = self.db.clone();
        let ids: Vec<UserId> = (11..31).map(user_id).collect();
        for (name, filter) in task_filters() {
            let name = format!("tasks of 20 users: {name}");
            let (actor, window) = (manager(), window(None));
            let count = tasks::count_by_assignee(&db, &actor, &ids, &filter);
            let counts = self
                .case(format!("{name}, counted"), Kind::Lookup, count)
                .await;
            let matching = counts.iter().map(|(_, count)| count).sum();
            let kind = Kind::Page { matching };
            for order in task_orders() {
                let name = format!("{name}, {}", task_order_name(order));
                let list = tasks::list_by_assignee(&db, &actor, &ids, &filter, order, &window);
                self.case(name, kind, list).await;
            }
        }
    }

    pub(super) async fn users(&mut self) {
        let (db, beginning) = (self.db.clone(), window(None));
        for (who, actor) in [("users", manager()), ("users, to an employee", employee(1))] {
            for (name, filter) in user_filters() {
                let name = format!("{who}: {name}");
                let count = users::count(&db, &actor, &filter);
                let matching = self.count(&name, USERS, count).await;
                let kind = Kind::Page { matching };
                for order in user_orders() {
                    let name = format!("{name}, {}", user_order_name(order));
                    let first = users::list(&db, &actor, &filter, order, &beginning);
                    let first = self.case(format!("{name}, first"), kind, first).await;
                    let end = end_of(&first, |row| position_of_user(row, order));
                    self.has_passed(users_between(order, None, end.as_ref()));
                    if let Some(start) = end {
                        let window = window(Some(start.clone()));
                        let next = users::list(&db, &actor, &filter, order, &window);
                        let next = self.case(format!("{name}, next"), kind, next).await;
                        let end = end_of(&next, |row| position_of_user(row, order));
                        self.has_passed(users_between(order, Some(&start), end.as_ref()));
                    }
                }
            }
        }
    }

    pub(super) async fn approvals(&mut self) {
        let (db, beginning) = (self.db.clone(), window(None));
        let actor = viewer(Role::Admin, 2);
        let pending = vec![ApprovalDecision::Pending];
        let decided = vec![ApprovalDecision::Approved, ApprovalDecision::Rejected];
        for (name, decision) in [
            ("any", None),
            ("pending", Some(pending)),
            ("decided", Some(decided)),
        ] {
            let name = format!("approvals: {name}");
            let filter = ApprovalFilter { decision };
            let count = approvals::count(&db, &actor, &filter);
            let matching = self.count(&name, USERS, count).await;
            let kind = Kind::Page { matching };
            let position = |row: &approval::Model| Position {
                key: SortKey::Instant(row.created_at),
                id: row.id.0,
            };
            let first = approvals::list(&db, &actor, &filter, &beginning);
            let first = self.case(format!("{name}, first"), kind, first).await;
            let start = end_of(&first, position);
            let next_window = window(start.clone());
            let next = approvals::list(&db, &actor, &filter, &next_window);
            let next = self.case(format!("{name}, next"), kind, next).await;
            let end = end_of(&next, position);
            let ends = [start.as_ref(), end.as_ref()];
            self.has_passed(between("approvals", "created_at", true, ends, &[]));
        }
    }

    /// What happens before anybody is known, and with each request.
    pub(super) async fn people_at_the_door(&mut self) {
        let db = self.db.clone();
        let look = Kind::Lookup;
        let found = users::find_by_login(&db, "person42");
        let found = self.case("log-in by name", look, found).await.unwrap();
        let by_address = users::find_by_login(&db, "person42@example.com");
        self.case("log-in by address", look, by_address).await;
        let by_address = users::find_by_email(&db, "person42@example.com");
        self.case("user by address", look, by_address).await;
        let any = users::exists_any(&db);
        self.case("any user", look, any).await;
        let actor = manager();
        let one = users::find(&db, &actor, found.id);
        self.case("user by id", look, one).await;
        let ids: Vec<UserId> = (11..31).map(user_id).collect();
        for (name, actor) in [
            ("users by ids", manager()),
            ("users by ids, to an employee", employee(1)),
        ] {
            let many = users::find_many(&db, &actor, &ids);
            self.case(name, look, many).await;
        }
        let ids: Vec<_> = (11..31).map(|number| TaskId(uuid(number))).collect();
        for (name, actor) in [
            ("tasks by ids", manager()),
            ("tasks by ids, to an employee", employee(1)),
        ] {
            let many = tasks::find_many(&db, &actor, &ids);
            self.case(name, look, many).await;
        }
        let id = SessionId(uuid(19_000));
        let standing = sessions::find_standing(&db, id);
        self.case("standing of a session", look, standing).await;
        let actor = employee(3);
        let list = sessions::list(&db, &actor, now());
        self.case("sessions of a user", look, list).await;
        for ignoring in [false, true] {
            let missed = deliveries::exists_missed(&db, now(), ignoring);
            self.case("deliveries missed", look, missed).await;
        }
    }

    pub(super) async fn figures(&mut self) {
        let db = self.db.clone();
        let (today, lately) = (
            (now() - TimeDelta::hours(9), now() + TimeDelta::hours(15)),
            now() - TimeDelta::days(7),
        );
        for id in [1, 2] {
            let own = stats::count_own_tasks(&db, user_id(id), now(), today, lately);
            self.case("figures of a user", Kind::Lookup, own).await;
        }
        let next = stats::find_next_deadline(&db, now());
        self.case("next deadline", Kind::Lookup, next).await;
        let all = stats::count_users(&db);
        self.case("figures of all users", Kind::Lookup, all).await;
        let all = stats::count_tasks(&db, now());
        self.case("figures of all tasks", Kind::Lookup, all).await;
    }

    /// What a report on a week asks for besides.
    pub(super) async fn reports(&mut self) {
        let (db, look) = (self.db.clone(), Kind::Lookup);
        let period = Period {
            since: now() - TimeDelta::days(7),
            until: now(),
        };
        let first = reports::find_first_creation(&db);
        self.case("first task", look, first).await;
        let days: Vec<_> = (0..=7)
            .map(|day| period.since + TimeDelta::days(day))
            .collect();
        for happening in [Happening::Creation, Happening::Completion] {
            let name = format!("{happening:?} by day");
            let counts = reports::count_between(&db, happening, &days);
            let counts = self.case(name, look, counts).await;
            assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        }
        let busiest = reports::list_busiest(&db, now(), 10);
        let busiest = self.case("who has most open tasks", look, busiest).await;
        let ids: Vec<UserId> = busiest.iter().map(|count| count.assignee_id).collect();
        assert_eq!((ids.len(), ids[0]), (10, user_id(1)));
        let completed = reports::count_completed_of(&db, &ids, period);
        self.case("what they completed", look, completed).await;
        for which in [Completed::Within, Completed::Elsewhere] {
            let name = format!("tasks completed {which:?}");
            let count = reports::count_completed(&db, which, period);
            self.count(&name, TASKS, count).await;
            let beginning = window(None);
            let first = reports::list_completed(&db, which, period, &beginning);
            let first = self.case(format!("{name}, first"), look, first).await;
            let start = end_of(&first, |row| Position {
                key: SortKey::Instant(match which {
                    Completed::Within => row.completed_at.unwrap(),
                    Completed::Elsewhere => row.created_at,
                }),
                id: row.id.0,
            });
            if start.is_some() {
                let window = window(start);
                let next = reports::list_completed(&db, which, period, &window);
                self.case(format!("{name}, next"), look, next).await;
            }
        }
    }

    /// What admins look at.
    pub(super) async fn mails(&mut self) {
        let (db, beginning) = (self.db.clone(), window(None));
        let actor = viewer(Role::Admin, 2);
        let any = DeliveryFilter::default();
        for (name, filter) in [
            ("any", any.clone()),
            (
                "of a rare kind",
                DeliveryFilter {
                    kind: Some(vec![MailKind::PasswordReset]),
                    ..any.clone()
                },
            ),
            (
                "failed or unknown",
                DeliveryFilter {
                    state: Some(vec![DeliveryState::Failed, DeliveryState::Unknown]),
                    ..any.clone()
                },
            ),
            (
                "waiting",
                DeliveryFilter {
                    state: Some(vec![DeliveryState::Due, DeliveryState::Sending]),
                    ..any.clone()
                },
            ),
            (
                "to somebody",
                DeliveryFilter {
                    recipient: Some(vec![user_id(7)]),
                    ..any.clone()
                },
            ),
        ] {
            let name = format!("deliveries: {name}");
            let count = deliveries::count(&db, &actor, &filter);
            let matching = self.count(&name, DELIVERIES, count).await;
            let kind = Kind::Page { matching };
            let position = |row: &delivery::Model| Position {
                key: SortKey::Instant(row.created_at),
                id: row.id.0,
            };
            let first = deliveries::list(&db, &actor, &filter, &beginning);
            let first = self.case(format!("{name}, first"), kind, first).await;
            let start = end_of(&first, position);
            let end = first.rows.last().map(position);
            let of_first = [None, end.as_ref()];
            self.has_passed(between("deliveries", "created_at", true, of_first, &[]));
            if start.is_some() {
                let window = window(start);
                let next = deliveries::list(&db, &actor, &filter, &window);
                self.case(format!("{name}, next"), kind, next).await;
            }
        }
        let waiting = deliveries::find_oldest_due(&db);
        self.case("oldest delivery that is due", Kind::Lookup, waiting)
            .await;
        let due = plans::exists_due(&db, now());
        self.case("plans that are due", Kind::Lookup, due).await;
        let unplanned = plans::find_unplanned(&db, None, 1_000);
        self.case("people without plans", Kind::Lookup, unplanned)
            .await;
    }

    /// What transactions look for; none of them is committed.
    pub(super) async fn changes(&mut self) {
        let look = Kind::Lookup;
        let tx = self.db.begin().await.unwrap();
        let actor = viewer(Role::Admin, 2);
        let found = users::find_to_change(&tx, &actor, user_id(43));
        let user = self.case("user to change", look, found).await.unwrap();
        let taken = users::find_taken(&tx, &user);
        self.case("names that are taken", look, taken).await;
        let admins = users::count_other_active_admins(&tx, user.id);
        self.case("other active admins", look, admins).await;
        let approval = approvals::find_of_user_to_change(&tx, &actor, user.id);
        self.case("approval of a user", look, approval).await;
        let task = tasks::find_to_change(&tx, &actor, TaskId(uuid(77)));
        self.case("task to change", look, task).await;
        let missed = deliveries::list_missed_to_change(&tx, now(), false, 100);
        self.case("deliveries to catch up with", look, missed).await;
        let due = plans::list_due_to_change(&tx, now(), 200);
        let due = self.case("plans to decide about", look, due).await;
        assert!(due.len() > 50, "{}", due.len());
        let ids: Vec<UserId> = due.iter().map(|plan| plan.user_id).collect();
        let people = users::find_many_to_keep(&tx, &ids);
        self.case("people to plan for", look, people).await;
        let busy = tasks::find_busy(&tx, &ids);
        self.case("people who have something open", look, busy)
            .await;
        let admins = users::list_active_admins(&tx);
        self.case("active admins", look, admins).await;
        let whose = [user.id];
        let untold = assignments::take_all_of(&tx, &whose);
        self.case("assignments to tell", look, untold).await;
        let finished = deliveries::delete_finished(&tx, now() - TimeDelta::days(20), 1_000);
        self.case("deliveries to clear away", look, finished).await;
        let expired = sessions::delete_expired(&tx, now() - TimeDelta::days(1), 1_000);
        self.case("sessions to clear away", look, expired).await;
        let oldest = sessions::delete_oldest_of(&tx, user.id, 2);
        self.case("oldest sessions of a user", look, oldest).await;
        let sessions = sessions::delete_all_of(&tx, user.id, None);
        self.case("sessions of a user, ended", look, sessions).await;
        let unassigned = tasks::unassign_all_of(&tx, user.id, now());
        self.case("tasks taken back", look, unassigned).await;
        let deleted = users::delete(&tx, user.id);
        self.case("user deleted", look, deleted).await;
    }
}
