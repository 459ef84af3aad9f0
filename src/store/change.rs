//! Turns a row as it was and as it shall be into an update of the columns that
//! differ: a column that is not named neither fires a trigger nor moves an index.

use sea_orm::{
    ActiveModelTrait, Condition, EntityTrait, IntoActiveModel, Iterable, ModelTrait, QueryFilter,
};

use super::{Source, Tx};
use crate::error::Result;

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

/// Writes what differs into the row that this condition leads to; false when none is as it says any
/// more.
pub(super) async fn update_if<E>(
    tx: &Tx,
    before: &E::Model,
    after: &E::Model,
    condition: Condition,
) -> Result<bool>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + Clone,
    E::ActiveModel: ActiveModelTrait<Entity = E>,
{
    let result = E::update_many()
        .set(changed::<E>(before, after))
        .filter(condition)
        .exec(tx.connection())
        .await?;
    Ok(result.rows_affected == 1)
}
