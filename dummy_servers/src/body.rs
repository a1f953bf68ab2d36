//! Finds the end of a request's body as the bytes arrive; RFC 9112, sections 6 and 7.

use bytes::{Buf, BytesMut};

use crate::request::Framing;

/// Bytes that a chunk's size line, with extensions, may take.
const LONGEST_SIZE_LINE: usize = 4096;

/// Bytes that all trailer lines may take.
const LONGEST_TRAILERS: usize = 16 * 1024;

/// A chunk or a trailer that is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadBody;

#[derive(Debug)]
enum State {
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers(usize),
    Done,
}

#[derive(Debug)]
pub(crate) struct BodyDecoder(State);

impl BodyDecoder {
    pub(crate) fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
        })
    }

    /// Takes what belongs to the body from the front of `input` and hands its content to `sink`; `true` at the end.
    pub(crate) fn decode(
        &mut self,
        input: &mut BytesMut,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<bool, BadBody> {
        loop {
            self.0 = match self.0 {
                State::Done => return Ok(true),
                State::Length(left) | State::ChunkData(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    sink(&input[..taken]);
                    input.advance(taken);
                    let left = left - taken as u64;
                    match (&self.0, left) {
                        (State::Length(_), 0) => State::Done,
                        (State::Length(_), _) => State::Length(left),
                        (_, 0) => State::ChunkEnd,
                        _ => State::ChunkData(left),
                    }
                }
                State::ChunkSize => match httparse::parse_chunk_size(input).map_err(|_| BadBody)? {
                    httparse::Status::Complete((line, size)) => {
                        input.advance(line);
                        if size == 0 {
                            State::Trailers(0)
                        } else {
                            State::ChunkData(size)
                        }
                    }
                    httparse::Status::Partial if input.len() > LONGEST_SIZE_LINE => return Err(BadBody),
                    httparse::Status::Partial => return Ok(false),
                },
                State::ChunkEnd if input.len() < 2 => return Ok(false),
                State::ChunkEnd if !input.starts_with(b"\r\n") => return Err(BadBody),
                State::ChunkEnd => {
                    input.advance(2);
                    State::ChunkSize
                }
                State::Trailers(before) => match input.iter().position(|byte| *byte == b'\n') {
                    Some(end) if before + end > LONGEST_TRAILERS => return Err(BadBody),
                    Some(end) => {
                        let is_last = matches!(&input[..end], b"" | b"\r");
                        input.advance(end + 1);
                        if is_last {
                            State::Done
                        } else {
                            State::Trailers(before + end)
                        }
                    }
                    None if before + input.len() > LONGEST_TRAILERS => return Err(BadBody),
                    None => return Ok(false),
                },
            };
            let is_waiting = matches!(self.0, State::Length(_) | State::ChunkData(_)) && input.is_empty();
            if is_waiting {
                return Ok(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Feeds the bytes in pieces of each size, so that every state is cut everywhere.
    fn decode(framing: Framing, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, bool, Vec<u8>), BadBody> {
        let (mut decoder, mut input, mut content) = (BodyDecoder::new(framing), BytesMut::new(), Vec::new());
        let mut done = false;
        for part in bytes.chunks(piece) {
            input.extend_from_slice(part);
            if !done {
                done = decoder.decode(&mut input, &mut |data| content.extend_from_slice(data))?;
            }
        }
        Ok((content, done, input.to_vec()))
    }

    #[test]
    fn ends_each_body_exactly_and_leaves_the_next_request() {
        let chunked = b"5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\nGET";
        for piece in 1..chunked.len() {
            let expected = (b"hello!".to_vec(), true, b"GET".to_vec());
            assert_eq!(
                decode(Framing::Chunked, chunked, piece).unwrap(),
                expected,
                "{piece}"
            );
            let expected = (b"hello".to_vec(), true, b"GET".to_vec());
            assert_eq!(
                decode(Framing::Length(5), b"helloGET", piece).unwrap(),
                expected,
                "{piece}"
            );
        }
        assert_eq!(
            decode(Framing::Length(9), b"hello", 2).unwrap(),
            (b"hello".to_vec(), false, vec![])
        );
    }

    #[test]
    fn refuses_what_is_no_chunk() {
        let endless_line = [b"1;".as_slice(), &[b'x'; LONGEST_SIZE_LINE]].concat();
        let endless_trailers = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(LONGEST_TRAILERS / 4)].concat();
        for bytes in [
            b"x\r\n".as_slice(),
            b"1\r\nabc",
            b"fffffffffffffffff\r\n",
            &endless_line,
            &endless_trailers,
        ] {
            assert_eq!(decode(Framing::Chunked, bytes, 7), Err(BadBody));
        }
    }
}
