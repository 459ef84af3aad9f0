//! The report on tasks, with its chart and its list.

use insta::assert_snapshot;

use super::*;
use crate::mail::chart::draw_chart;
use crate::mail::report::{Bar, Bars, Per, PersonFigures, TaskList, TaskReport};

const CSV: &str = "\u{feff}id,title\r\ntask_1,\"Zoë's, \"\"list\"\"\"\r\n";

pub(super) fn report() -> TaskReport {
    let bars = Bars {
        per: Per::Day,
        bars: [
            (1, 0),
            (0, 2),
            (5, 3),
            (0, 0),
            (0, 0),
            (1, 1),
            (5, 3),
            (0, 0),
        ]
        .into_iter()
        .zip(
            "2025-12-29"
                .parse::<chrono::NaiveDate>()
                .unwrap()
                .iter_days(),
        )
        .map(|((created, completed), first_day)| Bar {
            first_day,
            created,
            completed,
        })
        .collect(),
        last_day: "2026-01-05".parse().unwrap(),
    };
    let person = |name: &str, open, overdue, completed| PersonFigures {
        name: name.to_owned(),
        open,
        overdue,
        completed,
    };
    TaskReport {
        since: "2025-12-29T03:00:00Z".parse().unwrap(),
        until: "2026-01-05T03:00:00Z".parse().unwrap(),
        chart: Some(draw_chart(&bars).unwrap()),
        bars,
        counted_at: "2026-01-05T03:00:01Z".parse().unwrap(),
        open_pending: 104,
        open_in_progress: 7,
        overdue: 3,
        unassigned: 0,
        people: vec![person("Grace Hopper", 100, 3, 9), person("Zoë", 11, 0, 0)],
        list: Some(TaskList {
            file_name: "tasks-2026-01-05.csv".to_owned(),
            csv: CSV.as_bytes().to_vec(),
            listed: 114,
            total: 114,
        }),
    }
}

fn mail(report: TaskReport) -> Read {
    read(&ada(), &Content::TaskReport(Box::new(report)))
}

