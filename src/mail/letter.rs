//! A mail as its reader sees it, once for both of its parts: a [`Letter`] is a list
//! of parts that is rendered as text and as HTML, so that the two cannot differ.
//! Called by `message` only; what each mail says is in `wording`.
//!
//! What a user typed stands in the greeting, in quotations, in lists and tables and as
//! the name of who invites, and passes through `user_text` to get there.

mod tasks;
mod wording;

use askama::Template;

use super::content::{Content, Recipient};
use super::user_text;
use wording::word;

/// Columns of the text part: RFC 5322 advises 78, and answers are quoted with "> ".
const WIDTH: usize = 72;

pub(super) struct Letter {
    pub(super) subject: String,
    name: String,
    parts: Vec<Part>,
    public_url: String,
    /// Where mails of this kind can be stopped.
    unsubscribe: Option<String>,
}

enum Part {
    Paragraph(String),
    /// What somebody typed, set off so that it cannot pass for words of ours.
    Quote(Vec<String>),
    Link {
        label: &'static str,
        url: String,
    },
    Figures(Vec<(&'static str, u64)>),
    Heading(&'static str),
    Items(Vec<Item>),
    /// Figures of people, by name.
    Table {
        heads: [&'static str; 4],
        rows: Vec<(String, [u64; 3])>,
    },
    /// A picture that goes along with the mail, and what is to be seen on it.
    Chart {
        content_id: String,
        description: String,
    },
}

/// A line of a list.
struct Item {
    /// What somebody typed.
    title: String,
    note: Option<String>,
    url: Option<String>,
}

#[derive(Template)]
#[template(path = "letter.html", config = "src/mail/askama.toml")]
struct Html<'a> {
    letter: &'a Letter,
}

#[derive(Template)]
#[template(path = "letter.txt", config = "src/mail/askama.toml")]
struct Text<'a> {
    parts: Vec<String>,
    public_url: &'a str,
    unsubscribe: Option<&'a str>,
}

impl Letter {
    /// `public_url` without a slash at its end; `chart_id` is the `Content-ID` of the chart, in a mail
    /// that has one.
    pub(super) fn new(
        recipient: &Recipient,
        content: &Content,
        public_url: &str,
        chart_id: &str,
    ) -> Self {
        let (subject, parts) = word(content, recipient.zone, public_url, chart_id);
        let name = user_text::name(&recipient.display_name);
        Self {
            subject,
            name: user_text::without_links(&name),
            parts,
            public_url: public_url.to_owned(),
            unsubscribe: recipient
                .unsubscribe
                .as_ref()
                .map(|link| link.expose().to_owned()),
        }
    }

    pub(super) fn html(&self) -> askama::Result<String> {
        Html { letter: self }.render()
    }

    pub(super) fn text(&self) -> askama::Result<String> {
        let greeting = user_text::wrap_anywhere(&self.greeting(), WIDTH).join("\n");
        Text {
            parts: std::iter::once(greeting)
                .chain(self.parts.iter().map(Part::text))
                .collect(),
            public_url: &self.public_url,
            unsubscribe: self.unsubscribe.as_deref(),
        }
        .render()
    }

    fn greeting(&self) -> String {
        if self.name.is_empty() {
            "Hello,".to_owned()
        } else {
            format!("Hello {},", self.name)
        }
    }
}

impl Part {
    fn text(&self) -> String {
        match self {
            Self::Paragraph(text) => user_text::wrap(text, WIDTH).join("\n"),
            Self::Quote(lines) => lines
                .iter()
                .flat_map(|line| user_text::wrap_anywhere(line, WIDTH - 2))
                .map(|line| format!("> {line}").trim_end().to_owned())
                .collect::<Vec<_>>()
                .join("\n"),
            Self::Link { label, url } => format!("{label}:\n{url}"),
            Self::Figures(figures) => figures
                .iter()
                .map(|(label, figure)| format!("{label:<24}{figure:>8}"))
                .collect::<Vec<_>>()
                .join("\n"),
            Self::Heading(title) => format!("{title}\n{}", "-".repeat(title.len())),
            Self::Items(items) => items.iter().map(Item::text).collect::<Vec<_>>().join("\n"),
            Self::Table { heads, rows } => table(heads, rows),
            Self::Chart { description, .. } => user_text::wrap(description, WIDTH).join("\n"),
        }
    }
}

impl Item {
    fn text(&self) -> String {
        let title = user_text::wrap_anywhere(&self.title, WIDTH - 2);
        let note = self.note.as_deref().unwrap_or_default();
        let lines = title
            .into_iter()
            .chain(user_text::wrap(note, WIDTH - 2))
            .chain(self.url.clone())
            .filter(|line| !line.is_empty());
        lines
            .enumerate()
            .map(|(number, line)| match number {
                0 => format!("* {line}"),
                _ => format!("  {line}"),
            })
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn table(heads: &[&str; 4], rows: &[(String, [u64; 3])]) -> String {
    const NAME_WIDTH: usize = 35;
    let [name, one, two, three] = heads;
    let mut lines = vec![format!("{name:<NAME_WIDTH$}{one:>10}{two:>10}{three:>12}")];
    for (name, [one, two, three]) in rows {
        let name = user_text::one_line(name, NAME_WIDTH);
        lines.push(format!("{name:<NAME_WIDTH$}{one:>10}{two:>10}{three:>12}"));
    }
    lines.join("\n")
}
