//! Variables as the specification wants them. One that the operation needs and the
//! request does not give is told before anything is executed, and one that may be
//! left out and is left out leaves out what it stands for: async-graphql would
//! tell the one while executing, and take the other for null, which clears fields.

use std::collections::HashSet;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Positioned, ServerError, Variables};
use async_graphql_value::{ConstValue, Name, Value};

use crate::graphql::error::{BAD_USER_INPUT, refusal};

pub(super) fn check(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), ServerError> {
    for definition in &operation.variable_definitions {
        let position = definition.pos;
        let definition = &definition.node;
        let name = &definition.name.node;
        let wanted = &definition.var_type.node;
        let is_given = match variables.get(name) {
            None => definition.default_value.is_some(),
            Some(value) => *value != ConstValue::Null,
        };
        if !wanted.nullable && !is_given {
            return Err(refusal(
                BAD_USER_INPUT,
                format!("The variable ${name} of the type {wanted} is missing."),
                Some(position),
            ));
        }
    }
    Ok(())
}

/// Takes arguments and input fields out of the document whose variable was left out, and with
/// them the definitions of these variables. There is one operation: others would share its
/// fragments, and miss what is taken out of them.
pub(super) fn leave_out_absent(document: &mut ExecutableDocument, variables: &Variables) {
    let Some((_, operation)) = document.operations.iter().next() else {
        return;
    };
    let absent: HashSet<Name> = operation
        .node
        .variable_definitions
        .iter()
        .map(|definition| &definition.node)
        .filter(|definition| {
            definition.default_value.is_none() && !variables.contains_key(&definition.name.node)
        })
        .map(|definition| definition.name.node.clone())
        .collect();
    if absent.is_empty() {
        return;
    }
    let operations: Vec<&mut Positioned<OperationDefinition>> = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    for operation in operations {
        let operation = &mut operation.node;
        operation
            .variable_definitions
            .retain(|definition| !absent.contains(&definition.node.name.node));
        in_set(&mut operation.selection_set.node, &absent);
    }
    for fragment in document.fragments.values_mut() {
        in_set(&mut fragment.node.selection_set.node, &absent);
    }
}

fn in_set(set: &mut SelectionSet, absent: &HashSet<Name>) {
    for selection in &mut set.items {
        let directives = match &mut selection.node {
            Selection::Field(field) => {
                in_field(&mut field.node, absent);
                &mut field.node.directives
            }
            Selection::InlineFragment(inline) => {
                in_set(&mut inline.node.selection_set.node, absent);
                &mut inline.node.directives
            }
            Selection::FragmentSpread(spread) => &mut spread.node.directives,
        };
        for directive in directives {
            in_arguments(&mut directive.node.arguments, absent);
        }
    }
}

fn in_field(field: &mut Field, absent: &HashSet<Name>) {
    in_arguments(&mut field.arguments, absent);
    in_set(&mut field.selection_set.node, absent);
}

fn in_arguments(
    arguments: &mut Vec<(Positioned<Name>, Positioned<Value>)>,
    absent: &HashSet<Name>,
) {
    arguments.retain(|(_, value)| !is_absent(&value.node, absent));
    for (_, value) in arguments {
        in_value(&mut value.node, absent);
    }
}

fn in_value(value: &mut Value, absent: &HashSet<Name>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !is_absent(value, absent));
            fields
                .values_mut()
                .for_each(|value| in_value(value, absent));
        }
        Value::List(items) => {
            for item in items {
                if is_absent(item, absent) {
                    // An item cannot be left out without moving the others.
                    *item = Value::Null;
                }
                in_value(item, absent);
            }
        }
        _ => {}
    }
}

fn is_absent(value: &Value, absent: &HashSet<Name>) -> bool {
    matches!(value, Value::Variable(name) if absent.contains(name))
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;

    /// What is left of the arguments of the first field of the operation.
    fn left(query: &str, variables: serde_json::Value) -> (usize, String) {
        let mut document = parse_query(query).unwrap();
        leave_out_absent(&mut document, &Variables::from_json(variables));
        let (_, operation) = document.operations.iter().next().unwrap();
        let operation = &operation.node;
        let Selection::Field(field) = &operation.selection_set.node.items[0].node else {
            panic!("no field");
        };
        let arguments = field.node.arguments.iter();
        let arguments: Vec<String> = arguments
            .map(|(name, value)| format!("{}: {}", name.node, value.node))
            .collect();
        (operation.variable_definitions.len(), arguments.join(", "))
    }

    #[test]
    fn what_stands_for_an_absent_variable_is_left_out() {
        let query = "query($a: Int, $b: Int, $c: Int = 3) { f(a: $a, in: {a: $a, b: $b}, l: [$a, $b], c: $c) }";
        assert_eq!(
            left(query, json!({ "b": null })),
            (2, "in: {b: $b}, l: [null, $b], c: $c".to_owned())
        );
        assert_eq!(
            left(query, json!({ "a": 1, "b": 2 })),
            (
                3,
                "a: $a, in: {a: $a, b: $b}, l: [$a, $b], c: $c".to_owned()
            )
        );
    }
}
