//! What the guard of a connection and the handler tell each other of the request that is being answered.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Instant,
};

use actix_web::HttpRequest;

use crate::proxy::ProxyError;

/// A connection as the handler sees it.
#[derive(Default)]
pub(in crate::lane::handler) struct Link {
    reached: Cell<bool>,
    failure: RefCell<Option<ProxyError>>,
    deadline: Cell<Option<Instant>>,
}

impl Link {
    /// That of a request's connection; none where nobody guards it.
    pub(in crate::lane::handler) fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        request.conn_data().cloned()
    }

    /// The handler has the request: what is answered is its answer.
    pub(in crate::lane::handler) fn reach(&self) {
        self.reached.set(true);
    }

    /// The answer must have been given until then. Who waits for a client to read asks nobody else.
    pub(in crate::lane::handler) fn end_by(&self, deadline: Instant) {
        self.deadline.set(Some(deadline));
    }

    /// Why the request's body ended early, if the guard has ended it.
    pub(in crate::lane::handler) fn take_failure(&self) -> Option<ProxyError> {
        self.failure.borrow_mut().take()
    }

    /// Another request begins.
    pub(super) fn begin(&self) {
        self.reached.set(false);
        self.failure.borrow_mut().take();
        self.deadline.set(None);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.get()
    }

    pub(super) fn is_reached(&self) -> bool {
        self.reached.get()
    }

    pub(super) fn fail(&self, error: ProxyError) {
        *self.failure.borrow_mut() = Some(error);
    }
}
