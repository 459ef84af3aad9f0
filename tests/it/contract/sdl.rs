//! Schemas as text, parsed; and the order in which roles and guards are read
//! from them.

use apollo_compiler::Schema;
use apollo_compiler::ast::{FieldDefinition, Value};
use apollo_compiler::validation::Valid;

use crate::support::repository;

/// What the server offers.
pub fn ours() -> Valid<Schema> {
    parse("schema.graphql")
}

/// What others rely on.
pub fn contract() -> Valid<Schema> {
    parse("tests/it/contract/contract.graphql")
}

fn parse(path: &str) -> Valid<Schema> {
    Schema::parse_and_validate(repository::read(path), path)
        .unwrap_or_else(|invalid| panic!("{path} is not valid:\n{}", invalid.errors))
}

/// The fields of `Query` and of `Mutation`, in the order of the schema.
pub fn root_fields(schema: &Schema) -> Vec<(&'static str, &FieldDefinition)> {
    ["Query", "Mutation"]
        .into_iter()
        .flat_map(|root| {
            let fields = &schema.get_object(root).unwrap().fields;
            fields.values().map(move |field| (root, &***field))
        })
        .collect()
}

/// The role that `@auth` asks for; None for `@public`. A root field has exactly one of the two.
#[track_caller]
pub fn guard(field: &FieldDefinition) -> Option<String> {
    let auth = field.directives.get("auth");
    assert_ne!(
        auth.is_some(),
        field.directives.has("public"),
        "{} needs exactly one of @auth and @public",
        field.name
    );
    auth.map(|auth| {
        match auth
            .specified_argument_by_name("requires")
            .map(|value| &**value)
        {
            Some(Value::Enum(role)) => role.to_string(),
            other => panic!("@auth of {} requires {other:?}", field.name),
        }
    })
}
