//! `schema.graphql` is what the program prints, keeps what was promised in
//! `contract.graphql`, and tells front-end developers what they need.

use std::collections::BTreeSet;

use apollo_compiler::ast::{FieldDefinition, InputValueDefinition};
use apollo_compiler::schema::{ExtendedType, InputObjectType};
use apollo_compiler::{Node, Schema};

use super::sdl;
use crate::support::repository;

#[test]
fn schema_graphql_is_what_the_program_prints() {
    assert!(
        repository::read("schema.graphql") == muster::graphql::sdl(),
        "schema.graphql is stale; run `cargo run -- schema > schema.graphql`"
    );
}

/// Subscriptions come with a later release, and with them the types that only they use.
const LATER: &[&str] = &["Subscription", "TaskChange", "ApprovalChange", "ChangeKind"];

#[test]
fn the_contract_is_kept() {
    let (contract, ours) = (sdl::contract(), sdl::ours());
    let mut breaks = Vec::new();
    for (name, promised) in promised_types(&contract) {
        match ours.types.get(name) {
            Some(offered) => compare_types(name, promised, offered, &mut breaks),
            None => breaks.push(format!("type {name} is missing")),
        }
    }
    for name in ["auth", "public"] {
        let promised = &contract.directive_definitions[name];
        match ours.directive_definitions.get(name) {
            Some(offered) => {
                compare_arguments(
                    &format!("@{name}"),
                    &promised.arguments,
                    &offered.arguments,
                    &mut breaks,
                );
                if promised.locations != offered.locations {
                    breaks.push(format!("@{name} is for {:?}", offered.locations));
                }
            }
            None => breaks.push(format!("directive @{name} is missing")),
        }
    }
    assert!(breaks.is_empty(), "broken promises: {breaks:#?}");
}

#[test]
fn what_comes_later_is_used_by_subscriptions_only() {
    // Should one of these turn up in a query, it has to be kept from then on.
    let contract = sdl::contract();
    let subscription = contract.get_object("Subscription").unwrap();
    let mut reached = BTreeSet::from(["Subscription"]);
    let mut fields: Vec<_> = subscription.fields.values().collect();
    while let Some(field) = fields.pop() {
        let name = field.ty.inner_named_type().as_str();
        if LATER.contains(&name) && reached.insert(name) {
            let object = contract.get_object(name);
            fields.extend(object.iter().flat_map(|object| object.fields.values()));
        }
    }
    assert_eq!(reached, LATER.iter().copied().collect());
    for (name, ty) in promised_types(&contract) {
        for field in fields_of(ty) {
            let used = field.ty.inner_named_type().as_str();
            assert!(!LATER.contains(&used), "{name}.{} is a {used}", field.name);
        }
    }
}

fn promised_types(contract: &Schema) -> impl Iterator<Item = (&str, &ExtendedType)> {
    contract
        .types
        .iter()
        .map(|(name, ty)| (name.as_str(), ty))
        .filter(|(name, ty)| !ty.is_built_in() && !LATER.contains(name))
}

fn fields_of(ty: &ExtendedType) -> Vec<&FieldDefinition> {
    match ty {
        ExtendedType::Object(object) => object.fields.values().map(|field| &***field).collect(),
        ExtendedType::Interface(interface) => {
            interface.fields.values().map(|field| &***field).collect()
        }
        _ => Vec::new(),
    }
}

fn compare_types(
    name: &str,
    promised: &ExtendedType,
    offered: &ExtendedType,
    breaks: &mut Vec<String>,
) {
    match (promised, offered) {
        (ExtendedType::Scalar(promised), ExtendedType::Scalar(offered)) => {
            if promised.directives != offered.directives {
                breaks.push(format!("scalar {name} has other directives"));
            }
        }
        (ExtendedType::Object(promised), ExtendedType::Object(offered)) => {
            for interface in &promised.implements_interfaces {
                if !offered.implements_interfaces.contains(interface) {
                    breaks.push(format!("{name} is no {interface}"));
                }
            }
        }
        (ExtendedType::Interface(_), ExtendedType::Interface(_)) => {}
        (ExtendedType::Enum(promised), ExtendedType::Enum(offered)) => {
            for value in promised.values.keys() {
                if !offered.values.contains_key(value) {
                    breaks.push(format!("{name}.{value} is missing"));
                }
            }
        }
        (ExtendedType::InputObject(promised), ExtendedType::InputObject(offered)) => {
            let of = |input: &InputObjectType| -> Vec<_> {
                let fields = input.fields.values();
                fields.map(|field| field.node.clone()).collect()
            };
            compare_arguments(name, &of(promised), &of(offered), breaks);
        }
        _ => breaks.push(format!("{name} is another kind of type")),
    }
    let offered = fields_of(offered);
    for promised in fields_of(promised) {
        let way = format!("{name}.{}", promised.name);
        match offered.iter().find(|field| field.name == promised.name) {
            Some(offered) => compare_fields(&way, promised, offered, breaks),
            None => breaks.push(format!("{way} is missing")),
        }
    }
}

