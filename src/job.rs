//! The closed list of jobs. A job carries ids only, never secrets or rendered
//! text: its row can be read on a job board. It is a hint that work is due; the
//! truth about the work is in the row that it names.

use serde::{Deserialize, Serialize};

use crate::entity::DeliveryId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Send the mail of this delivery, if it is still due.
    Deliver { delivery_id: DeliveryId },
}

impl Job {
    /// Every job goes through this one queue, since all of them are of one type.
    pub const QUEUE: &'static str = "muster";
}
