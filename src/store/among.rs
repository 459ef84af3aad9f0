//! Conditions on columns of few values. Statistics tell PostgreSQL which value most
//! rows have; SQLite has none here, and would take the index of that value and
//! sort nearly all rows for the sake of one page.

use sea_orm::{ColumnTrait, Condition, Iterable, Value};

/// The column has one of these values. When that is to be found nearly everywhere, since `common`
/// is one of them, it is put as "none of the others", which no index answers: rows are then read in
/// the order of the list, and few are passed over.
pub(super) fn among<C, V>(column: C, values: &[V], common: V) -> Condition
where
    C: ColumnTrait,
    V: Copy + PartialEq + Iterable + Into<Value>,
{
    if values.contains(&common) {
        let others = V::iter().filter(|value| !values.contains(value));
        Condition::all().add(column.is_not_in(others))
    } else {
        Condition::all().add(column.is_in(values.iter().copied()))
    }
}
