//! The handler lane: the actix-web handler that forwards with awc.
//!
//! Its form is the framework's. What that costs is written down in docs/handler-lane.md.

mod answer;
mod awc;
mod deliver;
mod dispatch;
mod failure;
mod forward;
mod headers;
mod request;
mod request_body;
mod response_body;
mod service;

pub use service::service;

use std::{cell::RefCell, ops::Deref, rc::Rc};

use actix_web::{HttpRequest, HttpResponse, web};
use lb_wire::Lines;

use crate::{front::FrontWorker, proxy::Worker};

/// What one worker thread has for the handler lane.
pub struct HandlerWorker {
    front: Rc<FrontWorker>,
    upstream: awc::UpstreamClients,
    lines: RefCell<Lines>,
}

impl HandlerWorker {
    /// For the requests of this worker.
    pub fn new(front: Rc<FrontWorker>) -> Rc<Self> {
        Rc::new(Self {
            upstream: awc::UpstreamClients::new(Rc::clone(&front)),
            front,
            lines: RefCell::default(),
        })
    }
}

impl Deref for HandlerWorker {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.front.shared
    }
}

async fn handle(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match request.app_data::<Rc<HandlerWorker>>().map(Rc::clone) {
        Some(worker) => dispatch::dispatch(request, payload.into_inner(), worker).await,
        None => HttpResponse::InternalServerError().finish(),
    }
}
