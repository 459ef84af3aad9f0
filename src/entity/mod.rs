//! The rows as SeaORM sees them, their typed ids and closed lists of values. No
//! rule lives here: what may happen to a row is said in `policy` and `service`.

pub mod account_event;
pub mod api_token;
pub mod approval;
pub mod delivery;
pub mod email_confirmation;
mod id;
pub mod installation;
pub mod invitation;
pub mod notification_settings;
pub mod paused_mail;
pub mod plan;
pub mod recovery_code;
pub mod refresh_token;
pub mod reset_token;
pub mod second_factor;
pub mod session;
pub mod task;
pub mod untold_assignment;
pub mod user;

pub use account_event::AccountEventKind;
pub use api_token::ApiTokenAccess;
pub use approval::ApprovalDecision;
pub use delivery::{DeliveryState, MailKind};
pub use id::{
    AccountEventId, ApiTokenId, ApprovalId, DeliveryId, EmailConfirmationId, InvitationId,
    ObjectId, ResetTokenId, SessionId, TaskId, UserId,
};
pub use invitation::InvitationState;
pub use second_factor::SecondFactorChange;
pub use task::TaskStatus;
pub use user::{Role, UserStatus};
