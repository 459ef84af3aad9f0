//! The tasks of a report as a CSV file (RFC 4180), for people who go on in a
//! spreadsheet.
//!
//! What people typed must stay text there: a spreadsheet takes a cell that begins
//! with an equals sign for a formula, and formulas can send away what the others
//! say. See OWASP on CSV injection.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use csv::{Terminator, Writer, WriterBuilder};

use crate::actor::Actor;
use crate::entity::task::Model as Task;
use crate::entity::{TaskId, TaskStatus, UserId};
use crate::error::{Error, Result};
use crate::mail::TaskList;
use crate::service::Context;
use crate::store::report::{Completed, Period};
use crate::store::task::{TaskFilter, TaskOrder, TaskOrderField};
use crate::store::{self, Page, Position, SortKey, Window};

/// What a mail can carry and a person can look through.
const ROWS_MAX: u64 = 10_000;
/// Base64 makes 4 MB of it: with all that goes along, the mail stays below 5 MB, which mail servers
/// take. As it is and not packed: what every phone shows at once is worth more than a smaller mail.
const BYTES_MAX: usize = 3_000_000;
const PAGE: u64 = 500;

/// Without it, Excel takes UTF-8 for the code page of the system. Other programs skip it.
const BYTE_ORDER_MARK: &str = "\u{feff}";

const HEADER: [&str; 7] = [
    "id",
    "title",
    "status",
    "assignee",
    "deadline",
    "createdAt",
    "completedAt",
];

/// The tasks that are open, what is due first at the top; then those completed in the period; then
/// those created in it, but completed outside of it. None when there is none. `open` is how many are
/// open.
pub(super) async fn write(
    cx: &Context,
    period: Period,
    zone: Tz,
    now: DateTime<Utc>,
    open: u64,
) -> Result<Option<TaskList>> {
    let mut list = List::new()?;
    for part in [
        Part::Open(now),
        Part::Completed(Completed::Within, period),
        Part::Completed(Completed::Elsewhere, period),
    ] {
        write_part(cx, &mut list, part).await?;
    }
    let mut total = open;
    for which in [Completed::Within, Completed::Elsewhere] {
        total += store::report::count_completed(&cx.db, which, period).await?;
    }
    let listed = list.listed.len() as u64;
    if listed == 0 {
        return Ok(None);
    }
    let until = period.until.with_timezone(&zone).date_naive();
    Ok(Some(TaskList {
        file_name: format!("tasks-{until}.csv"),
        csv: list.finish()?,
        listed,
        // Tasks come and go while they are counted; there are at least those that are listed.
        total: total.max(listed),
    }))
}

#[derive(Clone, Copy)]
enum Part {
    /// As of this instant.
    Open(DateTime<Utc>),
    Completed(Completed, Period),
}

impl Part {
    async fn page(self, cx: &Context, window: &Window) -> Result<Page<Task>> {
        match self {
            Self::Open(now) => {
                let filter = TaskFilter {
                    status: Some(TaskStatus::OPEN.to_vec()),
                    ..TaskFilter::any(now)
                };
                let order = TaskOrder {
                    field: TaskOrderField::Deadline,
                    descending: false,
                };
                store::task::list(&cx.db, &Actor::System, &filter, order, window).await
            }
            Self::Completed(which, period) => {
                store::report::list_completed(&cx.db, which, period, window).await
            }
        }
    }

    /// Where a task stands in the order of this part.
    fn position(self, task: &Task) -> Position {
        let instant = match self {
            Self::Open(_) => task.deadline,
            Self::Completed(Completed::Within, _) => task.completed_at,
            Self::Completed(Completed::Elsewhere, _) => Some(task.created_at),
        };
        Position {
            key: instant.map_or(SortKey::Missing, SortKey::Instant),
            id: task.id.0,
        }
    }
}

/// From the database in pages, so that no more than one is in memory besides the file.
async fn write_part(cx: &Context, list: &mut List, part: Part) -> Result<()> {
    let mut after = None;
    while !list.is_full() {
        let window = Window {
            after: after.take(),
            ..Window::first(PAGE)
        };
        let page = part.page(cx, &window).await?;
        list.learn_names(cx, &page.rows).await?;
        for task in &page.rows {
            list.add(task)?;
        }
        after = page.rows.last().map(|task| part.position(task));
        if !page.has_next_page {
            break;
        }
    }
    Ok(())
}

