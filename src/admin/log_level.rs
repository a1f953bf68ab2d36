//! The level of the log, changed live: until the next reload, or for a time.

use std::time::{Duration, Instant};

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, ReqData},
};
use lb_core::{config::LogLevel, live::LiveRequest};
use log::{Level, log_enabled};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{
    AdminState, audit, body,
    caller::Caller,
    openapi::{AtTheDoor, Refused},
    problem::Problem,
};
use crate::telemetry::{change_log_level, log_level};

/// The level of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct LogStatus {
    /// What is written: this level and the more severe ones.
    #[schema(value_type = String, pattern = "^(off|error|warn|info|debug|trace)$")]
    pub(crate) level: LogLevel,
    /// What the file says.
    #[schema(value_type = String, pattern = "^(off|error|warn|info|debug|trace)$")]
    pub(crate) file: LogLevel,
    /// When the file's level holds again by itself, in seconds.
    pub(crate) until_seconds: Option<u64>,
}

impl LogStatus {
    fn of(state: &AdminState) -> Self {
        let (level, until) = log_level();
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        Self {
            level,
            file: state.registry.snapshot().config().log.level,
            // A part of a second is a second.
            until_seconds: left.map(|left| left.as_secs() + u64::from(left.subsec_nanos() > 0)),
        }
    }
}

/// Another level for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLogLevel {
    /// The level; `null`: the file's.
    #[serde(deserialize_with = "written")]
    #[schema(value_type = Option<String>, required = true, pattern = "^(off|error|warn|info|debug|trace)$")]
    pub(crate) level: Option<LogLevel>,
    /// For how long; else until it is taken back.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    #[schema(pattern = r"^[1-9][0-9]{0,3}(s|m|h)$|^[1-9][0-9]?d$")]
    pub(crate) lasts: Option<String>,
}

/// A field that must be there, even if it is `null`.
fn written<'d, D: Deserializer<'d>>(from: D) -> Result<Option<LogLevel>, D::Error> {
    Option::deserialize(from)
}

/// The log's level
#[utoipa::path(
    get,
    path = "/v1/log-level",
    tag = "look",
    operation_id = "log_level",
    responses((status = 200, description = "What is written, and what the file says", body = LogStatus), AtTheDoor)
)]
pub(super) async fn look(state: web::Data<AdminState>) -> HttpResponse {
    HttpResponse::Ok().json(LogStatus::of(&state))
}

/// Change the log's level beside the file
///
/// Until the next reload, or for a time.
#[utoipa::path(
    post,
    path = "/v1/log-level",
    tag = "change",
    operation_id = "change_log_level",
    request_body = NewLogLevel,
    responses((status = 200, description = "What is written now", body = LogStatus), AtTheDoor, Refused)
)]
pub(super) async fn change(
    state: web::Data<AdminState>,
    caller: ReqData<Caller>,
    payload: web::Payload,
) -> HttpResponse {
    match set(&state, &caller, payload).await {
        Ok(status) => HttpResponse::Ok().json(status),
        Err(problem) => problem.response(),
    }
}

async fn set(state: &AdminState, caller: &Caller, payload: web::Payload) -> Result<LogStatus, Problem> {
    let NewLogLevel { level, lasts } = body::read(payload).await?;
    let lasts: Option<Duration> = lasts
        .as_deref()
        .map(LiveRequest::parse_lasts)
        .transpose()
        .map_err(|refusal| Problem::bad_request(format!("for: {refusal}")))?;
    let what = level.map_or("the file's".to_owned(), |level| level.to_string());
    let time = lasts.map_or(String::new(), |lasts| {
        format!(" for {}", lb_core::config::format_duration(lasts))
    });
    let note = |outcome: &str| audit::note(caller, format_args!("log level {what}{time}"), outcome);
    // While one of both levels lets it be written.
    let is_shown = log_enabled!(Level::Info);
    if is_shown {
        note("from now on");
    }
    let file = state.registry.snapshot().config().log.level;
    let changed = change_log_level(level.unwrap_or(file), lasts.filter(|_| level.is_some()));
    if let Err(fixed) = changed {
        let problem = Problem::new(StatusCode::CONFLICT, fixed.to_string());
        note(&problem.line());
        return Err(problem.hint("start simple-lb without that variable"));
    }
    if !is_shown {
        note("done");
    }
    Ok(LogStatus::of(state))
}
