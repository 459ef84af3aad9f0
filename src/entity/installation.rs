//! Where this database lives, and whether it is a copy that nobody has used yet.
//! There is one row.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Where `PostgreSQL` had it when it was last opened. None on `SQLite`, and before it was.
    pub place: Option<String>,
    /// When the backup was taken that this is. None once it has been opened.
    pub copied_at: Option<DateTimeUtc>,
    /// By what hours of the server people's plans were made. None before they were.
    pub planned_hours: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
