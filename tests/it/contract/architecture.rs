//! `ARCHITECTURE.md` is a map, and a map that is wrong is worse than none.

use crate::support::repository::{read, root};

const LINES_MAX: usize = 150;

/// What stands between backticks and is a path: folders end in a slash.
fn paths(text: &str) -> Vec<&str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|code| {
            let is_plain = code
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            let folders = ["src/", "tests/", "migration/", ".ci/"];
            let endings = [".md", ".toml", ".graphql", ".example"];
            is_plain
                && (folders.iter().any(|folder| code.starts_with(folder))
                    || endings.iter().any(|ending| code.ends_with(ending)))
        })
        .collect()
}

#[test]
fn every_path_on_the_map_exists() {
    let map = read("ARCHITECTURE.md");
    let paths = paths(&map);
    assert!(paths.len() > 20, "the paths were not found: {paths:?}");
    let missing: Vec<_> = paths
        .iter()
        .filter(|path| !root().join(path).exists())
        .collect();
    assert!(missing.is_empty(), "not there: {missing:?}");
}

#[test]
fn the_map_is_short_enough_to_be_read() {
    let lines = read("ARCHITECTURE.md").lines().count();
    assert!(lines <= LINES_MAX, "{lines} lines");
}

#[test]
fn every_invariant_on_the_map_is_held_by_a_test() {
    let map = read("ARCHITECTURE.md");
    let (_, table) = map.split_once("| invariant | held by |").unwrap();
    let rows: Vec<&str> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(rows.len() >= 6, "{rows:?}");
    for row in rows {
        let mut tests = paths(row);
        tests.retain(|path| path.starts_with("tests/"));
        assert!(!tests.is_empty(), "no test holds {row}");
        for test in tests {
            let source = read(test);
            let has_test = source.contains("#[test]") || source.contains("#[tokio::test");
            assert!(has_test, "{test} tests nothing");
        }
    }
}
