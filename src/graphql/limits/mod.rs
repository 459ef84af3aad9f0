//! Refuses documents that ask for too much, before anything is executed: first by
//! a scan over the text, so that nothing pathological reaches the parser, then by
//! a walk over the operation, in which each fragment is looked at once. The cost
//! of a refusal is bounded by the length of the text.

mod cost;
mod rows;
mod scan;
mod selected;
mod variables;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{ServerError, Variables};
use async_graphql_value::{ConstValue, Number};

use super::error::{BAD_USER_INPUT, PARSE_FAILED, TOO_COMPLEX, VALIDATION_FAILED, refusal};
use crate::entity::Role;

/// In bytes.
const DOCUMENT_MAX: usize = 64 * 1024;
const TOKENS_MAX: usize = 10_000;
/// Brackets of any kind inside one another.
const NESTING_MAX: usize = 64;
/// Characters of one number. None that we know has more.
const NUMBER_MAX: usize = 64;
/// Fields inside one another; the introspection of common clients has 15.
const DEPTH_MAX: usize = 15;
const ROOT_FIELDS_MAX: usize = 30;
const ALIASES_MAX: usize = 30;
const DIRECTIVES_MAX: usize = 20;
const FRAGMENTS_MAX: usize = 50;
const OPERATIONS_MAX: usize = 50;
/// Items of one list, as an argument or a variable: the bound of all lists that the schema takes,
/// such as the ids of `nodes`.
const LIST_MAX: usize = 100;
/// Lists and objects inside one another in a variable.
const VARIABLE_NESTING_MAX: usize = 16;
/// Lists of fields or types inside one another under `__schema` and `__type`, as in graphql-js.
const INTROSPECTION_LISTS_MAX: usize = 2;
/// Selections of the whole document, those of a fragment as often as it is spread, and once more
/// on its own: as many as there may be tokens, so that fragments reach no further than text does.
/// Before it executes, async-graphql visits each of them that the operation reaches.
const SELECTIONS_MAX: usize = 10_000;
/// Selections under `__schema` and `__type`. They cost nothing else, and repeating them repeats
/// the work.
const INTROSPECTION_MAX: usize = 300;
/// Mutations that check or set a password, in one operation: many would be many guesses.
const CREDENTIALS_MAX: usize = 1;

/// How much one operation may cost: each field 1, times the rows of the lists around it.
fn complexity_max(role: Option<Role>) -> u64 {
    match role {
        None => 1_000,
        Some(Role::Employee) => 10_000,
        Some(Role::Manager) => 20_000,
        Some(Role::Admin) => 50_000,
    }
}

/// Parses the document if the text and the operation are within bounds, and leaves out what is not
/// to run. `role` is the viewer's.
pub fn check(
    query: &str,
    operation_name: Option<&str>,
    variables: &Variables,
    role: Option<Role>,
) -> Result<ExecutableDocument, ServerError> {
    scan::scan(query)?;
    let mut document = parse_query(query).map_err(|error| {
        let position = error.positions().next();
        refusal(PARSE_FAILED, "The document is not valid GraphQL.", position)
    })?;
    let operations = document.operations.iter().count();
    within("operations", operations, OPERATIONS_MAX)?;
    within("fragments", document.fragments.len(), FRAGMENTS_MAX)?;
    for value in variables.values() {
        check_value(value, VARIABLE_NESTING_MAX)?;
    }
    for (_, operation) in document.operations.iter() {
        for definition in &operation.node.variable_definitions {
            if let Some(value) = &definition.node.default_value {
                check_value(&value.node, VARIABLE_NESTING_MAX)?;
            }
        }
    }
    let what = "selections with its fragments spread out";
    within(what, cost::selections(&document)?, SELECTIONS_MAX)?;
    selected::check_fragments(&document)?;
    check_operation(&document, operation_name, variables, role)?;
    selected::keep(&mut document, operation_name);
    variables::leave_out_absent(&mut document, variables);
    Ok(document)
}

