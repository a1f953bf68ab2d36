//! The wire lane: HTTP/1.1 connections as bytes.
//!
//! A head is parsed in place and its lines are copied, case and order kept, into one outgoing buffer; bodies pass as
//! raw bytes while a tracker finds their end. What may be read in two ways is refused by `lb-wire`, so that client,
//! balancer and backend never disagree about where a message ends. One task serves a client's connection with all its
//! requests; nothing on the way takes a lock or waits for a message.

mod attempt;
mod dispatch;
mod exchange;
mod forward;
mod outgoing;
mod waiting;
mod worker;

use std::rc::Rc;

use lb_wire::RequestHead;

use self::{
    dispatch::{Dispatched, dispatch},
    worker::WireWorker,
};
use crate::{
    front::{
        FrontWorker,
        h1::{Client, Lane, Next, own_response::finish},
    },
    proxy::Transport,
};

/// The wire lane of one worker thread.
pub struct WireLane(Rc<WireWorker>);

impl WireLane {
    /// For the requests of this worker.
    pub fn new(worker: Rc<FrontWorker>) -> Self {
        Self(WireWorker::start(worker))
    }
}

impl Lane for WireLane {
    async fn carry<S: Transport>(&self, client: &mut Client<S>, head: &RequestHead) -> Next {
        match dispatch(&self.0, client, head) {
            Dispatched::Forward(request, lease) => request.run(client, lease).await,
            Dispatched::Wait(request) => Box::pin(request.wait_and_run(client)).await,
            Dispatched::Answered { goes_on } => finish(client, goes_on).await,
        }
    }
}
