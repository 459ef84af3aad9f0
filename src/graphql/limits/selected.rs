//! Of a document with several operations one is run, and the rest is left out before
//! the library validates: it would look at every operation, and write an error for
//! all that is wrong with each, though the limits are those of the one that runs.
//! What nobody could use is refused here, since it would be a mistake in any document:
//! a fragment that no operation reaches.

use std::collections::{HashMap, HashSet};

use async_graphql::ServerError;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};
use async_graphql_value::Name;

use crate::graphql::error::{VALIDATION_FAILED, refusal};

/// The operation that is to run. One without a name is run whatever name is asked for, as far as
/// the limits go: the executor complains about the name.
pub(super) fn find<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, ServerError> {
    let refused = |message| Err(refusal(VALIDATION_FAILED, message, None));
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Ok(&operation.node),
        (DocumentOperations::Multiple(operations), Some(name)) => match operations.get(name) {
            Some(operation) => Ok(&operation.node),
            None => refused("The document has no operation of this name."),
        },
        (DocumentOperations::Multiple(operations), None) => {
            let mut operations = operations.values();
            match (operations.next(), operations.next()) {
                (Some(only), None) => Ok(&only.node),
                _ => refused("The document has several operations: name one in operationName."),
            }
        }
    }
}

/// Refuses a document with a fragment that none of its operations uses (GraphQL, section 5.5.1.4).
pub(super) fn check_fragments(document: &ExecutableDocument) -> Result<(), ServerError> {
    let reached = reached(document);
    let unused = document
        .fragments
        .iter()
        .filter(|(name, _)| !reached.contains(*name))
        .min_by_key(|(_, fragment)| fragment.pos);
    let Some((name, fragment)) = unused else {
        return Ok(());
    };
    let message = format!("Fragment \"{name}\" is never used");
    Err(refusal(VALIDATION_FAILED, message, Some(fragment.pos)))
}

/// Leaves out the other operations, and the fragments that only they use.
pub(super) fn keep(document: &mut ExecutableDocument, name: Option<&str>) {
    let (DocumentOperations::Multiple(operations), Some(name)) = (&mut document.operations, name)
    else {
        // There is no other.
        return;
    };
    if operations.len() < 2 {
        return;
    }
    if let Some(operation) = operations.remove(name) {
        *operations = HashMap::from([(Name::new(name), operation)]);
    }
    let reached: HashSet<Name> = reached(document).into_iter().cloned().collect();
    document.fragments.retain(|name, _| reached.contains(name));
}

/// The fragments that operations use, by way of others or not.
fn reached(document: &ExecutableDocument) -> HashSet<&Name> {
    let mut reached = HashSet::new();
    let mut sets: Vec<&SelectionSet> = document
        .operations
        .iter()
        .map(|(_, operation)| &operation.node.selection_set.node)
        .collect();
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => sets.push(&field.node.selection_set.node),
                Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some((name, fragment)) = document.fragments.get_key_value(name)
                        && reached.insert(name)
                    {
                        sets.push(&fragment.node.selection_set.node);
                    }
                }
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;
    use crate::graphql::error::code;

    #[test]
    fn the_operation_that_is_not_to_run_goes_with_its_fragments() {
        let query = "query A { ...F } query B { ...F ...G } \
            fragment F on Query { ...H } fragment G on Query { h } fragment H on Query { h }";
        for (name, fragments) in [("A", 2), ("B", 3)] {
            let mut document = parse_query(query).unwrap();
            keep(&mut document, Some(name));
            let operations = document.operations.iter();
            let names: Vec<&str> = operations
                .filter_map(|(name, _)| Some(name?.as_str()))
                .collect();
            assert_eq!(names, [name]);
            assert_eq!(document.fragments.len(), fragments, "{name}");
        }
    }

    #[test]
    fn which_operation_is_meant_must_be_plain() {
        let two = "query A { a } query B { b }";
        for (query, name, is_found) in [
            (two, Some("A"), true),
            (two, Some("C"), false),
            (two, None, false),
            ("query A { a }", None, true),
            ("query A { a }", Some("C"), false),
            ("{ a }", None, true),
        ] {
            let document = parse_query(query).unwrap();
            let refused = find(&document, name).err();
            assert_eq!(refused.is_none(), is_found, "{query} {name:?}");
            assert!(refused.is_none_or(|error| code(&error) == Some(VALIDATION_FAILED)));
        }
    }

    #[test]
    fn a_fragment_that_nothing_uses_is_told_by_its_name() {
        let unused = "query A { a } fragment F on Query { ...G } fragment G on Query { a }";
        let error = check_fragments(&parse_query(unused).unwrap()).unwrap_err();
        assert_eq!(code(&error), Some(VALIDATION_FAILED));
        assert_eq!(error.message, "Fragment \"F\" is never used");
        assert_eq!(error.locations[0].column, 15);
        // Whichever operation uses it.
        let used = format!("{unused} query B {{ ...F }}");
        assert!(check_fragments(&parse_query(used).unwrap()).is_ok());
    }
}
