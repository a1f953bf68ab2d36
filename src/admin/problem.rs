//! What is wrong with a request, as its sender is told: RFC 9457, with what to do about it.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{ALLOW, WWW_AUTHENTICATE},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of RFC 9457.
const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    /// The status code.
    status: u16,
    /// What the status code means.
    title: String,
    /// What is wrong.
    detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The method that the path has.
    #[serde(skip)]
    allowed: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            detail: detail.into(),
            hint: None,
            allowed: None,
        }
    }

    /// The request itself is wrong.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// What it asks for is not there.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Who asks must not.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// Nobody knows who asks.
    pub(super) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
            .hint("send a token of `admin.tokens` as `Authorization: Bearer TOKEN`")
    }

    /// The path has only another method.
    pub(super) fn method(allowed: &'static str) -> Self {
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path has another method");
        Self {
            allowed: Some(allowed),
            ..problem.hint(format!("use {allowed}"))
        }
    }

    /// An actor is being started again.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// The same with what to do about it.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Self { hint, ..self }
    }

    /// What is wrong, and what to do about it.
    pub(crate) fn line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {hint}", self.detail),
            None => self.detail.clone(),
        }
    }

    pub(super) fn response(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.content_type(MEDIA_TYPE);
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"simple-lb\""));
        }
        if let Some(allowed) = self.allowed {
            response.insert_header((ALLOW, allowed));
        }
        // Strings and a number are always JSON.
        response.body(serde_json::to_string(self).unwrap_or_default())
    }
}
