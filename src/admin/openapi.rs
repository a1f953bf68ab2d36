//! The API described for programs: `/openapi.json`, `simple-lb schema --openapi`, and `docs/openapi.json`. Handlers and types say
//! themselves what they take and give; here it is put together.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{change, log_level, look, problem::Problem};

/// What its paths have in common.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "simple-lb admin API",
        version = "1",
        description = "State and changes of a running instance. Within a version, fields and paths are added, never renamed or removed.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        look::healthz,
        look::readyz,
        look::openapi,
        look::metrics,
        look::status,
        look::pools,
        look::pool,
        look::plan,
        log_level::look,
        log_level::change,
        change::reload,
        change::stop,
        change::drain,
        change::undrain,
        change::maintenance,
        change::weight,
        change::add,
        change::remove,
    ),
    tags(
        (name = "health", description = "Open to everybody who reaches the listener."),
        (name = "look", description = "For tokens with the role `read` or `admin`."),
        (name = "change", description = "For tokens with the role `admin`."),
    ),
    modifiers(&Token),
    security(("token" = [])),
)]
struct Api;

/// How a token is sent.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of `admin.tokens`. The control socket needs none."));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// Refused before a handler is asked.
#[derive(IntoResponses)]
#[allow(dead_code)]
pub(super) enum AtTheDoor {
    /// The request is wrong, or has a token in its URL.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// There is no token, or it is not known.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// The token must not do this, or the host or the origin of the request is a foreign one.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// The path has another method.
    #[response(status = 405, content_type = "application/problem+json")]
    MethodNotAllowed(Problem),
    /// A part of the instance is being started again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// What is wrong with the body of a change.
#[derive(IntoResponses)]
#[allow(dead_code)]
pub(super) enum Refused {
    /// There is no such backend, or no such pool.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// The body did not arrive in time.
    #[response(status = 408, content_type = "application/problem+json")]
    RequestTimeout(Problem),
    /// It does not fit to what is the case.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// The body is too long.
    #[response(status = 413, content_type = "application/problem+json")]
    PayloadTooLarge(Problem),
}

/// The description, as JSON.
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        // A document of strings and numbers is always JSON.
        Api::openapi().to_pretty_json().unwrap_or_default()
    });
    &DOCUMENT
}

/// The same as a response.
pub(super) fn response() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(document())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_fresh() {
        let kept = include_str!("../../docs/openapi.json");
        assert!(
            kept.trim_end() == document(),
            "run `simple-lb schema --openapi > docs/openapi.json`"
        );
    }

    #[test]
    fn it_describes_every_path_that_there_is() {
        let source = include_str!("mod.rs");
        let paths = source
            .split("web::resource(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let described = Api::openapi().paths.paths;
        let missing: Vec<_> = paths
            .clone()
            .filter(|path| !described.contains_key(*path))
            .collect();
        assert!(
            missing.is_empty() && paths.count() == described.len(),
            "{missing:?}"
        );
    }
}
