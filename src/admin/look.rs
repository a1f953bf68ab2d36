//! What is told and changes nothing.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, http::header::ACCEPT, web};
use lb_actors::messages::ReloadMode;
use lb_core::{
    config::shown_text,
    status::{PoolStatus, ReloadReport, StatusReport},
};

use super::{
    AdminState,
    openapi::{self, AtTheDoor},
    problem::Problem,
    ready::{Liveness, Readiness},
};

type State = web::Data<AdminState>;

/// Whether the process responds
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    operation_id = "healthz",
    security(()),
    responses((status = 200, description = "It does", body = Liveness), AtTheDoor)
)]
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Liveness { alive: true })
}

/// Whether requests of clients are served
///
/// Not before the first probes are in, not while it stops, and not while an actor is being started again.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    operation_id = "readyz",
    security(()),
    responses(
        (status = 200, description = "They are", body = Readiness),
        (status = 503, description = "They are not, and why", body = Readiness),
        (status = 400, description = "The request is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The host or the origin is a foreign one", body = Problem, content_type = "application/problem+json"),
        (status = 405, description = "The path has another method", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn readyz(state: State) -> HttpResponse {
    let readiness = Readiness::of(&state);
    match readiness.ready {
        true => HttpResponse::Ok().json(readiness),
        false => HttpResponse::ServiceUnavailable().json(readiness),
    }
}

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "look",
    operation_id = "openapi",
    responses((status = 200, description = "The description of this API", body = serde_json::Value), AtTheDoor)
)]
pub(super) async fn openapi() -> HttpResponse {
    openapi::response()
}

/// The whole state
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "look",
    operation_id = "status",
    responses((status = 200, description = "The state, as `simple-lb status --json` prints it", body = StatusReport), AtTheDoor)
)]
pub(super) async fn status(state: State) -> HttpResponse {
    HttpResponse::Ok().json(state.status())
}

/// All metrics
///
/// In the Prometheus text format 0.0.4, or in OpenMetrics 1.0.0 where `Accept` prefers it.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "look",
    operation_id = "metrics",
    responses((status = 200, description = "The metrics; docs/metrics.md says what each one means", body = String, content_type = "text/plain"), AtTheDoor)
)]
pub(super) async fn metrics(state: State, request: HttpRequest) -> HttpResponse {
    let accept = request
        .headers()
        .get_all(ACCEPT)
        .filter_map(|line| line.to_str().ok());
    let accept = accept.collect::<Vec<_>>().join(",");
    let scrape = state.metrics.scrape(Some(&accept));
    HttpResponse::Ok()
        .content_type(scrape.content_type)
        .body(scrape.body)
}

/// Pools with their backends
#[utoipa::path(
    get,
    path = "/v1/pools",
    tag = "look",
    operation_id = "pools",
    responses((status = 200, description = "The pools", body = Vec<PoolStatus>), AtTheDoor)
)]
pub(super) async fn pools(state: State) -> HttpResponse {
    HttpResponse::Ok().json(state.registry.snapshot().status(Instant::now()))
}

/// One pool with its backends
#[utoipa::path(
    get,
    path = "/v1/pools/{pool}",
    tag = "look",
    operation_id = "pool",
    params(("pool" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The pool", body = PoolStatus),
        (status = 404, description = "There is none of this name", body = Problem, content_type = "application/problem+json"),
        AtTheDoor
    )
)]
pub(super) async fn pool(state: State, name: web::Path<String>) -> HttpResponse {
    let mut pools = state.registry.snapshot().status(Instant::now());
    match pools.iter().position(|pool| pool.name == **name) {
        Some(index) => HttpResponse::Ok().json(pools.swap_remove(index)),
        None => {
            let known: Vec<_> = pools.into_iter().map(|pool| pool.name).collect();
            Problem::not_found(format!("there is no pool {}", shown_text(&name)))
                .hint(format!("the pools are: {}", known.join(", ")))
                .response()
        }
    }
}

/// What a reload would change
#[utoipa::path(
    get,
    path = "/v1/plan",
    tag = "look",
    operation_id = "plan",
    responses((status = 200, description = "The plan, or why there would be a refusal", body = ReloadReport), AtTheDoor)
)]
pub(super) async fn plan(state: State) -> HttpResponse {
    HttpResponse::Ok().json(state.watcher.reload(ReloadMode::DryRun).await)
}
