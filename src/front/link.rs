//! What a front and a lane tell each other while a request is carried: the body, pulled piece by piece; interim responses;
//! limits; and the other end of a tunnel.
//!
//! At most one piece of the body is held, and no interim response is taken while another waits for the client.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use lb_core::{attempts::Deadline, config::UpstreamTimeouts, pool::Lease};

use super::timer::Timers;
use crate::{
    proxy::{LineChanges, ProxyError},
    telemetry::Notes,
    upstream::UpstreamConnection,
};

/// What front and lane share of one request.
pub struct Link {
    clock: Rc<Timers>,
    upload: RefCell<Uploaded>,
    /// Heads of interim responses, as they came.
    interim: RefCell<Vec<u8>>,
    /// The backend is to ask for the body where the client waits to be asked.
    backend_asks: Cell<bool>,
    /// The client waits to be asked for its body, and has not been.
    awaits_continue: Cell<bool>,
    limits: Cell<Option<CallLimits>>,
    /// When the lane is to be polled again, whatever happens.
    due: Cell<Option<Instant>>,
    switched: RefCell<Option<Box<Switched>>>,
    notes: Notes,
    /// Of the front's task.
    front: RefCell<Option<Waker>>,
}

/// The request's body on its way to the lane.
#[derive(Default)]
struct Uploaded {
    piece: Option<Bytes>,
    /// Behind the piece.
    end: Option<Result<(), ProxyError>>,
    all_came: bool,
    wanted: bool,
    lane: Option<Waker>,
}

/// Times that hold for one request.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// Those of its pool and route.
    pub timeouts: UpstreamTimeouts,
    /// When all must be done.
    pub deadline: Option<Deadline>,
}

/// A backend that has switched protocols. From here on bytes pass both ways.
pub(crate) struct Switched {
    /// The connection; what came behind the head is its input.
    pub(crate) connection: UpstreamConnection,
    /// The head of its response, as it came.
    pub(crate) head: Vec<u8>,
    /// The protocols that were offered.
    pub(crate) offers: Vec<u8>,
    /// What its route changes of the response.
    pub(crate) changes: LineChanges,
    /// What the backend has not taken of the request.
    pub(crate) unsent: Vec<u8>,
    /// The right to the backend.
    pub(crate) lease: Lease,
    /// How long neither side may say anything.
    pub(crate) idle: Duration,
}

/// Wakes a task that is not the one that runs now.
fn wake_other(other: Option<&Waker>, running: &Waker) {
    if let Some(other) = other
        && !other.will_wake(running)
    {
        other.wake_by_ref();
    }
}

/// The lane's side.
impl Link {
    /// The next piece of the body; `None` at its end. Asking is what makes the front read from the client, and ask it for the
    /// body where it waits for that.
    ///
    /// # Errors
    /// What ended the body early, once; then the body is at its end.
    pub fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ProxyError>>> {
        let mut upload = self.upload.borrow_mut();
        if let Some(piece) = upload.piece.take() {
            return Poll::Ready(Some(Ok(piece)));
        }
        match upload.end.take() {
            Some(Ok(())) => {
                upload.end = Some(Ok(()));
                return Poll::Ready(None);
            }
            Some(Err(error)) => {
                upload.end = Some(Ok(()));
                return Poll::Ready(Some(Err(error)));
            }
            None => {}
        }
        upload.wanted = true;
        upload.lane = Some(cx.waker().clone());
        wake_other(self.front.borrow().as_ref(), cx.waker());
        Poll::Pending
    }

    /// The worker's clock.
    pub(crate) fn clock(&self) -> &Rc<Timers> {
        &self.clock
    }

    /// Waits until the worker's clock shows this. It is the front's timer that wakes, so a wait costs no timer of its own.
    pub(crate) fn until(&self, at: Instant) -> impl Future<Output = ()> + use<'_> {
        poll_fn(move |_| self.poll_until(at))
    }

    /// Whether the worker's clock shows this already; else the lane is polled again when it does.
    pub(crate) fn poll_until(&self, at: Instant) -> Poll<()> {
        if self.clock.now() >= at {
            return Poll::Ready(());
        }
        self.due.set(Some(self.due.get().map_or(at, |due| due.min(at))));
        Poll::Pending
    }

    /// Where facts of the request are noted.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Whether all of the body has come from the client.
    pub fn is_body_complete(&self) -> bool {
        self.upload.borrow().all_came
    }

    /// Whether the client rightly waits with its body until it is asked for: then it is not the client that is silent.
    pub fn awaits_continue(&self) -> bool {
        self.awaits_continue.get()
    }

    /// Leaves it to the backend to ask for the body. Else the front does, when the lane asks for the first piece.
    pub fn leave_asking_to_backend(&self) {
        self.backend_asks.set(true);
    }

    /// Times that hold for this request, once its route is known.
    pub fn limit(&self, limits: CallLimits) {
        self.limits.set(Some(limits));
    }

    /// Passes the head of an interim response on, whole and as it came.
    pub fn interim(&self, head: &[u8]) {
        self.interim.borrow_mut().extend_from_slice(head);
    }

    /// Whether interim responses wait for the client: then no more should be read.
    pub fn is_full(&self) -> bool {
        !self.interim.borrow().is_empty()
    }

    /// Hands a tunnel over. The response must then have the status 101.
    pub(crate) fn switch(&self, switched: Switched) {
        *self.switched.borrow_mut() = Some(Box::new(switched));
    }
}