struct List {
    csv: Writer<Vec<u8>>,
    /// A task that changes while pages are read is found twice.
    listed: HashSet<TaskId>,
    usernames: HashMap<UserId, String>,
}

impl List {
    fn new() -> Result<Self> {
        let bytes = BYTE_ORDER_MARK.as_bytes().to_vec();
        let mut csv = WriterBuilder::new()
            .terminator(Terminator::CRLF)
            .from_writer(bytes);
        csv.write_record(HEADER).map_err(Error::internal)?;
        Ok(Self {
            csv,
            listed: HashSet::new(),
            usernames: HashMap::new(),
        })
    }

    fn is_full(&self) -> bool {
        self.listed.len() as u64 >= ROWS_MAX || self.csv.get_ref().len() >= BYTES_MAX
    }

    async fn learn_names(&mut self, cx: &Context, tasks: &[Task]) -> Result<()> {
        let mut unknown: Vec<UserId> = tasks.iter().filter_map(|task| task.assignee_id).collect();
        unknown.retain(|id| !self.usernames.contains_key(id));
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        let users = store::user::find_many(&cx.db, &Actor::System, &unknown).await?;
        self.usernames
            .extend(users.into_iter().map(|user| (user.id, user.username)));
        Ok(())
    }

    fn add(&mut self, task: &Task) -> Result<()> {
        if self.is_full() || !self.listed.insert(task.id) {
            return Ok(());
        }
        let assignee = task.assignee_id.and_then(|id| self.usernames.get(&id));
        let status = match task.status {
            TaskStatus::Pending => "PENDING",
            TaskStatus::InProgress => "IN_PROGRESS",
            TaskStatus::Completed => "COMPLETED",
        };
        let instant = |instant: Option<DateTime<Utc>>| {
            instant.map_or_else(String::new, |instant| {
                instant.to_rfc3339_opts(SecondsFormat::Millis, true)
            })
        };
        self.csv
            .write_record([
                task.id.to_string(),
                harmless(&task.title),
                status.to_owned(),
                harmless(assignee.map_or("", String::as_str)),
                instant(task.deadline),
                instant(Some(task.created_at)),
                instant(task.completed_at),
            ])
            .map_err(Error::internal)?;
        // Else the length would be known a buffer later.
        self.csv.flush().map_err(Error::internal)
    }

    fn finish(self) -> Result<Vec<u8>> {
        self.csv
            .into_inner()
            .map_err(|error| Error::internal(error.to_string()))
    }
}

/// The text with an apostrophe before whatever would make it a formula. Where the comma separates
/// decimals, cells are cut at semicolons, too, and quotation marks in the middle of a cell do not
/// keep it together: so what follows one of those is taken for the beginning of a cell.
fn harmless(text: &str) -> String {
    let mut result = String::with_capacity(text.len() + 1);
    let mut begins = true;
    for c in text.chars() {
        let is_separator = matches!(c, ';' | '\t' | '\r' | '\n');
        let is_formula = matches!(
            c,
            '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}'
        );
        let is_bad_beginning = result.is_empty() && matches!(c, '\t' | '\r');
        if begins && (is_formula || is_bad_beginning) {
            result.push('\'');
        }
        result.push(c);
        begins = is_separator || (begins && (c.is_whitespace() || c == '"'));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spreadsheets_take_for_formulas_is_text() {
        for (typed, written) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t'=1"),
            ("\r=1", "'\r'=1"),
            ("  =1", "  '=1"),
            ("\"=1", "\"'=1"),
            ("a;=1", "a;'=1"),
            ("a; \"=1", "a; \"'=1"),
            ("a\n@x", "a\n'@x"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
        ] {
            assert_eq!(harmless(typed), written);
        }
    }

    #[test]
    fn other_words_stay_as_they_were_typed() {
        for text in [
            "",
            "Paint 3 chairs",
            "a = b + c - d @ e",
            "Zoë's \"list\", with; semicolons",
            "1;2",
            "'=1",
        ] {
            assert_eq!(harmless(text), text);
        }
    }
}
