//! What mails about tasks and sign-ups say. Titles and names are what users typed:
//! they stand in lists, without anything that a mail program would make a link of.

use chrono::NaiveDate;
use chrono_tz::Tz;
use url::Url;

use super::super::content::{TaskGroup, TaskLine, WaitingSignUp};
use super::super::user_text;
use super::wording::{instant, paragraph, with_article};
use super::{Item, Part};

/// More than a title has.
const TITLE_MAX: usize = 300;
const SUBJECT_TITLE_MAX: usize = 100;

pub(super) fn approval_waiting(
    sign_ups: &[WaitingSignUp],
    more: u64,
    link: &Url,
    zone: Tz,
) -> (String, Vec<Part>) {
    let count = sign_ups.len() as u64 + more;
    let (subject, who) = match count {
        1 => (
            "1 sign-up waits for your decision".to_owned(),
            "This person",
        ),
        _ => (
            format!("{count} sign-ups wait for your decision"),
            "These people",
        ),
    };
    let items = sign_ups.iter().map(|sign_up| Item {
        title: if sign_up.name == sign_up.username {
            text_of_user(&sign_up.username, TITLE_MAX)
        } else {
            let (name, username) = (&sign_up.name, &sign_up.username);
            text_of_user(&format!("{name} ({username})"), TITLE_MAX)
        },
        note: Some(format!(
            "wants to join as {}, since {}",
            with_article(sign_up.requested_role),
            instant(sign_up.created_at, zone)
        )),
        url: None,
    });
    let mut parts = vec![
        paragraph(format!(
            "{who} signed up, and cannot log in before an admin decides:"
        )),
        Part::Items(items.collect()),
    ];
    parts.extend(and_more(more));
    parts.push(Part::Link {
        label: "Decide",
        url: link.to_string(),
    });
    (subject, parts)
}

pub(super) fn assigned(tasks: &[TaskLine], more: u64, link: &Url, zone: Tz) -> (String, Vec<Part>) {
    let (subject, intro) = match tasks {
        [task] if more == 0 => (
            format!("New task: {}", text_of_user(&task.title, SUBJECT_TITLE_MAX)),
            "A task was assigned to you:",
        ),
        _ => (
            format!("{} new tasks for you", tasks.len() as u64 + more),
            "These tasks were assigned to you:",
        ),
    };
    let mut parts = vec![paragraph(intro), items(tasks, zone)];
    parts.extend(and_more(more));
    parts.push(open_tasks(link));
    (subject, parts)
}

pub(super) fn daily_reminder(
    date: NaiveDate,
    groups: &[TaskGroup],
    more: u64,
    link: &Url,
    zone: Tz,
) -> (String, Vec<Part>) {
    let named: usize = groups.iter().map(|group| group.tasks.len()).sum();
    let count = named as u64 + more;
    let overdue: usize = groups
        .iter()
        .filter(|group| group.is_overdue)
        .map(|group| group.tasks.len())
        .sum();
    let tasks = if count == 1 { "task" } else { "tasks" };
    let subject = match overdue {
        0 => format!("Your day: {count} open {tasks}"),
        overdue => format!("Your day: {count} open {tasks}, {overdue} overdue"),
    };
    let mut parts = vec![paragraph(format!(
        "This is what you have open on {}:",
        date.format("%A, %-d %B %Y")
    ))];
    for group in groups {
        parts.push(Part::Heading(group.title));
        parts.push(items(&group.tasks, zone));
    }
    parts.extend(and_more(more));
    parts.push(open_tasks(link));
    (subject, parts)
}

fn items(tasks: &[TaskLine], zone: Tz) -> Part {
    let items = tasks.iter().map(|task| {
        let deadline = task
            .deadline
            .map(|deadline| format!("due {}", instant(deadline, zone)));
        let begun = task.is_in_progress.then(|| "in progress".to_owned());
        let notes: Vec<String> = deadline.into_iter().chain(begun).collect();
        Item {
            title: text_of_user(&task.title, TITLE_MAX),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
            url: task.link.as_ref().map(Url::to_string),
        }
    });
    Part::Items(items.collect())
}

fn text_of_user(text: &str, max: usize) -> String {
    user_text::without_links(&user_text::one_line(text, max))
}

fn and_more(more: u64) -> Option<Part> {
    (more > 0).then(|| paragraph(format!("And {more} more.")))
}

fn open_tasks(link: &Url) -> Part {
    Part::Link {
        label: "Open my tasks",
        url: link.to_string(),
    }
}
