//! What the plans say.

use super::*;

#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Tables, and results of steps before, that are read from one end to the other, in no order.
    pub(super) scans: BTreeSet<String>,
    pub(super) indexes: BTreeSet<String>,
    /// An index is read in its order, from one end until the page is full.
    pub(super) walks: bool,
    pub(super) sorts: bool,
    /// Rows of tables that were looked at; 0 where the engine does not tell.
    pub(super) reads: u64,
    pub(super) text: String,
}

impl Plan {
    pub(super) fn of_sqlite(lines: &[String]) -> Self {
        let mut plan = Self {
            text: lines.join("\n"),
            ..Self::default()
        };
        for line in lines {
            let mut words = line.split_whitespace();
            let verb = words.next();
            let table = words.next().unwrap_or_default();
            let index = line
                .split_once("INDEX ")
                .and_then(|(_, rest)| rest.split_whitespace().next())
                .filter(|_| line.contains(" USING "));
            match (verb, index) {
                (Some("SCAN"), None) if !line.contains("VIRTUAL TABLE") => {
                    plan.scans.insert(table.to_owned());
                }
                (Some("SCAN"), Some(_)) => plan.walks = true,
                (Some("USE"), _) if line.contains("B-TREE FOR ORDER BY") => plan.sorts = true,
                _ => {}
            }
            if let Some(index) = index {
                plan.indexes.insert(index.to_owned());
            } else if line.contains("VIRTUAL TABLE") {
                plan.indexes.insert(table.to_owned());
            }
        }
        plan
    }

    pub(super) fn of_postgres(answer: &Value) -> Self {
        let mut plan = Self::default();
        plan.adds(&answer["Plan"], 0);
        plan
    }

    pub(super) fn adds(&mut self, node: &Value, depth: usize) {
        let word = |key: &str| node[key].as_str().unwrap_or_default();
        let number = |key: &str| node[key].as_f64().unwrap_or_default();
        let (kind, table, index) = (word("Node Type"), word("Relation Name"), word("Index Name"));
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "numbers of rows"
        )]
        let rows = ((number("Actual Rows")
            + number("Rows Removed by Filter")
            + number("Rows Removed by Index Recheck"))
            * number("Actual Loops")) as u64;
        writeln!(
            self.text,
            "{}{kind} {table} {index} {rows} {}",
            "  ".repeat(depth),
            word("Filter")
        )
        .unwrap();
        if kind == "Seq Scan" {
            self.scans.insert(table.to_owned());
        }
        if !index.is_empty() {
            self.indexes.insert(index.to_owned());
        }
        self.sorts |= kind == "Sort";
        if !table.is_empty() {
            self.reads += rows;
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.adds(child, depth + 1);
        }
    }
}
