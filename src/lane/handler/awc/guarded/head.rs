//! Heads in both directions: what awc writes made fit for the backend, what the backend says made safe for awc. Both are
//! edited in place, and most need no edit but one byte.

use lb_wire::{Framing, Lines, Method, Name, ResponseHead};

use crate::lane::handler::awc::watch::Watch;

/// In a 304, awc takes `Content-Length` for the length of a body that never comes. The guard calls it by this name, of
/// the same length, for the handler to call it by its own again.
pub(in crate::lane::handler) const OMITTED_LENGTH: &str = "omitted-length";

/// awc takes `Upgrade: websocket` in any answer for one without a body; in a 426 it says what is wanted. The guard calls it by
/// this name, of the same length, for the handler to call it by its own again.
pub(in crate::lane::handler) const OFFERED_UPGRADE: &str = "upgrad~";

/// What is put in the place of the number where the backend is to ask for the body.
const EXPECT_CONTINUE: &[u8] = b"expect: 100-continue\r\n";

/// `Date` where the client sent none.
const NO_DATE: &[u8] = b"date: \r\n";

/// `Expect`, with the number of an offered body.
const EXPECT: &[u8] = b"expect: ";

/// What a request head says, and the number of the body that was offered for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) offer: Option<u64>,
}

/// Reads a whole head of awc's, takes out what is meant for the guard, and puts in what awc would act on itself. awc spells names in lower case and has no line
/// folding, so there is nothing to parse.
pub(super) fn prepare_request(head: &mut Vec<u8>, watch: Option<&Watch>) -> Request {
    let method = head.split(|byte| *byte == b' ').next().unwrap_or_default();
    let method = Method::from_bytes(method);
    let mut offer = None;
    let mut at = 0;
    while let Some(length) = memchr::memchr(b'\n', &head[at..]) {
        let line = &head[at..=at + length];
        if let Some(number) = line.strip_prefix(EXPECT) {
            offer = Some(number_of(number.trim_ascii_end()));
        } else if line != NO_DATE {
            at += length + 1;
            continue;
        }
        head.drain(at..=at + length);
    }
    if let Some(watch) = watch {
        // Ahead of the empty line.
        head.truncate(head.len().saturating_sub(2));
        if offer.is_some() && watch.expects() {
            head.extend_from_slice(EXPECT_CONTINUE);
        }
        if !watch.offers().is_empty() {
            for part in [b"connection: upgrade\r\nupgrade: ", watch.offers(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        head.extend_from_slice(b"\r\n");
    }
    Request { method, offer }
}

/// No offer has the number that stands for no number.
fn number_of(digits: &[u8]) -> u64 {
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    digits.parse().unwrap_or(u64::MAX)
}

/// Rewrites an answer's head so that awc's parser, which knows less, finds the same end of the message as lb-wire did.
/// Returns its new length, which is never more.
pub(super) fn prepare_response(
    head: &mut [u8],
    parsed: &ResponseHead,
    lines: &Lines,
    method: Method,
) -> usize {
    // awc reads on to the end of the connection in HTTP/1.0 without a length, and there alone: a close-delimited answer
    // in HTTP/1.1 would arrive empty, and one in HTTP/1.0 with `Content-Length: 0` would wait.
    if let Some(minor) = head.get_mut(b"HTTP/1.".len()) {
        *minor = if parsed.framing == Framing::UntilClose {
            b'0'
        } else {
            b'1'
        };
    }
    // awc knows of HEAD, but not that 204 and 304 have no body.
    let omitted = parsed.framing == Framing::None && method != Method::Head;
    let mut length = head.len();
    for line in lines.as_slice().iter().rev() {
        let (start, end) = (line.name.start as usize, line.end as usize);
        let before = length;
        match line.kind {
            Name::ContentLength if parsed.status == 304 => {
                head[start..line.name.end as usize].copy_from_slice(OMITTED_LENGTH.as_bytes());
            }
            Name::ContentLength | Name::TransferEncoding if omitted => {
                length = remove(head, start, end, length)
            }
            // The option alone makes awc give up the connection.
            Name::Connection => {
                let value = &mut head[line.value.start as usize..line.value.end as usize];
                let options = value.split_mut(|byte| *byte == b',');
                let upgrades = |option: &[u8]| option.trim_ascii().eq_ignore_ascii_case(b"upgrade");
                options
                    .filter(|option| upgrades(option))
                    .for_each(|option| option.fill(b' '));
            }
            Name::Upgrade if parsed.status == 426 => {
                head[start..line.name.end as usize].copy_from_slice(OFFERED_UPGRADE.as_bytes());
            }
            Name::Upgrade => length = remove(head, start, end, length),
            _ => {}
        }
        // awc refuses white space before a colon, which a proxy is to take out (RFC 9112 section 5.1).
        let name_end = line.name.end as usize;
        if length == before
            && head[name_end] != b':'
            && let Some(spaces) = memchr::memchr(b':', &head[name_end..end])
        {
            length = remove(head, name_end, name_end + spaces, length);
        }
    }
    length
}

fn remove(head: &mut [u8], start: usize, end: usize, length: usize) -> usize {
    head.copy_within(end..length, start);
    length - (end - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_the_guard_does_not_reach_the_backend() {
        let mut head = b"POST /date HTTP/1.1\r\ndate: \r\nexpect: 17\r\nx-date: \r\nhost: a\r\n\r\n".to_vec();
        let request = prepare_request(&mut head, None);
        let expected = Request {
            method: Method::Post,
            offer: Some(17),
        };
        assert_eq!(request, expected);
        assert_eq!(head, b"POST /date HTTP/1.1\r\nx-date: \r\nhost: a\r\n\r\n");
    }

    #[test]
    fn a_date_of_the_clients_own_stays() {
        let whole = b"GET / HTTP/1.1\r\nhost: a\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        let mut head = whole.to_vec();
        let request = prepare_request(&mut head, None);
        assert_eq!((request.method, request.offer), (Method::Get, None));
        assert_eq!(head, whole);
    }
}
