//! The handler lane: the actix-web handler that forwards with awc.
//!
//! Its form is the framework's. What that costs is written down in docs/handler-lane.md.

mod answer;
mod dispatch;
mod failure;
mod forward;
mod guard;
mod headers;
mod request_body;
mod response_body;

pub use guard::{LARGEST_HEAD, MOST_LINES, service};

use std::rc::Rc;

use actix_web::{HttpRequest, HttpResponse, web};

use crate::proxy::Worker;

async fn handle(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match request.app_data::<Rc<Worker>>().map(Rc::clone) {
        Some(worker) => dispatch::dispatch(request, payload.into_inner(), worker).await,
        None => HttpResponse::InternalServerError().finish(),
    }
}
