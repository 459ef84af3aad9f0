//! Everybody is told once a day what they have open, at the right hour of their own
//! clock, on the days that they chose, and not at all when nothing is open.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    Answer, NOTIFICATION_SETTINGS, Person, REMINDER_PREVIEW, TestApp, UPDATE_NOTIFICATION_SETTINGS,
    UPDATE_PROFILE, UPDATE_USER, assert_mail,
};

/// No reports, which have stories of their own.
const QUIET: &[(&str, &str)] = &[("REPORT_TIME", "off"), ("ACCESS_TOKEN_TTL", "24h")];

async fn sets(person: &Person, changes: Value) -> Answer {
    let input = json!({ "input": changes });
    person.asks(UPDATE_NOTIFICATION_SETTINGS, input).await
}

async fn moves_to(person: &Person, zone: &str) {
    let input = json!({ "input": { "timeZone": zone } });
    person.asks(UPDATE_PROFILE, input).await.succeeds();
}

fn reminders(person: &Person) -> usize {
    person.inbox().count("daily-reminder")
}

/// The test's clock says 09:00 on a Monday in UTC.
#[tokio::test]
async fn open_tasks_are_told_at_ten_in_groups() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    for (title, deadline) in [
        ("Water the plants", Some(app.in_(TimeDelta::days(2)))),
        ("Send the invoice", Some(app.in_(TimeDelta::hours(-20)))),
        ("Call the printer", Some(app.in_(TimeDelta::hours(8)))),
        ("Think about summer", None),
        ("Book a room", Some(app.in_(TimeDelta::days(12)))),
    ] {
        let input = json!({ "title": title, "deadline": deadline, "assigneeId": nico.id() });
        let id = max.creates_task_with(input).await;
        if title == "Book a room" {
            nico.sets_status(&id, "IN_PROGRESS").await;
        }
    }
    let done = json!({ "title": "Done already", "assigneeId": nico.id() });
    let done = max.creates_task_with(done).await;
    nico.sets_status(&done, "COMPLETED").await;
    app.lets_pass(TimeDelta::minutes(59)).await;
    assert_eq!(reminders(&nico), 0);
    app.lets_pass(TimeDelta::minutes(1)).await;
    assert_eq!(reminders(&nico), 1);
    // Nothing is open for the manager.
    assert_eq!(reminders(&max), 0);
    assert_mail("daily-reminder", &nico.inbox().latest("daily-reminder"));
    app.lets_pass(TimeDelta::hours(23)).await;
    assert_eq!(reminders(&nico), 1);
    app.lets_pass(TimeDelta::hours(1)).await;
    assert_eq!(reminders(&nico), 2);
}

#[tokio::test]
async fn whoever_has_nothing_open_gets_no_mail() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    let task = max.creates_task_with(task).await;
    app.runs_all_jobs().await;
    nico.sets_status(&task, "COMPLETED").await;
    let sent = app.mails().len();
    app.lets_pass(TimeDelta::hours(2)).await;
    assert_eq!(app.mails().len(), sent);
}

/// The mail was due, and its worker was slow.
#[tokio::test]
async fn what_was_finished_meanwhile_is_not_told() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    let task = max.creates_task_with(task).await;
    app.runs_all_jobs().await;
    app.clock.advance(TimeDelta::hours(1));
    app.plans().await;
    nico.sets_status(&task, "COMPLETED").await;
    app.runs_all_jobs().await;
    assert_eq!(reminders(&nico), 0);
}

#[tokio::test]
async fn everybody_has_their_own_ten_o_clock() {
    let app = TestApp::start_with(QUIET).await;
    let max = app.manager("max").await;
    let mut people = Vec::new();
    for (name, zone, at_once, hours) in [
        // It is 15:00 there, five hours late; and ten in Zurich just now.
        ("dhaka", "Asia/Dhaka", 1, 19),
        ("zurich", "Europe/Zurich", 1, 24),
        ("azores", "Atlantic/Azores", 0, 2),
        ("denver", "America/Denver", 0, 8),
        // 18:00, which is too late.
        ("tokyo", "Asia/Tokyo", 0, 16),
    ] {
        let person = app.employee(name).await;
        let task = json!({ "title": "Sweep", "assigneeId": person.id() });
        max.creates_task_with(task).await;
        moves_to(&person, zone).await;
        people.push((person, at_once, hours));
    }
    app.runs_all_jobs().await;
    for hour in 1..=24 {
        app.lets_pass(TimeDelta::hours(1)).await;
        for (person, at_once, due) in &people {
            let expected = at_once + usize::from(hour >= *due);
            assert_eq!(reminders(person), expected, "{} at {hour}", person.username);
        }
    }
}

