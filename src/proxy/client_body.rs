//! A request's body on its way in: where it ends, and whether it may go on. One a request, whatever the attempts, so
//! that nothing is counted twice or forgotten when another backend is tried.

use lb_core::config::ByteSize;
use lb_wire::{BodyFilter, Framing};

use super::ProxyError;

/// How far the client's body has come.
pub struct ClientBody {
    filter: BodyFilter,
    /// What goes on instead of the bytes that were taken last.
    instead: Option<Vec<u8>>,
    taken: u64,
    /// Bytes of content among those taken.
    content: u64,
    limit: Option<ByteSize>,
}

impl ClientBody {
    /// A body of which nothing has come yet; `named` is what `Connection` names of its trailers. More content than
    /// `limit` is refused; sizes and extensions of chunks are no content (RFC 9112 section 7.1).
    pub fn new(framing: Framing, named: Vec<u8>, limit: Option<ByteSize>) -> Self {
        Self {
            filter: BodyFilter::of_request(framing, named),
            instead: None,
            taken: 0,
            content: 0,
            limit,
        }
    }

    /// Leaves out trailers of these names too. For a body of which nothing has been taken.
    pub fn leave_out_trailers(&mut self, names: &[Box<str>]) {
        self.filter.leave_out_trailers(names);
    }

    /// Whether all of it has come, or there is none.
    pub fn is_done(&self) -> bool {
        self.filter.is_done()
    }

    /// Whether any of it has come.
    pub fn has_begun(&self) -> bool {
        self.taken > 0
    }

    /// Bytes of content that have come.
    pub fn content(&self) -> u64 {
        self.content
    }

    /// Bytes that have come.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes what belongs to it from the front of `bytes`, and says how many these are; [`passes`](Self::passes) says what of
    /// them goes on.
    ///
    /// # Errors
    /// When it is malformed or too large: none of `bytes` may be sent on.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, ProxyError> {
        let mut instead = Vec::new();
        let passed = self.filter.pass(bytes, &mut instead);
        let passed = passed.map_err(|error| ProxyError::ClientBody(error.to_string()))?;
        self.instead = passed.changed.then_some(instead);
        let count = passed.consumed;
        self.taken += count as u64;
        self.content += passed.content as u64;
        match self.limit {
            Some(limit) if self.content > limit.bytes() => Err(ProxyError::BodyTooLarge(limit)),
            _ => Ok(count),
        }
    }

    /// As [`take`](Self::take), for a body that goes on in another framing: its data is appended to `data`.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_data(&mut self, bytes: &[u8], data: &mut Vec<u8>) -> Result<usize, ProxyError> {
        let mut count = 0;
        while count < bytes.len() && !self.filter.is_done() {
            let piece = self.filter.step(&bytes[count..]);
            let piece = piece.map_err(|error| ProxyError::ClientBody(error.to_string()))?;
            self.content += piece.data.len() as u64;
            data.extend_from_slice(&bytes[count..][piece.data]);
            count += piece.consumed;
        }
        self.taken += count as u64;
        match self.limit {
            Some(limit) if self.content > limit.bytes() => Err(ProxyError::BodyTooLarge(limit)),
            _ => Ok(count),
        }
    }

    /// What goes on of `taken`, the bytes that were taken last.
    pub fn passes<'a>(&'a self, taken: &'a [u8]) -> &'a [u8] {
        self.instead.as_deref().unwrap_or(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_the_end_is_left() {
        let mut body = ClientBody::new(Framing::Length(5), Vec::new(), None);
        assert_eq!(body.take(b"hel").ok(), Some(3));
        assert!(body.has_begun() && !body.is_done());
        assert_eq!(body.take(b"loGET / HTTP/1.1").ok(), Some(2));
        assert!(body.is_done());
        assert_eq!(body.take(b"GET / HTTP/1.1").ok(), Some(0));
    }

    #[test]
    fn pieces_add_up_to_the_limit() {
        let mut body = ClientBody::new(Framing::Chunked, Vec::new(), Some(ByteSize::new(10)));
        assert_eq!(body.take(b"5\r\nhello\r\n").ok(), Some(10));
        assert_eq!(body.take(b"5\r\nhello\r\n").ok(), Some(10));
        assert!(matches!(body.take(b"1\r\n!"), Err(ProxyError::BodyTooLarge(_))));
    }

    #[test]
    fn data_is_taken_out_of_its_chunks() {
        let bytes = b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-End: 1\r\n\r\nGET";
        for cut in 0..bytes.len() {
            let mut body = ClientBody::new(Framing::Chunked, Vec::new(), None);
            let mut data = Vec::new();
            let first = body.take_data(&bytes[..cut], &mut data).unwrap_or_default();
            let second = body.take_data(&bytes[first..], &mut data).unwrap_or_default();
            assert_eq!(
                (first + second, &*data),
                (bytes.len() - 3, &b"hello!"[..]),
                "{cut}"
            );
            assert!(body.is_done());
        }
    }

    #[test]
    fn what_ends_here_does_not_go_on() {
        let mut body = ClientBody::new(Framing::Chunked, b"x-hop".to_vec(), None);
        let bytes = b"5\r\nhello\r\n0\r\nX-Hop: 1\r\nX-End: 1\r\n\r\n";
        assert_eq!(body.take(bytes).ok(), Some(bytes.len()));
        assert_eq!(body.passes(bytes), b"5\r\nhello\r\n0\r\nX-End: 1\r\n\r\n");
    }
}
