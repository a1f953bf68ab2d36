//! The handler lane: the actix-web handler that forwards with awc.
//!
//! Its form is the framework's. What that costs is written down in docs/handler-lane.md.

mod answer;
mod closing;
mod dispatch;
mod forward;
mod headers;
mod request_body;
mod response_body;

pub use closing::on_connect;

use std::rc::Rc;

use actix_http::ConnectionType;
use actix_web::{HttpRequest, HttpResponse, web};

use self::closing::Closing;
use crate::proxy::Worker;

/// Routes every request of a worker to the handler.
pub fn configure(worker: Rc<Worker>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.app_data(worker).default_service(web::to(handle));
    }
}

async fn handle(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let closing = Closing::of(&request);
    if closing.is_over() {
        return closing::end().await;
    }
    let asked = request.head().connection_type() == ConnectionType::Close;
    let mut response = match request.app_data::<Rc<Worker>>().map(Rc::clone) {
        Some(worker) => dispatch::dispatch(request, payload.into_inner(), worker).await,
        None => HttpResponse::InternalServerError().finish(),
    };
    closing.answered(&mut response, asked);
    response
}
