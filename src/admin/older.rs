//! The paths that the control socket had before the API had a version, for command lines and programs that know them. What
//! they say stays as it was: everything is 200, and the report says whether it was refused.

use actix_web::{
    HttpResponse,
    web::{self, ReqData, ServiceConfig},
};
use lb_core::{live::LiveRequest, status::LiveReport};

use super::{AdminState, body, caller::Caller, change, look};

type State = web::Data<AdminState>;

pub(super) fn routes(app: &mut ServiceConfig) {
    app.route("/status", web::get().to(look::status))
        .route("/plan", web::get().to(look::plan))
        .route("/reload", web::post().to(reload))
        .route("/stop", web::post().to(stop))
        .route("/live", web::post().to(live));
}

async fn reload(state: State, caller: ReqData<Caller>) -> HttpResponse {
    HttpResponse::Ok().json(change::reloaded(&state, &caller).await)
}

async fn stop(state: State, caller: ReqData<Caller>) -> HttpResponse {
    match change::stopped(&state, &caller).await {
        Some(report) => HttpResponse::Ok().json(report),
        None => HttpResponse::InternalServerError().finish(),
    }
}

async fn live(state: State, caller: ReqData<Caller>, payload: web::Payload) -> HttpResponse {
    let request: LiveRequest = match body::read(payload).await {
        Ok(request) => request,
        Err(problem) => return problem.response(),
    };
    let report = change::live(&state, &caller, request).await;
    HttpResponse::Ok().json(report.unwrap_or_else(|problem| LiveReport {
        applied: false,
        problems: vec![problem.line()],
        backends: Vec::new(),
        warnings: Vec::new(),
        removed: Vec::new(),
    }))
}
