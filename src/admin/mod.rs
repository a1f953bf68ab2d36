//! The admin API: state and changes of a running instance over HTTP and JSON.
//!
//! One implementation for two doors. The control socket, where the system says who asks, and the admin listener, where a token
//! does, serve the same handlers; the command line asks over the socket. Paths begin with the version of the API, `/v1`: within it
//! fields and paths are added, never renamed or taken away. `/healthz`, `/readyz` and `/metrics` have no version, because
//! probes and scrapers look for them there.
//!
//! A request passes [`guard`] first, which decides who asks and whether they may; then a handler, which knows the [`Caller`].
//! What is refused is said as a [`Problem`]. What changes something leaves a line in the log ([`audit`]).

mod audit;
mod body;
mod caller;
mod change;
mod guard;
mod log_level;
mod look;
mod older;
mod openapi;
mod problem;
mod ready;
mod server;
mod state;

use actix_web::{
    HttpResponse, Resource,
    web::{self, ServiceConfig},
};

pub(crate) use self::{
    caller::Peer,
    change::{BackendTarget, NewBackend},
    guard::of_socket,
    log_level::{LogStatus, NewLogLevel},
    problem::Problem,
};
pub use self::{
    openapi::document,
    server::{AdminServer, MOST_CONNECTIONS},
    state::AdminState,
};

/// The paths of the control socket: all of the API, and those of command lines from before it.
pub(crate) fn on_the_socket(app: &mut ServiceConfig) {
    older::routes(app);
    routes(app);
}

/// The paths of the API.
fn routes(app: &mut ServiceConfig) {
    let get = |path: Resource| path.default_service(web::to(not_this_method("GET")));
    let both = |path: Resource| path.default_service(web::to(not_this_method("GET, POST")));
    let post = |path: Resource| path.default_service(web::to(not_this_method("POST")));
    app.service(get(web::resource("/healthz").get(look::healthz)))
        .service(get(web::resource("/readyz").get(look::readyz)))
        .service(get(web::resource("/metrics").get(look::metrics)))
        .service(get(web::resource("/v1/status").get(look::status)))
        .service(get(web::resource("/v1/pools").get(look::pools)))
        .service(get(web::resource("/v1/pools/{pool}").get(look::pool)))
        .service(get(web::resource("/v1/plan").get(look::plan)))
        .service(get(web::resource("/openapi.json").get(look::openapi)))
        .service(both(
            web::resource("/v1/log-level")
                .get(log_level::look)
                .post(log_level::change),
        ))
        .service(post(web::resource("/v1/reload").post(change::reload)))
        .service(post(web::resource("/v1/stop").post(change::stop)))
        .service(post(web::resource("/v1/backends/drain").post(change::drain)))
        .service(post(web::resource("/v1/backends/undrain").post(change::undrain)))
        .service(post(
            web::resource("/v1/backends/maintenance").post(change::maintenance),
        ))
        .service(post(web::resource("/v1/backends/weight").post(change::weight)))
        .service(post(web::resource("/v1/backends/add").post(change::add)))
        .service(post(web::resource("/v1/backends/remove").post(change::remove)))
        .default_service(web::to(nothing_there));
}

/// The response to methods that a path does not have.
fn not_this_method(
    allowed: &'static str,
) -> impl Fn() -> std::future::Ready<HttpResponse> + Clone + Send + 'static {
    move || std::future::ready(Problem::method(allowed).response())
}

async fn nothing_there() -> HttpResponse {
    Problem::not_found("there is nothing at this path")
        .hint("docs/admin.md names the paths; they begin with /v1")
        .response()
}
