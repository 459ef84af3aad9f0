//! How many rows every list of objects in the schema has at most, as far as one
//! can tell from a document. What hangs on a row is done for each of them, so an
//! operation is as dear as its lists are long, with pages or without.

use std::collections::HashMap;
use std::sync::LazyLock;

use async_graphql::OutputType;
use async_graphql::registry::{MetaType, MetaTypeName, Registry};
use async_graphql::resolver_utils::EnumType;

use crate::graphql::notification::ReminderGroupKind;
use crate::graphql::page::SIZE_MAX;
use crate::graphql::types::{MailKind, Role, TaskStatus, UserStatus};
use crate::graphql::{Mutation, Query};
use crate::service::api_token::TOKENS_MAX;
use crate::service::reminder::TASKS_MAX;
use crate::service::session::SESSIONS_MAX;

/// A form has at most one problem for each of its fields, and one for the whole.
const USER_ERRORS_MAX: u64 = 20;

/// How often what is selected of a field is in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Once: it is no list.
    One,
    /// It is a connection, which is there once, with as many rows as its page has.
    Page,
    /// It is the rows of what is around it, such as a connection.
    Each,
    /// As often as ids are asked for.
    Ids,
    AtMost(u64),
    /// So many lists, which have so many rows together.
    Shared {
        lists: u64,
        rows: u64,
    },
}

/// A type of the schema, with those of its fields that have selections.
pub(super) struct Type(HashMap<String, Field>);

pub(super) struct Field {
    /// The type of what it leads to.
    of: String,
    pub rows: Rows,
}

/// A type by its name; None for one that the schema does not know.
pub(super) fn find_type(name: &str) -> Option<&'static Type> {
    TYPES.get(name)
}

impl Type {
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.0.get(name)
    }
}

impl Field {
    pub fn leads_to(&self) -> Option<&'static Type> {
        find_type(&self.of)
    }
}

/// From what the library collects to serve the schema, and not from its text: that would have to be
/// parsed, which can fail.
static TYPES: LazyLock<HashMap<String, Type>> = LazyLock::new(|| {
    let mut registry = Registry::default();
    Query::create_type_info(&mut registry);
    Mutation::create_type_info(&mut registry);
    let types = registry.types.values();
    types
        .filter_map(|parent| Some((parent.name().to_owned(), fields(&registry, parent)?)))
        .collect()
});

fn fields(registry: &Registry, parent: &MetaType) -> Option<Type> {
    let mut fields = HashMap::new();
    for field in parent.fields()?.values() {
        let Some(leads_to) = registry
            .concrete_type_by_name(&field.ty)
            .filter(|leads_to| leads_to.is_composite())
        else {
            continue;
        };
        let rows = if !MetaTypeName::create(&field.ty).unwrap_non_null().is_list() {
            if is_connection(leads_to) {
                Rows::Page
            } else {
                Rows::One
            }
        } else if is_connection(parent) {
            Rows::Each
        } else {
            // A list that has no bound yet is taken for the longest.
            bound(parent.name(), &field.name).unwrap_or(Rows::AtMost(SIZE_MAX))
        };
        let of = leads_to.name().to_owned();
        fields.insert(field.name.clone(), Field { of, rows });
    }
    Some(Type(fields))
}

fn is_connection(candidate: &MetaType) -> bool {
    candidate.field_by_name("pageInfo").is_some()
}

/// The bound of a list without pages.
fn bound(parent: &str, field: &str) -> Option<Rows> {
    Some(match (parent, field) {
        ("Query", "nodes") => Rows::Ids,
        ("Query", "sessions") => Rows::AtMost(SESSIONS_MAX),
        ("Query", "apiTokens") => Rows::AtMost(TOKENS_MAX),
        ("Query" | "PauseMailsPayload" | "ResumeMailsPayload", "pausedMails") => {
            one_for_each::<MailKind>()
        }
        ("ReminderPreview", "groups") => Rows::Shared {
            lists: number_of::<ReminderGroupKind>(),
            rows: TASKS_MAX,
        },
        ("ReminderGroup", "tasks") => Rows::Each,
        ("Stats", "usersByRole") => one_for_each::<Role>(),
        ("Stats", "usersByStatus") => one_for_each::<UserStatus>(),
        ("Stats", "tasksByStatus") => one_for_each::<TaskStatus>(),
        (_, "userErrors") => Rows::AtMost(USER_ERRORS_MAX),
        _ => return None,
    })
}

fn one_for_each<T: EnumType>() -> Rows {
    Rows::AtMost(number_of::<T>())
}

fn number_of<T: EnumType>() -> u64 {
    T::items().len() as u64
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_schema;
    use async_graphql::parser::types::{
        FieldDefinition, InputObjectType, TypeKind, TypeSystemDefinition,
    };

    use super::*;

    /// The types that have fields, and the forms, as the schema is published.
    #[derive(Default)]
    struct Published {
        types: HashMap<String, Vec<FieldDefinition>>,
        forms: Vec<InputObjectType>,
    }

    fn published() -> Published {
        let mut published = Published::default();
        let document = parse_schema(crate::graphql::sdl()).unwrap();
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                TypeKind::InputObject(form) => {
                    published.forms.push(form);
                    continue;
                }
                _ => continue,
            };
            let fields = fields.into_iter().map(|field| field.node).collect();
            let name = definition.node.name.node.to_string();
            published.types.insert(name, fields);
        }
        published
    }

    fn name_of_type(field: &FieldDefinition) -> (String, bool) {
        let text = field.ty.node.to_string();
        let name = text.replace(['[', ']', '!'], "");
        (name, text.contains('['))
    }

    #[test]
    fn every_list_of_objects_of_the_schema_is_priced() {
        let published = published();
        let mut lists = 0;
        for (parent, fields) in &published.types {
            for field in fields {
                let (leads_to, is_list) = name_of_type(field);
                let known = find_type(parent).unwrap().field(&field.name.node);
                if !published.types.contains_key(&leads_to) {
                    assert!(known.is_none(), "{parent}.{}", field.name);
                    continue;
                }
                let known = known.unwrap_or_else(|| panic!("{parent}.{}", field.name));
                assert_eq!(known.of, leads_to, "{parent}.{}", field.name);
                assert!(known.leads_to().is_some(), "{leads_to}");
                let is_connection = leads_to.ends_with("Connection");
                let has_pages = parent.ends_with("Connection");
                let is_priced = match known.rows {
                    Rows::One => !is_list && !is_connection,
                    Rows::Page => !is_list && is_connection,
                    Rows::Each if has_pages => is_list,
                    _ => is_list && bound(parent, &field.name.node) == Some(known.rows),
                };
                assert!(is_priced, "{parent}.{} is {:?}", field.name, known.rows);
                lists += usize::from(is_list);
            }
        }
        assert!(lists > 40, "{lists}");
    }

    #[test]
    fn what_has_rows_of_its_own_is_around_what_has_them() {
        for (name, parent) in &*TYPES {
            for (field, found) in &parent.0 {
                let inside = found.leads_to().unwrap();
                let has_rows = inside.0.values().any(|field| field.rows == Rows::Each);
                let counts_them = matches!(found.rows, Rows::Page | Rows::Shared { .. });
                assert_eq!(has_rows, counts_them, "{name}.{field}");
            }
        }
    }

    #[test]
    fn no_form_has_as_many_fields_as_there_may_be_problems() {
        let forms = published().forms;
        assert!(forms.len() > 30, "{}", forms.len());
        for form in forms {
            assert!((form.fields.len() as u64) < USER_ERRORS_MAX);
        }
    }
}
