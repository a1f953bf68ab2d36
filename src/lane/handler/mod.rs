//! The handler lane: the actix-web handler that forwards with awc.
//!
//! Its form is the framework's. What that costs is written down in docs/handler-lane.md.

mod answer;
mod closing;
mod dispatch;
mod failure;
mod forward;
mod headers;
mod presence;
mod request_body;
mod response_body;

use std::{any::Any, rc::Rc};

use actix_http::{ConnectionType, Extensions};
use actix_rt::net::TcpStream;
use actix_web::{HttpRequest, HttpResponse, web};

use lb_actors::RegistryHandle;

use self::{closing::Closing, presence::Presence};
use crate::proxy::Worker;

/// Gives a new connection what it has to remember, and, where requests may come to wait, what shows that its client has left.
pub fn on_connect(stream: &dyn Any, data: &mut Extensions, registry: &RegistryHandle) {
    data.insert(Closing::default());
    let may_wait = registry.snapshot().pools().iter().any(|pool| pool.may_queue());
    let stream = stream.downcast_ref::<TcpStream>().filter(|_| may_wait);
    if let Some(presence) = stream.and_then(Presence::new) {
        data.insert(presence);
    }
}

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