#[tokio::test]
async fn people_choose_their_hour_and_their_days() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    let changes = json!({ "reminderTime": "09:30", "reminderWeekdays": ["TUESDAY", "MONDAY"] });
    let answer = sets(&nico, changes).await.succeeds();
    let settings = answer.data("updateNotificationSettings.notificationSettings");
    assert_eq!(settings["reminderTime"], "09:30");
    assert_eq!(settings["reminderWeekdays"], json!(["MONDAY", "TUESDAY"]));
    assert_eq!(settings["nextReminderAt"], "2026-01-05T09:30:00.000Z");
    app.runs_all_jobs().await;
    let mut told = Vec::new();
    for half_hour in 1..=2 * 24 * 9 {
        app.lets_pass(TimeDelta::minutes(30)).await;
        if reminders(&nico) > told.len() {
            told.push(half_hour);
        }
    }
    // Monday and Tuesday of this week and of the next.
    assert_eq!(told, [1, 49, 337, 385]);
}

#[tokio::test]
async fn an_hour_that_has_passed_begins_tomorrow() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    sets(&nico, json!({ "reminderTime": "08:00" }))
        .await
        .succeeds();
    app.lets_pass(TimeDelta::hours(3)).await;
    assert_eq!(reminders(&nico), 0);
    app.lets_pass(TimeDelta::hours(20)).await;
    assert_eq!(reminders(&nico), 1);
    // Later on the same day: that day was told of.
    nico.logs_in().await.succeeds();
    sets(&nico, json!({ "reminderTime": "09:00" }))
        .await
        .succeeds();
    app.lets_pass(TimeDelta::hours(2)).await;
    assert_eq!(reminders(&nico), 1);
    nico.logs_in().await.succeeds();
    sets(&nico, json!({ "reminderTime": null }))
        .await
        .succeeds();
    app.lets_pass(TimeDelta::hours(24)).await;
    assert_eq!(reminders(&nico), 2);
}

#[tokio::test]
async fn a_pause_ends_by_itself() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    let answer = sets(&nico, json!({ "remindersPausedUntil": "2026-01-08" })).await;
    let settings = answer.data("updateNotificationSettings.notificationSettings");
    assert_eq!(settings["nextReminderAt"], "2026-01-08T10:00:00.000Z");
    for (day, expected) in [(5, 0), (6, 0), (7, 0), (8, 1), (9, 2)] {
        app.lets_pass(TimeDelta::hours(if day == 5 { 1 } else { 24 }))
            .await;
        assert_eq!(reminders(&nico), expected, "on the {day}th");
    }
}

#[tokio::test]
async fn after_downtime_the_reminder_comes_late_or_not_at_all() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    app.runs_all_jobs().await;
    // Until 15:59 on the same day.
    app.lets_pass(TimeDelta::minutes(6 * 60 + 59)).await;
    assert_eq!(reminders(&nico), 1);
    let missed = app.metric("muster_reminders_missed_total").await;
    // Until 16:00 on the next.
    app.lets_pass(TimeDelta::minutes(24 * 60 + 1)).await;
    assert_eq!(reminders(&nico), 1);
    assert_eq!(
        app.metric("muster_reminders_missed_total").await,
        missed + 1
    );
    app.lets_pass(TimeDelta::hours(18)).await;
    assert_eq!(reminders(&nico), 2);
}

/// The mail server was away for the whole day.
#[tokio::test]
async fn a_reminder_that_could_not_go_out_is_not_sent_in_the_evening() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    app.runs_all_jobs().await;
    let away = muster::mail::SendError::transient("the server cannot be reached");
    app.outbox.fail_next(3, &away);
    app.lets_pass(TimeDelta::hours(1)).await;
    app.lets_pass(TimeDelta::hours(6)).await;
    app.lets_pass(TimeDelta::hours(1)).await;
    assert_eq!(reminders(&nico), 0);
    app.outbox.forgives();
    app.lets_pass(TimeDelta::hours(17)).await;
    assert_eq!(reminders(&nico), 1);
}

