//! What people do with Muster, told as they see it: through HTTP and their mail.

mod admins_second_factor;
mod api_tokens;
mod browser_sessions;
mod changing_tasks;
mod command_line;
mod cursors;
mod email_confirmations;
mod figures;
mod filters;
mod history;
mod invitations;
mod joining;
mod lists;
mod mails;
mod moving;
mod passwords;
mod program;
mod search;
mod second_factors;
mod sessions;
mod sharing;
mod signing_up;
mod tasks;
mod users;
mod watching;
