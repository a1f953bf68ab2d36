//! A request's body on its way in: where it ends, and whether it may go on. One a request, whatever the attempts, so
//! that nothing is counted twice or forgotten when another backend is tried.

use lb_core::config::ByteSize;
use lb_wire::{BodyTracker, Framing};

use super::ProxyError;

/// How far the client's body has come.
pub struct ClientBody {
    tracker: BodyTracker,
    taken: u64,
    limit: Option<ByteSize>,
}

impl ClientBody {
    /// A body of which nothing has come yet. More than `limit` is refused; sizes of chunks count with them.
    pub fn new(framing: Framing, limit: Option<ByteSize>) -> Self {
        Self {
            tracker: BodyTracker::new(framing),
            taken: 0,
            limit,
        }
    }

    /// Whether all of it has come, or there is none.
    pub fn is_done(&self) -> bool {
        self.tracker.is_done()
    }

    /// Whether any of it has come.
    pub fn has_begun(&self) -> bool {
        self.taken > 0
    }

    /// Takes what belongs to it from the front of `bytes`, and says how many these are.
    ///
    /// # Errors
    /// When it is malformed or too large: none of `bytes` may be sent on.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, ProxyError> {
        let progress = self.tracker.feed(bytes);
        let count = progress
            .map_err(|error| ProxyError::ClientBody(error.to_string()))?
            .consumed;
        self.taken += count as u64;
        match self.limit {
            Some(limit) if self.taken > limit.bytes() => Err(ProxyError::BodyTooLarge(limit)),
            _ => Ok(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_the_end_is_left() {
        let mut body = ClientBody::new(Framing::Length(5), None);
        assert_eq!(body.take(b"hel").ok(), Some(3));
        assert!(body.has_begun() && !body.is_done());
        assert_eq!(body.take(b"loGET / HTTP/1.1").ok(), Some(2));
        assert!(body.is_done());
        assert_eq!(body.take(b"GET / HTTP/1.1").ok(), Some(0));
    }

    #[test]
    fn pieces_add_up_to_the_limit() {
        let mut body = ClientBody::new(Framing::Chunked, Some(ByteSize::new(12)));
        assert_eq!(body.take(b"5\r\nhello\r\n").ok(), Some(10));
        assert!(matches!(
            body.take(b"5\r\nhello\r\n"),
            Err(ProxyError::BodyTooLarge(_))
        ));
    }
}
