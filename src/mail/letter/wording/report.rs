//! What the report on tasks says.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::super::Part;
use super::{instant, paragraph};
use crate::mail::report::{Bar, Bars, Per, PersonFigures, TaskList, TaskReport};
use crate::mail::user_text;

/// A name in a table: enough to know somebody by.
const NAME_MAX: usize = 80;

pub(super) fn subject(report: &TaskReport) -> String {
    format!(
        "Task report: {} created, {} completed, {} overdue",
        report.created(),
        report.completed(),
        report.overdue
    )
}

pub(super) fn parts(report: &TaskReport, zone: Tz, chart_id: &str) -> Vec<Part> {
    let mut parts = vec![paragraph(format!(
        "From {} to {}:",
        instant(report.since, zone),
        instant(report.until, zone)
    ))];
    if report.created() + report.completed() == 0 {
        parts.push(paragraph("No task was created or completed in this time."));
    } else {
        parts.push(Part::Figures(vec![
            ("Created", report.created()),
            ("Completed", report.completed()),
        ]));
        if report.chart.is_some() {
            parts.push(Part::Chart {
                content_id: chart_id.to_owned(),
                description: description(&report.bars),
            });
        }
    }
    if report.open_pending + report.open_in_progress == 0 {
        parts.push(paragraph(format!(
            "On {} no task was open.",
            instant(report.counted_at, zone)
        )));
    } else {
        parts.push(paragraph(format!(
            "How tasks stood on {}:",
            instant(report.counted_at, zone)
        )));
        parts.push(Part::Figures(vec![
            ("Pending", report.open_pending),
            ("In progress", report.open_in_progress),
            ("Overdue", report.overdue),
            ("Assigned to nobody", report.unassigned),
        ]));
    }
    if !report.people.is_empty() {
        parts.push(paragraph(
            "Who has most open tasks, and what they completed in this time:",
        ));
        parts.push(people(&report.people));
    }
    if let Some(list) = &report.list {
        parts.push(paragraph(of_list(list)));
    }
    parts
}

fn people(people: &[PersonFigures]) -> Part {
    let row = |person: &PersonFigures| {
        let name = user_text::one_line(&person.name, NAME_MAX);
        let figures = [person.open, person.overdue, person.completed];
        (user_text::without_links(&name), figures)
    };
    Part::Table {
        heads: ["Name", "Open", "Overdue", "Completed"],
        rows: people.iter().map(row).collect(),
    }
}

fn of_list(list: &TaskList) -> String {
    let TaskList {
        file_name,
        listed,
        total,
        ..
    } = list;
    let which = "open, or were created or completed in this time";
    if listed < total {
        format!(
            "The file {file_name} lists {listed} of the {total} tasks that are {which}: the open \
             ones first, those that are due first at the top."
        )
    } else if *total == 1 {
        format!(
            "The file {file_name} lists the one task that is open, or was created or completed in this time."
        )
    } else {
        format!("The file {file_name} lists the {total} tasks that are {which}.")
    }
}

/// What is to be seen on the chart, for whoever does not see it.
fn description(bars: &Bars) -> String {
    let (first, last) = (bars.first_day(), bars.last_day);
    let period = if first == last {
        format!("on {}", long(first))
    } else {
        format!("from {} to {}", long(first), long(last))
    };
    format!(
        "Tasks per {} {period}: {}; {}.",
        bars.per.name(),
        most(bars, "created", |bar| bar.created),
        most(bars, "completed", |bar| bar.completed)
    )
}

fn most(bars: &Bars, what: &str, count: fn(&Bar) -> u64) -> String {
    let total: u64 = bars.bars.iter().map(count).sum();
    // The first of several; there is none of zero.
    let peak = bars.bars.iter().rev().max_by_key(|bar| count(bar));
    match peak.filter(|bar| count(bar) > 0) {
        None => format!("none {what}"),
        Some(_) if bars.bars.len() == 1 => format!("{total} {what}"),
        Some(bar) => format!(
            "{total} {what}, the most {} ({})",
            when(bars.per, bar.first_day),
            count(bar)
        ),
    }
}

fn when(per: Per, first_day: NaiveDate) -> String {
    match per {
        Per::Day => format!("on {}", first_day.format("%A, %-d %B")),
        Per::Week => format!("in the week from {}", first_day.format("%-d %B %Y")),
        Per::Month => format!("in {}", first_day.format("%B %Y")),
        Per::Years(1) => format!("in {}", first_day.format("%Y")),
        Per::Years(_) => format!("from {} on", first_day.format("%Y")),
    }
}

fn long(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}
