//! The operations that the tests send are what a front end could send.

use apollo_compiler::ExecutableDocument;

use super::sdl;
use crate::support::{OPERATIONS, repository};

#[test]
fn every_operation_of_the_tests_is_valid() {
    let schema = sdl::ours();
    for operation in OPERATIONS {
        ExecutableDocument::parse_and_validate(&schema, operation.text, operation.name)
            .unwrap_or_else(|invalid| panic!("{}:\n{}", operation.name, invalid.errors));
    }
}

#[test]
fn every_file_of_operations_is_used() {
    let files = repository::files("tests/it/operations", ".graphql");
    let names: Vec<&str> = files
        .iter()
        .map(|file| file.rsplit('/').next().unwrap())
        .map(|file| file.strip_suffix(".graphql").unwrap())
        .collect();
    let used: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    assert_eq!(names, used);
}
