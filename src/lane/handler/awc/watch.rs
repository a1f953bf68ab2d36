//! What the sender of a request tells the connection that carries it, past awc, and what the connection tells back.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    rc::Rc,
    time::Instant,
};

use lb_core::config::UpstreamTimeouts;
use lb_wire::Version;

use crate::{front::Link, lane::handler::request_body::RequestBody, telemetry::Notes, upstream::Sending};

/// A backend that sends more interim responses than this to one request is defective.
const MOST_INTERIM: u32 = 100;

/// Which connection may carry a request.
#[derive(Debug, Clone, Copy)]
pub(in crate::lane::handler) struct Wish {
    /// Of the pool and route: how long one may have been idle, and how old it may be.
    pub(in crate::lane::handler) timeouts: UpstreamTimeouts,
    /// What is sent over it; `None`: it must be new.
    pub(in crate::lane::handler) sending: Option<Sending>,
}

/// What is watched of one attempt.
pub(in crate::lane::handler) struct Watch {
    wish: Option<Wish>,
    link: Option<Rc<Link>>,
    body: Option<RequestBody>,
    /// The protocols that the client offers to switch to, as a list; empty without.
    offers: Vec<u8>,
    /// The backend is to ask for the body.
    expects: bool,
    moved: Cell<Instant>,
    interim: Cell<u32>,
    version: Cell<Version>,
    switched: RefCell<Option<SwitchedAt>>,
}

/// Where a backend has switched protocols.
pub(in crate::lane::handler) struct SwitchedAt {
    /// The connection, of the type that the transport stands over.
    pub(in crate::lane::handler) stream: Box<dyn Any>,
    /// The head of its response, as it came.
    pub(in crate::lane::handler) head: Vec<u8>,
    /// What came behind it.
    pub(in crate::lane::handler) rest: Vec<u8>,
    /// What was not taken of the request.
    pub(in crate::lane::handler) unsent: Vec<u8>,
}

impl Watch {
    /// Of an attempt over a connection of this kind.
    pub(in crate::lane::handler) fn new(wish: Option<Wish>) -> Self {
        Self {
            wish,
            link: None,
            body: None,
            offers: Vec::new(),
            expects: false,
            moved: Cell::new(Instant::now()),
            interim: Cell::new(0),
            version: Cell::new(Version::Http11),
            switched: RefCell::default(),
        }
    }

    /// With a front that takes interim responses, the body that is sent, and an upgrade where the client `offers` one.
    pub(in crate::lane::handler) fn towards(
        self,
        link: Rc<Link>,
        body: RequestBody,
        offers: Vec<u8>,
    ) -> Self {
        Self {
            expects: link.awaits_continue(),
            moved: Cell::new(link.clock().now()),
            link: Some(link),
            body: Some(body),
            offers,
            ..self
        }
    }

    /// Whether the backend is to ask for the body.
    pub(super) fn expects(&self) -> bool {
        self.expects
    }

    pub(super) fn offers(&self) -> &[u8] {
        &self.offers
    }

    pub(super) fn wish(&self) -> Option<Wish> {
        self.wish
    }

    /// Whether the request may be sent again though the backend may have read it.
    pub(super) fn may_repeat(&self) -> bool {
        let is_repeatable = self.wish.and_then(|wish| wish.sending) == Some(Sending::Repeatable);
        is_repeatable && self.body.as_ref().is_some_and(RequestBody::is_intact)
    }

    /// Where facts of the request are noted.
    pub(super) fn notes(&self) -> Option<&Notes> {
        self.link.as_ref().map(|link| link.notes())
    }

    /// The backend has moved: it took a part of the upload, or sent a part of a head or an interim one. awc tells nobody.
    pub(super) fn note(&self) {
        self.moved.set(self.now());
    }

    fn now(&self) -> Instant {
        self.link
            .as_ref()
            .map_or_else(Instant::now, |link| link.clock().now())
    }

    /// When it moved last, on the worker's clock.
    pub(in crate::lane::handler) fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Passes the head of an interim response on; `false`: these are too many.
    pub(super) fn interim(&self, head: &[u8]) -> bool {
        if let Some(link) = &self.link {
            link.interim(head);
        }
        self.interim.set(self.interim.get() + 1);
        self.interim.get() <= MOST_INTERIM
    }

    /// Whether interim responses wait for the client: no more is read then.
    pub(super) fn is_full(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_full())
    }

    pub(super) fn came_in(&self, version: Version) {
        self.version.set(version);
    }

    /// The version of the response.
    pub(in crate::lane::handler) fn version(&self) -> Version {
        self.version.get()
    }

    pub(super) fn switch(&self, switched: SwitchedAt) {
        *self.switched.borrow_mut() = Some(switched);
    }

    /// The connection of a backend that has switched protocols.
    pub(in crate::lane::handler) fn take_switched(&self) -> Option<SwitchedAt> {
        self.switched.borrow_mut().take()
    }
}