#[tokio::test]
async fn whoever_moves_around_the_world_is_reminded_once_a_date() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    app.runs_all_jobs().await;
    // At 09:59 they go where it is 11:59 already: late, on the same date.
    app.lets_pass(TimeDelta::minutes(59)).await;
    moves_to(&nico, "Africa/Cairo").await;
    app.runs_all_jobs().await;
    assert_eq!(reminders(&nico), 1);
    // Back, before ten.
    moves_to(&nico, "UTC").await;
    app.lets_pass(TimeDelta::minutes(1)).await;
    // And to where it will be ten once more on this date.
    moves_to(&nico, "America/Los_Angeles").await;
    app.lets_pass(TimeDelta::hours(8)).await;
    assert_eq!(reminders(&nico), 1);
    app.lets_pass(TimeDelta::hours(24)).await;
    assert_eq!(reminders(&nico), 2);
}

#[tokio::test]
async fn two_planners_and_a_restart_remind_once() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    app.runs_all_jobs().await;
    app.clock.advance(TimeDelta::hours(1));
    let other = app.restarts_with(QUIET).await;
    tokio::join!(app.plans(), other.plans());
    app.runs_all_jobs().await;
    other.runs_all_jobs().await;
    // As if the plan had been lost, and made anew from a time before.
    app.sql(
        "UPDATE plans SET decided_on = '2026-01-04', \
         due_at = (SELECT created_at FROM users WHERE id = user_id)",
    )
    .await;
    app.runs_all_jobs().await;
    assert_eq!(reminders(&nico) + other.outbox.all().len(), 1);
}

#[tokio::test]
async fn whoever_is_shut_out_or_switched_it_off_is_not_reminded() {
    let app = TestApp::start_with(QUIET).await;
    let max = app.manager("max").await;
    let (gone, quiet) = (app.employee("gone").await, app.employee("quiet").await);
    for person in [&gone, &quiet] {
        let task = json!({ "title": "Sweep", "assigneeId": person.id() });
        max.creates_task_with(task).await;
    }
    app.runs_all_jobs().await;
    let answer = sets(&quiet, json!({ "dailyReminder": false })).await;
    let settings = answer.data("updateNotificationSettings.notificationSettings");
    assert_eq!(settings["nextReminderAt"], Value::Null);
    let active = |active: bool| json!({ "input": { "userId": gone.id(), "active": active } });
    max.asks(UPDATE_USER, active(false)).await.succeeds();
    app.lets_pass(TimeDelta::days(3)).await;
    assert_eq!((reminders(&gone), reminders(&quiet)), (0, 0));
    let missed = app.metric("muster_reminders_missed_total").await;
    // Nobody missed anything meanwhile, and nothing is caught up on.
    max.logs_in().await.succeeds();
    quiet.logs_in().await.succeeds();
    max.asks(UPDATE_USER, active(true)).await.succeeds();
    sets(&quiet, json!({ "dailyReminder": true }))
        .await
        .succeeds();
    app.lets_pass(TimeDelta::minutes(30)).await;
    assert_eq!((reminders(&gone), reminders(&quiet)), (0, 0));
    app.lets_pass(TimeDelta::minutes(30)).await;
    assert_eq!((reminders(&gone), reminders(&quiet)), (1, 1));
    assert_eq!(app.metric("muster_reminders_missed_total").await, missed);
}

#[tokio::test]
async fn the_reminder_can_be_looked_at_beforehand() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let preview = nico.asks(REMINDER_PREVIEW, json!({})).await.succeeds();
    assert_eq!(preview.data("reminderPreview.mail"), Value::Null);
    assert_eq!(preview.data("reminderPreview.totalCount"), 0);
    for number in 0..60 {
        let deadline = app.in_(TimeDelta::days(number - 5));
        let task = json!({ "title": format!("Task {number}"), "deadline": deadline, "assigneeId": nico.id() });
        max.creates_task_with(task).await;
    }
    let preview = nico.asks(REMINDER_PREVIEW, json!({})).await.succeeds();
    assert_eq!(preview.data("reminderPreview.totalCount"), 60);
    let groups = preview.data("reminderPreview.groups");
    let groups: Vec<(Value, usize)> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let tasks = group["tasks"].as_array().unwrap();
            (group["kind"].clone(), tasks.len())
        })
        .collect();
    assert_eq!(
        groups,
        [
            (json!("OVERDUE"), 5),
            (json!("TODAY"), 1),
            (json!("THIS_WEEK"), 6),
            (json!("LATER"), 38),
        ]
    );
    app.runs_all_jobs().await;
    app.lets_pass(TimeDelta::hours(1)).await;
    let mail = nico.inbox().latest("daily-reminder");
    let preview = nico.asks(REMINDER_PREVIEW, json!({})).await.succeeds();
    assert_eq!(preview.data("reminderPreview.mail.subject"), mail.subject);
    assert!(mail.text.contains("And 10 more."), "{mail}");
    // Looking at it gives no link that would switch it off.
    let shown = preview.words("reminderPreview.mail.text");
    assert!(shown.contains("/unsubscribe?token=hidden"), "{shown}");
}