fn check_operation(
    document: &ExecutableDocument,
    name: Option<&str>,
    variables: &Variables,
    role: Option<Role>,
) -> Result<(), ServerError> {
    let operation = selected::find(document, name)?;
    variables::check(operation, variables)?;
    let cost = cost::measure(document, operation, variables)?;
    within("fields inside one another", cost.depth, DEPTH_MAX)?;
    within("fields at the root", cost.fields, ROOT_FIELDS_MAX)?;
    within("aliases", cost.aliases, ALIASES_MAX)?;
    within("directives", cost.directives, DIRECTIVES_MAX)?;
    within(
        "mutations with a password or token",
        cost.credentials,
        CREDENTIALS_MAX,
    )?;
    within(
        "selections of the schema",
        cost.introspected,
        INTROSPECTION_MAX,
    )?;
    let max = complexity_max(role);
    let complexity = cost.complexity();
    if complexity <= max {
        return Ok(());
    }
    Err(refusal(
        TOO_COMPLEX,
        format!(
            "The operation costs {complexity}, and {max} is the limit. Ask for fewer fields or smaller pages."
        ),
        None,
    ))
}

/// The schema has no wider type than Int. The library tells a wider number only while executing,
/// when siblings may have been carried out.
fn check_number(number: &Number) -> Result<(), ServerError> {
    let is_wider = number.is_i64() || number.is_u64();
    let fits = number
        .as_i64()
        .is_some_and(|number| i32::try_from(number).is_ok());
    if is_wider && !fits {
        return Err(refusal(
            BAD_USER_INPUT,
            format!("The number {number} is out of the range of Int."),
            None,
        ));
    }
    Ok(())
}

/// A list is too long for its field, rather than for the server.
fn check_length(length: usize) -> Result<(), ServerError> {
    if length <= LIST_MAX {
        return Ok(());
    }
    Err(refusal(
        BAD_USER_INPUT,
        format!("A list has {length} items, and {LIST_MAX} is the limit."),
        None,
    ))
}

/// The same bound for an input object: no form has as many fields.
fn check_size(fields: usize) -> Result<(), ServerError> {
    within("fields in one input object", fields, LIST_MAX)
}

fn within(what: &str, count: usize, max: usize) -> Result<(), ServerError> {
    if count <= max {
        return Ok(());
    }
    Err(refusal(
        TOO_COMPLEX,
        format!("The document has {count} {what}, and {max} is the limit."),
        None,
    ))
}

