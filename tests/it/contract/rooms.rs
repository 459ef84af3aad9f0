//! The arrows of `ARCHITECTURE.md`: Cargo cannot keep one room of a crate from
//! importing another, so this does.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::repository::{files, read, without_comments};

const GROUND: &[&str] = &[
    "actor",
    "calendar",
    "clock",
    "entity",
    "error",
    "generator",
    "job",
    "metrics",
    "worker_health",
];

/// What a room may import besides the ground. `config` is for all to read, so it imports nothing
/// but ground itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    // `schema`, `migrate`, `check` and `demo` look at one room each, without the whole app.
    (
        "cli",
        &[
            "app",
            "config",
            "graphql",
            "http",
            "mail",
            "redis",
            "service",
            "store",
            "telemetry",
        ],
    ),
    // The composition root builds everything.
    (
        "app",
        &[
            "cache",
            "config",
            "credential",
            "event",
            "graphql",
            "http",
            "limit",
            "mail",
            "redis",
            "service",
            "store",
            "worker",
        ],
    ),
    ("telemetry", &["config"]),
    // The bearer token becomes an actor by `service::session::authenticate`; mails in files are
    // shown to whoever tries Muster out.
    (
        "http",
        &["config", "graphql", "mail", "service", "telemetry"],
    ),
    // `viewerCan…` is answered by the policy itself.
    (
        "graphql",
        &["cache", "config", "policy", "service", "store"],
    ),
    (
        "service",
        &[
            "cache",
            "config",
            "credential",
            "event",
            "limit",
            // What a mail says is put together where its facts are read; it is sent by `worker`.
            "mail",
            "policy",
            "store",
        ],
    ),
    ("worker", &["config", "event", "mail", "service", "store"]),
    ("cache", &["redis", "store"]),
    ("event", &["redis", "store"]),
    ("limit", &["config", "redis"]),
    ("redis", &[]),
    ("policy", &[]),
    ("store", &["config"]),
    ("credential", &["config"]),
    ("mail", &["config"]),
    ("config", &[]),
];

fn allowed(room: &str) -> Vec<&'static str> {
    let arrows = ARROWS.iter().find(|(from, _)| *from == room);
    let arrows = arrows.map_or(&[][..], |(_, to)| *to);
    GROUND.iter().chain(arrows).copied().collect()
}

/// `src/graphql/user/mod.rs` is in `graphql`, `src/clock.rs` in `clock`.
fn room_of(path: &str) -> &str {
    let path = path.strip_prefix("src/").unwrap();
    let room = path.split('/').next().unwrap();
    room.strip_suffix(".rs").unwrap_or(room)
}

/// The rooms that `crate::…` paths lead to, in imports, also in braces, and inline.
fn rooms_named(source: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (place, _) in source.match_indices("crate::") {
        let rest = &source[place + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(heads_of_list(list)),
            None => rooms.extend(head(rest)),
        }
    }
    rooms
}

fn head(path: &str) -> Option<String> {
    let end = path.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let name = &path[..end.unwrap_or(path.len())];
    (!name.is_empty()).then(|| name.to_owned())
}

/// `config::{self, Settings}, http};…` names config and http.
fn heads_of_list(list: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let (mut depth, mut begin) = (0, true);
    for (place, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begin = true,
            c if begin && !c.is_whitespace() => {
                heads.extend(head(&list[place..]));
                begin = false;
            }
            _ => {}
        }
    }
    heads
}

#[test]
fn rooms_import_along_the_arrows_only() {
    let mut edges: BTreeMap<(String, String), String> = BTreeMap::new();
    for path in files("src", ".rs") {
        let source = without_comments(&read(&path));
        let from = room_of(&path).to_owned();
        // The library's root declares the rooms; `main` sees them from outside.
        let prefix = if from == "main" {
            "muster::"
        } else {
            "crate::"
        };
        for to in rooms_named(&source.replace(prefix, "crate::")) {
            edges.entry((from.clone(), to)).or_insert(path.clone());
        }
    }
    assert!(edges.len() > 40, "the imports were not found: {edges:?}");
    let forbidden: Vec<_> = edges
        .iter()
        .filter(|((from, to), _)| from != to && !allowed(from).contains(&to.as_str()))
        .map(|((from, to), path)| format!("{from} → {to} in {path}"))
        .collect();
    assert!(forbidden.is_empty(), "no arrow allows {forbidden:#?}");
}

#[test]
fn every_room_is_in_the_table() {
    let rooms: BTreeSet<String> = files("src", ".rs")
        .iter()
        .map(|path| room_of(path).to_owned())
        .filter(|room| room != "lib")
        .collect();
    let known: BTreeSet<String> = GROUND
        .iter()
        .copied()
        .chain(ARROWS.iter().map(|(room, _)| *room))
        .map(str::to_owned)
        .collect();
    assert_eq!(rooms, known);
}

#[test]
fn imports_are_read_from_every_form_that_rust_has() {
    let rooms = rooms_named(
        "use crate::store::{self, Db};\n\
         use crate::{config::{self, Settings}, graphql, http};\n\
         fn f() -> crate::error::Error { $crate::policy::task::may_update }",
    );
    let expected = ["config", "error", "graphql", "http", "policy", "store"];
    assert_eq!(rooms.iter().collect::<Vec<_>>(), expected);
}

/// Fails for every line of these files that holds one of these texts.
#[track_caller]
fn never_says(paths: &[String], texts: &[&str]) {
    assert!(!paths.is_empty());
    for path in paths {
        for line in without_comments(&read(path)).lines() {
            let found = texts.iter().find(|text| line.contains(**text));
            assert_eq!(found, None, "{path}: {line}");
        }
    }
}

#[test]
fn graphql_and_http_do_not_speak_sql() {
    for room in ["src/graphql", "src/http"] {
        never_says(&files(room, ".rs"), &["sea_orm", "sqlx"]);
    }
}

#[test]
fn the_policy_is_synchronous_and_knows_no_store() {
    never_says(
        &files("src/policy", ".rs"),
        &["async ", ".await", "Db", "Tx"],
    );
}

#[test]
fn only_the_configuration_reads_the_environment() {
    let mut paths = files("src", ".rs");
    paths.retain(|path| room_of(path) != "config");
    never_says(&paths, &["env::var", "env::vars", "dotenvy", "option_env!"]);
}

#[test]
fn transactions_open_in_service_and_worker_only() {
    let mut paths = files("src", ".rs");
    paths.retain(|path| !["service", "worker", "store"].contains(&room_of(path)));
    never_says(&paths, &[".begin("]);
}

#[test]
fn no_resolver_nulls_the_parent_of_a_nullable_field() {
    // In the pinned version of async-graphql an `Err` from `Result<Option<T>>` does; loaders are
    // no resolvers.
    let mut paths = files("src/graphql", ".rs");
    paths.retain(|path| !path.ends_with("/loader.rs"));
    let mut resolvers = 0;
    for path in paths {
        let source = without_comments(&read(&path));
        for function in source.split("async fn ").skip(1) {
            resolvers += 1;
            let signature = function.split('{').next().unwrap();
            let nulls_parent = signature.contains("-> Result<Option<");
            assert!(!nulls_parent, "{path}: async fn {signature}");
        }
    }
    assert!(resolvers > 80, "the resolvers were not found: {resolvers}");
}
