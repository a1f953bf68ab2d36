//! What is told and changes nothing.

use std::time::Instant;

use actix_web::{HttpResponse, web};
use lb_actors::messages::ReloadMode;
use lb_core::config::shown_text;

use super::{AdminState, problem::Problem, ready::Readiness};

type State = web::Data<AdminState>;

/// Whether the process serves this request, which it does.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "alive": true }))
}

/// Whether requests of clients are served as they should be.
pub(super) async fn readyz(state: State) -> HttpResponse {
    let readiness = Readiness::of(&state);
    match readiness.ready {
        true => HttpResponse::Ok().json(readiness),
        false => HttpResponse::ServiceUnavailable().json(readiness),
    }
}

/// The whole state.
pub(super) async fn status(state: State) -> HttpResponse {
    HttpResponse::Ok().json(state.status())
}

/// Every pool with its backends.
pub(super) async fn pools(state: State) -> HttpResponse {
    HttpResponse::Ok().json(state.registry.snapshot().status(Instant::now()))
}

/// One pool with its backends.
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

/// What a reload would change.
pub(super) async fn plan(state: State) -> HttpResponse {
    HttpResponse::Ok().json(state.watcher.reload(ReloadMode::DryRun).await)
}