#[test]
fn a_report_shows_its_chart_and_brings_its_list() {
    let mail = mail(report());
    let [chart] = mail.pictures.as_slice() else {
        panic!("{} pictures", mail.pictures.len());
    };
    assert_eq!(Some(&chart.bytes), report().chart.as_ref());
    assert_snapshot!(headers_of(chart), @r#"
    Content-ID: <3418ee014c86fd6fbf158d92811f8467@muster>
    Content-Disposition: inline; filename="chart.png"
    Content-Type: image/png
    Content-Transfer-Encoding: base64
    "#);
    let id = chart.header("Content-ID");
    let id = id.strip_prefix('<').unwrap().strip_suffix('>').unwrap();
    assert!(mail.html.contains(&format!(
        "<img src=\"cid:{id}\" alt=\"Bar chart. Tasks per day"
    )));

    let [list] = mail.attachments.as_slice() else {
        panic!("{} attachments", mail.attachments.len());
    };
    assert_eq!(list.bytes, CSV.as_bytes());
    assert_snapshot!(headers_of(list), @r#"
    Content-Disposition: attachment; filename="tasks-2026-01-05.csv"
    Content-Type: text/csv; charset=utf-8
    Content-Transfer-Encoding: base64
    "#);
}

fn headers_of(file: &File) -> String {
    let lines = file
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_report_says_in_words_what_its_chart_shows() {
    let report = mail(report());
    assert_snapshot!(report.as_text(), @"
    X-Muster-Mail: task-report
    Subject: Task report: 12 created, 9 completed, 3 overdue

    Hello Ada Lovelace,

    From Monday, 29 December 2025, 09:00 (Asia/Dhaka, UTC+06:00) to Monday,
    5 January 2026, 09:00 (Asia/Dhaka, UTC+06:00):

    Created                       12
    Completed                      9

    Tasks per day from 29 December 2025 to 5 January 2026: 12 created, the
    most on Wednesday, 31 December (5); 9 completed, the most on Wednesday,
    31 December (3).

    How tasks stood on Monday, 5 January 2026, 09:00 (Asia/Dhaka,
    UTC+06:00):

    Pending                      104
    In progress                    7
    Overdue                        3
    Assigned to nobody             0

    Who has most open tasks, and what they completed in this time:

    Name                                     Open   Overdue   Completed
    Grace Hopper                              100         3           9
    Zoë                                        11         0           0

    The file tasks-2026-01-05.csv lists the 114 tasks that are open, or were
    created or completed in this time.

    Open Muster:
    https://muster.example

    -- 
    Muster
    https://muster.example
    ");
    let alt = report.html.split(" alt=\"Bar chart. ").nth(1).unwrap();
    let alt = alt.split('"').next().unwrap();
    assert!(report.text.replace('\n', " ").contains(alt), "{alt}");
}

#[test]
fn a_report_without_a_chart_is_a_plain_mail_with_an_attachment() {
    let mail = mail(TaskReport {
        chart: None,
        ..report()
    });
    assert_eq!((mail.pictures.len(), mail.attachments.len()), (0, 1));
    assert!(!mail.html.contains("<img"));
}

#[test]
fn a_report_on_nothing_is_two_sentences() {
    let mut nothing = TaskReport {
        chart: None,
        list: None,
        people: Vec::new(),
        open_pending: 0,
        open_in_progress: 0,
        overdue: 0,
        ..report()
    };
    for bar in &mut nothing.bars.bars {
        (bar.created, bar.completed) = (0, 0);
    }
    let mail = mail(nothing);
    assert_eq!((mail.pictures.len(), mail.attachments.len()), (0, 0));
    assert_snapshot!(mail.as_text(), @"
    X-Muster-Mail: task-report
    Subject: Task report: 0 created, 0 completed, 0 overdue

    Hello Ada Lovelace,

    From Monday, 29 December 2025, 09:00 (Asia/Dhaka, UTC+06:00) to Monday,
    5 January 2026, 09:00 (Asia/Dhaka, UTC+06:00):

    No task was created or completed in this time.

    On Monday, 5 January 2026, 09:00 (Asia/Dhaka, UTC+06:00) no task was
    open.

    Open Muster:
    https://muster.example

    -- 
    Muster
    https://muster.example
    ");
}

#[test]
fn a_list_that_was_cut_says_so() {
    let mut cut = report();
    let list = cut.list.as_mut().unwrap();
    (list.listed, list.total) = (10_000, 12_345);
    let text = mail(cut).text.replace('\n', " ");
    assert!(text.contains("lists 10000 of the 12345 tasks"), "{text}");
}

#[test]
fn the_peak_is_named_by_the_length_of_its_bar() {
    for (per, words) in [
        (Per::Day, "the most on Wednesday, 31 December (5)"),
        (Per::Week, "the most in the week from 31 December 2025 (5)"),
        (Per::Month, "the most in December 2025 (5)"),
        (Per::Years(1), "the most in 2025 (5)"),
        (Per::Years(10), "the most from 2025 on (5)"),
    ] {
        let mut report = report();
        report.bars.per = per;
        let text = mail(report).text.replace('\n', " ");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_name_in_the_table_is_neither_markup_nor_a_link_nor_a_line() {
    let mut report = report();
    report.people[0].name =
        "<b>Eve</b>\r\n Pending 0 https://evil.example www.evil.example eve@evil.com".to_owned();
    let mail = mail(report);
    for body in [&mail.text, &mail.html] {
        let body = body.replace("https://muster.example", "");
        for live in ["://", "www.", "evil.", "eve@", "\n Pending"] {
            assert!(!body.contains(live), "{live} in {body}");
        }
    }
    assert!(!mail.html.contains("<b>"), "{}", mail.html);
}