fn check_value(value: &ConstValue, nesting_left: usize) -> Result<(), ServerError> {
    let Some(left) = nesting_left.checked_sub(1) else {
        return Err(refusal(
            TOO_COMPLEX,
            format!("A variable is nested more than {VARIABLE_NESTING_MAX} deep."),
            None,
        ));
    };
    match value {
        ConstValue::List(items) => {
            check_length(items.len())?;
            items.iter().try_for_each(|item| check_value(item, left))
        }
        ConstValue::Object(fields) => {
            check_size(fields.len())?;
            fields
                .values()
                .try_for_each(|field| check_value(field, left))
        }
        ConstValue::Number(number) => check_number(number),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::error::code;
    use serde_json::json;

    fn refused(query: &str, variables: serde_json::Value, role: Option<Role>) -> Option<String> {
        check(query, None, &Variables::from_json(variables), role)
            .err()
            .map(|error| code(&error).unwrap().to_owned())
    }

    fn assert_limit(make: impl Fn(usize) -> String, max: usize) {
        assert_eq!(
            refused(&make(max), json!({}), Some(Role::Admin)),
            None,
            "{max}"
        );
        let refused = refused(&make(max + 1), json!({}), Some(Role::Admin));
        assert_eq!(refused.as_deref(), Some(TOO_COMPLEX), "{max} + 1");
    }

    #[test]
    fn each_limit_holds_at_its_value_and_refuses_one_more() {
        assert_limit(
            |n| format!("{}{}", "{ a ".repeat(n), "}".repeat(n)),
            DEPTH_MAX,
        );
        assert_limit(|n| format!("{{ {} }}", "a ".repeat(n)), ROOT_FIELDS_MAX);
        assert_limit(
            |n| format!("{{ v {{ {} }} }}", "b: a ".repeat(n)),
            ALIASES_MAX,
        );
        assert_limit(
            |n| format!("{{ a {} }}", "@skip(if: false) ".repeat(n)),
            DIRECTIVES_MAX,
        );
        assert_limit(
            |n| {
                let fragments = (0..n).map(|i| format!(" fragment F{i} on Query {{ a }}"));
                let spreads = (0..n).map(|i| format!("...F{i} "));
                format!(
                    "{{ v {{ {} }} }}{}",
                    spreads.collect::<String>(),
                    fragments.collect::<String>()
                )
            },
            FRAGMENTS_MAX,
        );
        for (name, max) in [(Some("Q0"), OPERATIONS_MAX), (None, 1)] {
            let refused = |count: usize| {
                let operations = (0..count).map(|i| format!("query Q{i} {{ a }} "));
                let query: String = operations.collect();
                check(&query, name, &Variables::default(), None).err()
            };
            assert!(refused(max).is_none(), "{name:?}");
            assert!(refused(max + 1).is_some(), "{name:?}");
        }
        assert_limit(
            |n| format!("{{ __schema {{ {} }} }}", "description ".repeat(n)),
            INTROSPECTION_MAX,
        );
        // 99 in the fragment, 100 for each time that it is spread, and the field around them.
        assert_limit(
            |n| {
                format!(
                    "{{ v {{ {}{} }} }} fragment F on Query {{ {} }}",
                    "...F ".repeat((n - 100) / 100),
                    "a ".repeat((n - 100) % 100),
                    "a ".repeat(99),
                )
            },
            SELECTIONS_MAX,
        );
        assert_limit(
            |n| {
                let inner = format!("{}name{}", "fields { type { ".repeat(n), "} } ".repeat(n));
                format!("{{ __schema {{ types {{ {inner} }} }} }}")
            },
            INTROSPECTION_LISTS_MAX,
        );
        assert_limit(
            |n| {
                format!(
                    "mutation {{ {} }}",
                    "logIn { userErrors { code } } ".repeat(n)
                )
            },
            CREDENTIALS_MAX,
        );
    }

    #[test]
    fn variables_and_literals_are_bounded_in_length_and_nesting() {
        let list = |length: usize| json!({ "v": vec![1; length] });
        assert_eq!(refused("{ a }", list(LIST_MAX), None), None);
        let longer = refused("{ a }", list(LIST_MAX + 1), None);
        assert_eq!(longer.as_deref(), Some(BAD_USER_INPUT));
        let literal = |length: usize| format!("{{ a(b: [{}]) }}", "1 ".repeat(length));
        assert_eq!(refused(&literal(LIST_MAX), json!({}), None), None);
        let longer = refused(&literal(LIST_MAX + 1), json!({}), None);
        assert_eq!(longer.as_deref(), Some(BAD_USER_INPUT));
        let object = |size: usize| {
            let fields = (0..size).map(|i| (format!("f{i}"), json!(1)));
            json!({ "v": fields.collect::<serde_json::Map<_, _>>() })
        };
        assert_eq!(refused("{ a }", object(LIST_MAX), None), None);
        let larger = refused("{ a }", object(LIST_MAX + 1), None);
        assert_eq!(larger.as_deref(), Some(TOO_COMPLEX));
        let literal = |size: usize| {
            let fields = (0..size).map(|i| format!("f{i}: 1 "));
            format!("{{ a(b: [{{ {} }}]) }}", fields.collect::<String>())
        };
        assert_eq!(refused(&literal(LIST_MAX), json!({}), None), None);
        let larger = refused(&literal(LIST_MAX + 1), json!({}), None);
        assert_eq!(larger.as_deref(), Some(TOO_COMPLEX));
        let nested = |depth: usize| {
            let value = (1..depth).fold(json!(1), |value, _| json!([value]));
            json!({ "v": value })
        };
        assert_eq!(refused("{ a }", nested(VARIABLE_NESTING_MAX), None), None);
        let deeper = refused("{ a }", nested(VARIABLE_NESTING_MAX + 1), None);
        assert_eq!(deeper.as_deref(), Some(TOO_COMPLEX));
    }

    #[test]
    fn a_variable_that_is_needed_and_not_given_is_told_by_name() {
        let query = "query($id: ID!, $n: Int, $m: Int! = 3) { a(id: $id, n: $n, m: $m) }";
        for (variables, is_refused) in [
            (json!({}), true),
            (json!({ "id": null }), true),
            (json!({ "id": "x" }), false),
            (json!({ "id": "x", "n": null }), false),
            (json!({ "id": "x", "m": null }), true),
        ] {
            let refused = refused(query, variables.clone(), None);
            assert_eq!(refused.is_some(), is_refused, "{variables}");
        }
    }

    #[test]
    fn numbers_beyond_int_are_refused_before_anything_is_executed() {
        for (number, fits) in [
            ("2147483647", true),
            ("2147483648", false),
            ("-2147483648", true),
            ("-2147483649", false),
            ("18446744073709551615", false),
            ("1.5", true),
        ] {
            for query in [
                format!("{{ a(b: {number}) }}"),
                format!("{{ a(b: {{ c: [{number}] }}) }}"),
                format!("query($n: Int = {number}) {{ a(b: $n) }}"),
            ] {
                assert_eq!(refused(&query, json!({}), None).is_none(), fits, "{query}");
            }
            let number: serde_json::Value = serde_json::from_str(number).unwrap();
            let variables = json!({ "n": number });
            let refused = refused("query($n: Int) { a(b: $n) }", variables, None);
            assert_eq!(refused.is_none(), fits, "{number}");
        }
    }

    #[test]
    fn defaults_of_variables_are_counted_like_what_is_given() {
        let long = "\"x\" ".repeat(LIST_MAX + 1);
        let query = format!("query($i: [ID!]! = [{long}]) {{ nodes(ids: $i) {{ id }} }}");
        assert_eq!(
            refused(&query, json!({}), None).as_deref(),
            Some(BAD_USER_INPUT)
        );
        let query = "query($n: Int = 100) { users(first: $n) { nodes { tasks(first: $n) { nodes { id } } } } }";
        assert_eq!(
            refused(query, json!({}), None).as_deref(),
            Some(TOO_COMPLEX)
        );
        assert_eq!(refused(query, json!({ "n": 1 }), None), None);
    }

    #[test]
    fn each_role_may_spend_as_much_as_its_limit() {
        for (role, max) in [
            (None, 1_000),
            (Some(Role::Employee), 10_000),
            (Some(Role::Manager), 20_000),
            (Some(Role::Admin), 50_000),
        ] {
            // A page of 100 rows of n - 1 fields and the row itself, the list, and single fields.
            let query = |cost: usize| {
                let per_row = (cost - 1) / 100;
                let single = (cost - 1) % 100;
                format!(
                    "{{ tasks(first: 100) {{ nodes {{ {} }} {} }} }}",
                    "a ".repeat(per_row - 1),
                    "b ".repeat(single)
                )
            };
            assert_eq!(refused(&query(max), json!({}), role), None, "{role:?}");
            let refused = refused(&query(max + 1), json!({}), role);
            assert_eq!(refused.as_deref(), Some(TOO_COMPLEX), "{role:?}");
        }
    }

    #[test]
    fn the_introspection_of_common_clients_passes_for_everyone() {
        let query = include_str!("introspection.graphql");
        assert_eq!(refused(query, json!({}), None), None);
    }

    #[test]
    fn broken_documents_are_refused_with_their_place_and_no_more() {
        let error = check("{ a( }", None, &Variables::default(), None).unwrap_err();
        assert_eq!(code(&error), Some(PARSE_FAILED));
        assert_eq!(error.message, "The document is not valid GraphQL.");
        assert_eq!(error.locations.len(), 1);
    }

    /// Fragments that spread the next one twice each; written out, 2^49 times the selection.
    fn doubling(on: &str, selection: &str) -> String {
        (0..49)
            .map(|i| format!(" fragment F{i} on {on} {{ ...F{} ...F{} }}", i + 1, i + 1))
            .chain([format!(" fragment F49 on {on} {{ {selection} }}")])
            .collect()
    }

    #[test]
    fn fragments_that_double_are_too_complex_whatever_they_ask_for() {
        for query in [
            format!("{{ ...F0 }}{}", doubling("Query", "viewer { id }")),
            format!("{{ viewer {{ ...F0 }} }}{}", doubling("User", "__typename")),
            format!(
                "{{ __schema {{ ...F0 }} }}{}",
                doubling("__Schema", "description")
            ),
            format!("{{ a }}{}", doubling("Query", "a")),
        ] {
            let refused = refused(&query, json!({}), Some(Role::Admin));
            assert_eq!(refused.as_deref(), Some(TOO_COMPLEX), "{query}");
        }
    }

    #[test]
    fn operations_that_would_not_run_are_bounded_too() {
        let query = format!(
            "query A {{ a }} query B {{ v {{ ...F0 }} }}{}",
            doubling("Query", "a")
        );
        for name in [Some("A"), Some("C"), None] {
            let error = check(&query, name, &Variables::default(), None).unwrap_err();
            assert_eq!(code(&error), Some(TOO_COMPLEX), "{name:?}");
        }
    }

    #[test]
    fn thousands_of_overlapping_fields_are_too_complex() {
        let query = format!("{{ v {{ {} }} }}", "a ".repeat(TOKENS_MAX - 5));
        let refused = refused(&query, json!({}), None);
        assert_eq!(refused.as_deref(), Some(TOO_COMPLEX));
    }
}
