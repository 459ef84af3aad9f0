//! The pattern of the front end's page of a task.

use url::Url;

const ID: &str = "{id}";

/// A URL with `{id}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskUrl(String);

impl TaskUrl {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let pattern = Self(text.to_owned());
        let url = pattern.of("task_00000000000000000000000007")?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        (is_web && text.contains(ID)).then_some(pattern)
    }

    /// The page of this task.
    pub fn of(&self, id: &str) -> Option<Url> {
        Url::parse(&self.0.replace(ID, id)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stands_wherever_the_front_end_wants_it() {
        for pattern in [
            "https://app.example.com/tasks/{id}",
            "https://app.example.com/?task={id}",
            "https://app.example.com/#/tasks/{id}/edit",
        ] {
            let page = TaskUrl::parse(pattern).unwrap().of("task_1").unwrap();
            assert_eq!(page.as_str(), pattern.replace("{id}", "task_1"));
        }
        for wrong in [
            "https://app.example.com/tasks",
            "ftp://x/{id}",
            "{id}",
            "javascript:{id}",
        ] {
            assert_eq!(TaskUrl::parse(wrong), None, "{wrong}");
        }
    }
}
