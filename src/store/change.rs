//! Turns a row as it was and as it shall be into an update of the columns that
//! differ: a column that is not named neither fires a trigger nor moves an index.

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Iterable, ModelTrait};

pub(super) fn changed<E>(before: &E::Model, after: &E::Model) -> E::ActiveModel
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + Clone,
    E::ActiveModel: ActiveModelTrait<Entity = E>,
{
    let mut changes = before.clone().into_active_model();
    for column in E::Column::iter() {
        let value = after.get(column);
        if before.get(column) != value {
            changes.set(column, value);
        }
    }
    changes
}