#[tokio::test]
async fn settings_are_checked_and_begin_as_usual() {
    let app = TestApp::start_with(QUIET).await;
    let nico = app.employee("nico").await;
    let answer = nico.asks(NOTIFICATION_SETTINGS, json!({})).await.succeeds();
    assert_eq!(
        answer.data("notificationSettings"),
        json!({
            "dailyReminder": true,
            "reminderTime": null,
            "defaultReminderTime": "10:00",
            "reminderWeekdays": [
                "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"
            ],
            "remindersPausedUntil": null,
            "nextReminderAt": "2026-01-05T10:00:00.000Z",
            "weeklyReport": true,
            "assigned": true,
            "approvalWaiting": true,
        })
    );
    for changes in [
        json!({ "reminderTime": "25:00" }),
        json!({ "reminderTime": "8:00" }),
        json!({ "reminderTime": "08:00:30" }),
        json!({ "remindersPausedUntil": "2026-02-30" }),
        json!({ "remindersPausedUntil": "20260-01-01" }),
        json!({ "reminderWeekdays": ["SOMEDAY"] }),
    ] {
        sets(&nico, changes)
            .await
            .fails_with("GRAPHQL_VALIDATION_FAILED");
    }
    let days = vec!["MONDAY"; 101];
    sets(&nico, json!({ "reminderWeekdays": days }))
        .await
        .fails_with("BAD_USER_INPUT");
    let answer = sets(&nico, json!({ "reminderWeekdays": [] })).await;
    let settings = answer.data("updateNotificationSettings.notificationSettings");
    assert_eq!(settings["nextReminderAt"], Value::Null);
}

/// The worker was away at ten, and somebody was busy with their settings meanwhile.
#[tokio::test]
async fn what_is_due_already_still_comes_when_other_settings_change() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    app.runs_all_jobs().await;
    app.clock.advance(TimeDelta::minutes(90));
    sets(&nico, json!({ "assigned": false })).await.succeeds();
    app.runs_all_jobs().await;
    assert_eq!(reminders(&nico), 1);
}

#[tokio::test]
async fn a_pause_to_the_end_of_time_holds_nobody_else_up() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    let changes = json!({
        "remindersPausedUntil": "9999-12-31", "reminderTime": "23:00", "reminderWeekdays": ["MONDAY"],
    });
    let answer = sets(&max, changes).await.succeeds();
    let settings = answer.data("updateNotificationSettings.notificationSettings");
    assert_eq!(settings["nextReminderAt"], Value::Null);
    moves_to(&max, "America/New_York").await;
    app.lets_pass(TimeDelta::hours(1)).await;
    assert_eq!((reminders(&nico), reminders(&max)), (1, 0));
}

#[tokio::test]
async fn whoever_unsubscribes_gets_not_even_what_waits() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    app.runs_all_jobs().await;
    app.outbox
        .fail_next(1, &muster::mail::SendError::transient("451 later"));
    app.lets_pass(TimeDelta::hours(1)).await;
    sets(&nico, json!({ "dailyReminder": false }))
        .await
        .succeeds();
    app.lets_pass(TimeDelta::minutes(10)).await;
    assert_eq!(reminders(&nico), 0);
}

/// As an operator would who changes `REMINDER_TIME`.
#[tokio::test]
async fn another_hour_of_the_server_holds_from_its_next_start() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    app.runs_all_jobs().await;
    let later = app
        .restarts_with(&[("REPORT_TIME", "off"), ("REMINDER_TIME", "12:00")])
        .await;
    later.lets_pass(TimeDelta::hours(1)).await;
    assert_eq!(later.outbox.all(), []);
    later.lets_pass(TimeDelta::hours(2)).await;
    assert_eq!(later.outbox.all().len(), 1);
}
