//! The operations that the tests send, from `tests/it/operations`. A contract
//! test validates all of them against `schema.graphql`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! operations {
    ($($constant:ident: $file:literal,)*) => {
        $(pub const $constant: Operation = Operation {
            name: $file,
            text: include_str!(concat!("../operations/", $file, ".graphql")),
        };)*

        pub const OPERATIONS: &[Operation] = &[$($constant,)*];
    };
}

operations! {
    ACCEPT_INVITATION: "accept_invitation",
    ACCOUNT_EVENTS: "account_events",
    API_TOKENS: "api_tokens",
    APPROVALS: "approvals",
    APPROVE_USER: "approve_user",
    ASSIGN_TASK: "assign_task",
    CHANGE_PASSWORD: "change_password",
    CONFIRM_EMAIL: "confirm_email",
    CONFIRM_SECOND_FACTOR: "confirm_second_factor",
    CREATE_API_TOKEN: "create_api_token",
    CREATE_TASK: "create_task",
    DASHBOARD: "dashboard",
    DELETE_TASK: "delete_task",
    DELETE_USER: "delete_user",
    DISABLE_SECOND_FACTOR: "disable_second_factor",
    INVITATIONS: "invitations",
    INVITE_USER: "invite_user",
    LOG_IN: "log_in",
    LOG_OUT: "log_out",
    MY_TASKS: "my_tasks",
    NODE: "node",
    NODES: "nodes",
    REFRESH_SESSION: "refresh_session",
    REGENERATE_RECOVERY_CODES: "regenerate_recovery_codes",
    REJECT_USER: "reject_user",
    REQUEST_EMAIL_CONFIRMATION: "request_email_confirmation",
    REQUEST_PASSWORD_RESET: "request_password_reset",
    REQUEST_TASK_REPORT: "request_task_report",
    RESET_PASSWORD: "reset_password",
    RESET_SECOND_FACTOR: "reset_second_factor",
    REVOKE_API_TOKEN: "revoke_api_token",
    REVOKE_INVITATION: "revoke_invitation",
    REVOKE_SESSION: "revoke_session",
    REVOKE_USER_SESSIONS: "revoke_user_sessions",
    SERVER: "server",
    SESSIONS: "sessions",
    SET_TASK_STATUS: "set_task_status",
    SET_USER_ROLE: "set_user_role",
    SIGN_UP: "sign_up",
    START_SECOND_FACTOR: "start_second_factor",
    STATS: "stats",
    TASK: "task",
    TASKS: "tasks",
    UPDATE_PROFILE: "update_profile",
    UPDATE_TASK: "update_task",
    UPDATE_USER: "update_user",
    USER: "user",
    USERS: "users",
    VIEWER: "viewer",
}
