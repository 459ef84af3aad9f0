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
    CANCEL_DELIVERY: "cancel_delivery",
    CHANGE_PASSWORD: "change_password",
    CONFIRM_EMAIL: "confirm_email",
    CONFIRM_SECOND_FACTOR: "confirm_second_factor",
    CREATE_API_TOKEN: "create_api_token",
    CREATE_TASK: "create_task",
    DASHBOARD: "dashboard",
    DELETE_TASK: "delete_task",
    DELETE_USER: "delete_user",
    DELIVERIES: "deliveries",
    DELIVERY_PREVIEW: "delivery_preview",
    DISABLE_SECOND_FACTOR: "disable_second_factor",
    INVITATIONS: "invitations",
    INVITE_USER: "invite_user",
    LOG_IN: "log_in",
    LOG_OUT: "log_out",
    MY_TASKS: "my_tasks",
    NODE: "node",
    NODES: "nodes",
    NOTIFICATION_SETTINGS: "notification_settings",
    PAUSE_MAILS: "pause_mails",
    REFRESH_SESSION: "refresh_session",
    REGENERATE_RECOVERY_CODES: "regenerate_recovery_codes",
    REJECT_USER: "reject_user",
    REMINDER_PREVIEW: "reminder_preview",
    REQUEST_EMAIL_CONFIRMATION: "request_email_confirmation",
    REQUEST_PASSWORD_RESET: "request_password_reset",
    REQUEST_TASK_REPORT: "request_task_report",
    RESEND_DELIVERY: "resend_delivery",
    RESET_PASSWORD: "reset_password",
    RESET_SECOND_FACTOR: "reset_second_factor",
    RESUME_MAILS: "resume_mails",
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
    UPDATE_NOTIFICATION_SETTINGS: "update_notification_settings",
    UPDATE_PROFILE: "update_profile",
    UPDATE_TASK: "update_task",
    UPDATE_USER: "update_user",
    USER: "user",
    USERS: "users",
    VIEWER: "viewer",
}
