//! The report on tasks: the verb of `service::report`.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::access::{self, auth};
use super::muster;
use super::payload::{UserError, payloads, settle};
use super::types::DateTime;
use crate::error::Result;
use crate::service;

/// Which period to report on. Without since and until, the last 7 days; until before since is
/// INVALID.
#[derive(InputObject, Default)]
struct RequestTaskReportInput {
    /// From this instant on; 7 days before the end when absent.
    since: Option<DateTime>,
    /// Before this instant; now when absent.
    until: Option<DateTime>,
}

/// The answer to `requestTaskReport`.
#[derive(SimpleObject, Default)]
struct RequestTaskReportPayload {
    /// Whether the report is on its way.
    queued: bool,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(RequestTaskReportPayload);

#[derive(Default)]
pub struct ReportMutation;

#[Object]
impl ReportMutation {
    /// Asks for a report on tasks, which is written and e-mailed to the viewer in the background:
    /// what was created and completed in the period, with a chart of it, how open tasks stand when
    /// the report is written, and the tasks as a CSV file. Requires MANAGER.
    #[graphql(directive = auth::apply(access::REQUEST_TASK_REPORT.into()))]
    async fn request_task_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which period; the last 7 days when absent.")] input: Option<
            RequestTaskReportInput,
        >,
    ) -> Option<Result<RequestTaskReportPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::REQUEST_TASK_REPORT)?;
                let input = input.unwrap_or_default();
                let since = input.since.map(|at| at.0);
                let until = input.until.map(|at| at.0);
                let cx = muster(ctx);
                let verb = || service::report::request(cx, &actor, since, until);
                let answer = cx.retried(verb).await;
                settle(answer, |()| RequestTaskReportPayload {
                    queued: true,
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }
}
