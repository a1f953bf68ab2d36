//! A connection that speaks HTTP/1.1 as the sender of a request.

use std::{
    io,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use lb_wire::{AnswerContext, BodyPlan, Framing, ResponseView, Version, write_response_head};

use super::Client;
use crate::{
    front::Downstream,
    proxy::{Look, Transport},
    telemetry::Notes,
};

impl<S: Transport> Downstream for Client<S> {
    #[inline]
    fn record(&self) -> Option<&Notes> {
        Self::record(self)
    }

    #[inline]
    fn now(&self) -> Instant {
        self.timer.clock().now()
    }

    #[inline]
    fn wake_at(&self, cx: &Context<'_>, deadline: Option<Instant>) {
        self.timer.arm(cx, deadline, false);
    }

    #[inline]
    fn unused(&self) -> &[u8] {
        Self::unused(self)
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        Self::consume(self, count);
    }

    #[inline]
    fn poll_read(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        Self::poll_read(self, cx, most)
    }

    #[inline]
    fn keep(&mut self, bytes: &[u8]) {
        Self::keep(self, bytes);
    }

    #[inline]
    fn plan(&self, framing: Framing, version: Version) -> BodyPlan {
        BodyPlan::choose(framing, version)
    }

    #[inline]
    fn begin(&mut self, head: &ResponseView<'_>, context: &AnswerContext<'_>) -> bool {
        write_response_head(head, context, self.out.buffer())
    }

    #[inline]
    fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        self.out.send(cx, &mut self.stream, bytes)
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        self.out.buffer().extend_from_slice(bytes);
    }

    /// Its framing has said so.
    #[inline]
    fn end_body(&mut self) {}

    #[inline]
    fn waiting(&self) -> usize {
        self.out.len()
    }

    #[inline]
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.poll_flush(cx, &mut self.stream)
    }

    fn nudge(&mut self) -> io::Result<bool> {
        self.out.nudge(&mut self.stream)
    }

    #[inline]
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_gone(self, cx)
    }

    #[inline]
    fn is_far_ahead(&self) -> bool {
        Self::is_far_ahead(self)
    }

    fn look(&mut self) -> Look {
        Self::look(self)
    }

    fn looks_again(&self) -> Instant {
        Self::looks_again(self)
    }

    fn give_up_after(&mut self, silence: Duration) {
        Self::give_up_after(self, silence);
    }

    #[inline]
    fn give_up_as_late_as(&mut self, silence: Duration) {
        Self::give_up_as_late_as(self, silence);
    }
}