/// The front's side.
impl Link {
    /// For a client that waits to be asked for its body, if it does, with the notes of its request and the worker's clock.
    pub(crate) fn new(awaits_continue: bool, notes: Notes, clock: Rc<Timers>) -> Self {
        Self {
            clock,
            upload: RefCell::default(),
            interim: RefCell::default(),
            backend_asks: Cell::default(),
            awaits_continue: Cell::new(awaits_continue),
            limits: Cell::default(),
            due: Cell::default(),
            switched: RefCell::default(),
            notes,
            front: RefCell::default(),
        }
    }

    /// Whether the lane waits for a piece of the body. The task of `cx` is woken when that becomes so.
    pub(crate) fn wants_body(&self, cx: &Context<'_>) -> bool {
        let mut front = self.front.borrow_mut();
        if !front.as_ref().is_some_and(|front| front.will_wake(cx.waker())) {
            *front = Some(cx.waker().clone());
        }
        let upload = self.upload.borrow();
        upload.wanted && upload.piece.is_none() && upload.end.is_none()
    }

    /// Gives the lane a piece, which may be empty; `last`: nothing follows it.
    pub(crate) fn feed(&self, piece: Bytes, last: bool) {
        let mut upload = self.upload.borrow_mut();
        upload.piece = Some(piece).filter(|piece| !piece.is_empty());
        if last {
            upload.all_came = true;
            upload.end = Some(Ok(()));
        }
        self.wake_lane(&mut upload);
    }

    /// Ends the body early.
    pub(crate) fn fail(&self, error: ProxyError) {
        let mut upload = self.upload.borrow_mut();
        upload.end = Some(Err(error));
        self.wake_lane(&mut upload);
    }

    fn wake_lane(&self, upload: &mut Uploaded) {
        upload.wanted = false;
        if let (Some(lane), Some(front)) = (upload.lane.take(), &*self.front.borrow()) {
            wake_other(Some(&lane), front);
        }
    }

    /// Whether the lane has taken all that came of the body.
    pub(crate) fn is_taken(&self) -> bool {
        self.upload.borrow().piece.is_none()
    }

    /// The piece that the lane has not taken, for a tunnel.
    pub(crate) fn take_piece(&self) -> Bytes {
        self.upload.borrow_mut().piece.take().unwrap_or_default()
    }

    /// When the lane wants to be polled again; it says so anew whenever it is.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.get()
    }

    /// The lane is about to be polled.
    pub(crate) fn forget_due(&self) {
        self.due.set(None);
    }

    pub(crate) fn limits(&self) -> Option<CallLimits> {
        self.limits.get()
    }

    /// Whether the front is to ask for the body.
    pub(crate) fn is_front_to_ask(&self) -> bool {
        self.awaits_continue.get() && !self.backend_asks.get()
    }

    /// The client has been asked, or has not waited for it.
    pub(crate) fn asked(&self) {
        self.awaits_continue.set(false);
    }

    pub(crate) fn take_interim(&self) -> Vec<u8> {
        std::mem::take(&mut *self.interim.borrow_mut())
    }

    pub(crate) fn take_switched(&self) -> Option<Box<Switched>> {
        self.switched.borrow_mut().take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(link: &Link) -> Poll<Option<Result<Bytes, ProxyError>>> {
        link.poll_body(&mut Context::from_waker(Waker::noop()))
    }

    fn wants(link: &Link) -> bool {
        link.wants_body(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_piece_is_read_when_it_is_asked_for_and_no_more() {
        let link = Link::new(false, Notes::default(), Timers::new());
        assert!(!wants(&link), "nobody has asked");
        assert!(poll(&link).is_pending());
        assert!(wants(&link));
        link.feed(Bytes::from_static(b"a"), false);
        assert!(!wants(&link), "one is there");
        assert!(matches!(poll(&link), Poll::Ready(Some(Ok(piece))) if piece == "a"));
        assert!(!wants(&link), "and was all that was asked for");
        assert!(poll(&link).is_pending() && wants(&link));
        link.feed(Bytes::from_static(b"b"), true);
        assert!(link.is_body_complete());
        assert!(matches!(poll(&link), Poll::Ready(Some(Ok(piece))) if piece == "b"));
        assert!(matches!(poll(&link), Poll::Ready(None)));
        assert!(matches!(poll(&link), Poll::Ready(None)));
    }

    #[test]
    fn the_earliest_wait_of_the_lane_is_when_it_is_polled_again() {
        let link = Link::new(false, Notes::default(), Timers::new());
        let now = link.clock().now();
        assert!(link.poll_until(now).is_ready() && link.due().is_none());
        let [soon, late] = [1, 2].map(|seconds| now + Duration::from_secs(seconds));
        for at in [late, soon, late] {
            assert!(link.poll_until(at).is_pending());
        }
        assert_eq!(link.due(), Some(soon));
        link.forget_due();
        assert_eq!(link.due(), None);
    }

    #[test]
    fn a_failure_is_told_once_behind_what_came() {
        let link = Link::new(false, Notes::default(), Timers::new());
        link.feed(Bytes::from_static(b"a"), false);
        link.fail(ProxyError::BadTarget);
        assert!(matches!(poll(&link), Poll::Ready(Some(Ok(_)))));
        assert!(matches!(
            poll(&link),
            Poll::Ready(Some(Err(ProxyError::BadTarget)))
        ));
        assert!(matches!(poll(&link), Poll::Ready(None)));
        assert!(!link.is_body_complete());
    }

    #[test]
    fn the_front_asks_for_the_body_unless_the_backend_is_to() {
        let link = Link::new(true, Notes::default(), Timers::new());
        assert!(link.is_front_to_ask() && link.awaits_continue());
        link.leave_asking_to_backend();
        assert!(!link.is_front_to_ask() && link.awaits_continue());
        link.asked();
        assert!(!link.awaits_continue());
        assert!(!Link::new(false, Notes::default(), Timers::new()).is_front_to_ask());
    }
}
