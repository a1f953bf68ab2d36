//! The seam to lanes that work with whole messages instead of a connection's bytes: a front of any version calls a
//! [`Service`] with a head and a [`Link`], and gets a [`Response`] whose body it pulls.

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use lb_wire::{RequestView, Version};

use super::Link;
use crate::proxy::{Connection, RequestId};

/// One request, as it is handed to a lane.
pub struct Call<'a> {
    /// Its head. A front that got it in another form writes it as HTTP/1.1 and has it parsed, so that it is as strict.
    pub head: RequestView<'a>,
    /// The connection it came over.
    pub connection: &'a Connection,
    /// Its id.
    pub id: RequestId,
    /// Its sender wants errors as JSON.
    pub json: bool,
    /// Where its body comes from, and where what precedes its response goes.
    pub link: Rc<Link>,
}

/// What answers requests. One a worker thread.
pub trait Service: 'static {
    /// What it answers with.
    type Response: Response;

    /// Answers a request. Dropped, the future gives the request up: nothing of it stays behind.
    fn call(&self, call: Call<'_>) -> LocalBoxFuture<'static, Self::Response>;
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// There is none, and none is announced.
    Absent,
    /// So many bytes. A response without a body, to HEAD or of status 304, announces them only.
    Known(u64),
    /// Known at its end.
    Unknown,
}

/// A response that is on its way.
pub trait Response: Unpin + 'static {
    /// Its status code, 101 or from 200.
    fn status(&self) -> u16;

    /// The version in which it came.
    fn version(&self) -> Version;

    /// Gives each of its lines to `line`: name and value. The front adds what is about framing and the connection.
    fn lines(&self, line: &mut dyn FnMut(&[u8], &[u8]));

    /// Its body's length.
    fn length(&self) -> Length;

    /// Whether the client's connection must end behind it.
    fn closes(&self) -> bool;

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// [`BrokenOff`] when there will be no end.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>>;
}

/// A response ended before its body did. Whoever knows why has said so.
#[derive(Debug, thiserror::Error)]
#[error("the response broke off")]
pub struct BrokenOff;
