//! What a report on tasks has to say: plain figures, gathered by `worker`. The chart
//! draws them, and the wording says them.

use chrono::{DateTime, NaiveDate, Utc};

/// What happened between two instants, and how things stand.
#[derive(Clone, Debug)]
pub struct TaskReport {
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub bars: Bars,
    /// When the open tasks were counted: nobody keeps how they stood before.
    pub counted_at: DateTime<Utc>,
    pub open_pending: u64,
    pub open_in_progress: u64,
    pub overdue: u64,
    pub unassigned: u64,
    /// Who has most open tasks, beginning with the most.
    pub people: Vec<PersonFigures>,
    /// A PNG of the bars. None when nothing happened.
    pub chart: Option<Vec<u8>>,
    /// None when there is no task to list.
    pub list: Option<TaskList>,
}

impl TaskReport {
    pub(super) fn created(&self) -> u64 {
        self.bars.created()
    }

    pub(super) fn completed(&self) -> u64 {
        self.bars.completed()
    }
}

/// The period in steps of the recipient's calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bars {
    pub per: Per,
    /// In the order of time, without gaps.
    pub bars: Vec<Bar>,
    /// The last day that belongs to the last bar.
    pub last_day: NaiveDate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    Day,
    /// From Monday on.
    Week,
    Month,
    /// This many years, beginning with a year that they divide.
    Years(u32),
}

impl Per {
    pub(super) fn name(self) -> String {
        match self {
            Self::Day => "day".to_owned(),
            Self::Week => "week".to_owned(),
            Self::Month => "month".to_owned(),
            Self::Years(1) => "year".to_owned(),
            Self::Years(years) => format!("{years} years"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    pub first_day: NaiveDate,
    pub created: u64,
    pub completed: u64,
}

impl Bars {
    pub fn created(&self) -> u64 {
        self.bars.iter().map(|bar| bar.created).sum()
    }

    pub fn completed(&self) -> u64 {
        self.bars.iter().map(|bar| bar.completed).sum()
    }

    pub(super) fn first_day(&self) -> NaiveDate {
        self.bars.first().map_or(self.last_day, |bar| bar.first_day)
    }
}

/// One person's tasks.
#[derive(Clone, Debug)]
pub struct PersonFigures {
    /// As the person typed it.
    pub name: String,
    pub open: u64,
    pub overdue: u64,
    /// In the time of the report.
    pub completed: u64,
}

/// The tasks themselves, as a file for spreadsheets.
#[derive(Clone)]
pub struct TaskList {
    pub file_name: String,
    pub csv: Vec<u8>,
    /// How many tasks are in it.
    pub listed: u64,
    /// How many there are.
    pub total: u64,
}

impl std::fmt::Debug for TaskList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TaskList({} of {})", self.listed, self.total)
    }
}