fn compare_fields(
    way: &str,
    promised: &FieldDefinition,
    offered: &FieldDefinition,
    breaks: &mut Vec<String>,
) {
    if promised.ty != offered.ty {
        breaks.push(format!("{way} is {}, not {}", offered.ty, promised.ty));
    }
    for directive in ["auth", "public"] {
        let of = |field: &FieldDefinition| {
            let applied = field.directives.get(directive);
            applied.map(ToString::to_string)
        };
        if of(promised) != of(offered) {
            breaks.push(format!("{way} has {:?}", of(offered)));
        }
    }
    compare_arguments(way, &promised.arguments, &offered.arguments, breaks);
}

/// Also of input objects, whose fields are of the same kind. New ones must be optional.
fn compare_arguments(
    way: &str,
    promised: &[Node<InputValueDefinition>],
    offered: &[Node<InputValueDefinition>],
    breaks: &mut Vec<String>,
) {
    for argument in promised {
        match offered.iter().find(|other| other.name == argument.name) {
            Some(other) if other.ty == argument.ty => {
                // What had to be given may be left out now: nobody who gives it notices.
                let is_eased = argument.is_required() && other.default_value.is_some();
                if other.default_value != argument.default_value && !is_eased {
                    breaks.push(format!("{way}({}) has another default", argument.name));
                }
            }
            Some(other) => breaks.push(format!(
                "{way}({}) is {}, not {}",
                argument.name, other.ty, argument.ty
            )),
            None => breaks.push(format!("{way}({}) is missing", argument.name)),
        }
    }
    for argument in offered {
        let is_new = promised.iter().all(|other| other.name != argument.name);
        if is_new && argument.is_required() {
            breaks.push(format!("{way}({}) is new and required", argument.name));
        }
    }
}

#[test]
fn everything_is_described() {
    let ours = sdl::ours();
    let mut silent = Vec::new();
    let mut note = |way: String, description: Option<&str>| {
        if description.is_none_or(|text| text.trim().is_empty()) {
            silent.push(way);
        }
    };
    for (name, ty) in &ours.types {
        if ty.is_built_in() {
            continue;
        }
        note(name.to_string(), ty.description().map(|text| &**text));
        for field in fields_of(ty) {
            let way = format!("{name}.{}", field.name);
            for argument in &field.arguments {
                let way = format!("{way}({})", argument.name);
                note(way, argument.description.as_deref());
            }
            note(way, field.description.as_deref());
        }
        match ty {
            ExtendedType::InputObject(input) => {
                for field in input.fields.values() {
                    note(
                        format!("{name}.{}", field.name),
                        field.description.as_deref(),
                    );
                }
            }
            ExtendedType::Enum(values) => {
                for value in values.values.values() {
                    note(
                        format!("{name}.{}", value.value),
                        value.description.as_deref(),
                    );
                }
            }
            _ => {}
        }
    }
    assert!(silent.is_empty(), "without a description: {silent:#?}");
}

/// Introspection does not show applied directives, so the words say it, too.
#[test]
fn every_guard_is_also_said_in_words() {
    let ours = sdl::ours();
    for (root, field) in sdl::root_fields(&ours) {
        let words = match sdl::guard(field) {
            Some(role) => format!("Requires {role}"),
            None => "Public".to_owned(),
        };
        let description = field.description.as_deref().unwrap_or_default();
        // Descriptions are wrapped where they are written.
        let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            description.contains(&words),
            "{root}.{} does not say {words:?}: {description}",
            field.name
        );
    }
}

#[test]
fn mutations_are_nullable_so_that_their_siblings_stand() {
    let ours = sdl::ours();
    for field in ours.get_object("Mutation").unwrap().fields.values() {
        assert!(!field.ty.is_non_null(), "Mutation.{}", field.name);
    }
}
