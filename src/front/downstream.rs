//! The side that a request came from, as the upstream half of an exchange has it: a source of the request's body, a sink for
//! heads and data of the response, and a peer that may leave or stall.
//!
//! A connection that speaks HTTP/1.1 is one: its bytes are read and written in place. A stream of another version can be one,
//! too: it gives the body in the framing that the head it was written as says, and takes data where HTTP/1.1 would have chunks.

use std::{
    io,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use lb_wire::{AnswerContext, BodyPlan, Framing, ResponseView, Version};

use crate::{proxy::Look, telemetry::Notes};

/// One request's sender, while its exchange lasts.
pub(crate) trait Downstream {
    /// Where facts of its request are noted; `None` where nobody wants to know.
    fn record(&self) -> Option<&Notes>;

    /// The worker's clock.
    fn now(&self) -> Instant;

    /// Asks to be woken at `deadline`, or no more.
    fn wake_at(&self, cx: &Context<'_>, deadline: Option<Instant>);

    /// Bytes of the body that were read and not used, and what stands behind it.
    fn unused(&self) -> &[u8];

    /// Marks bytes as used.
    fn consume(&mut self, count: usize);

    /// Reads at most `most` bytes into the worker's buffer; 0 at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>>;

    /// Keeps bytes that were read and belong to nothing yet.
    fn keep(&mut self, bytes: &[u8]);

    /// How a body of this framing goes on to a sender that asked in this version.
    fn plan(&self, framing: Framing, version: Version) -> BodyPlan;

    /// Takes the head of a response, interim ones too; whether another request may follow this one.
    fn begin(&mut self, head: &ResponseView<'_>, context: &AnswerContext<'_>) -> bool;

    /// Takes bytes of the body: what is taken at once goes out, the rest waits.
    fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<()>;

    /// The same for what goes out with what follows it.
    fn append(&mut self, bytes: &[u8]);

    /// The body has ended.
    fn end_body(&mut self);

    /// Bytes that wait to be taken.
    fn waiting(&self) -> usize;

    /// Sends what waits.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Sends what finds room of it, whatever the runtime believes; whether any did.
    fn nudge(&mut self) -> io::Result<bool>;

    /// `Ready` when the sender has closed its side; what it sends meanwhile is kept, as far as there is room.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether no more of what it sends is read, so that [`poll_gone`](Self::poll_gone) wakes nobody.
    fn is_far_ahead(&self) -> bool;

    /// Whether it is still there, though nothing is read from it.
    fn look(&mut self) -> Look;

    /// When to look again.
    fn looks_again(&self) -> Instant;

    /// Lets the connection break when nothing is taken for so long.
    fn give_up_after(&mut self, silence: Duration);

    /// The same for a request with another limit, if one was set before.
    fn give_up_as_late_as(&mut self, silence: Duration);
}
