//! Heads of responses that did not come as bytes: their status and lines are given one by one, and the framing is ours.

use super::copier::{write_connection, write_line, write_via};
use crate::{Name, Version, rules::Action};

/// How long the body of a made response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeLength {
    /// It has none, and none is announced: 204, and 304 of which nothing more is known.
    Absent,
    /// So many bytes; or that many that are announced and not sent, in the response to HEAD and in 304.
    Known(u64),
    /// Its end shows when it is there.
    Unknown,
}

/// What is known of a made response beside its lines.
#[derive(Clone, Copy, Debug)]
pub struct MadeHead<'a> {
    /// The status code, 200 to 999.
    pub status: u16,
    /// The reason phrase.
    pub reason: &'a str,
    /// Of the body.
    pub length: MadeLength,
    /// The client's version.
    pub client: Version,
    /// Whether the client's connection may go on, as far as the balancer is concerned.
    pub keep_alive: bool,
    /// `Date` where no line has it.
    pub date: Option<&'a [u8]>,
    /// Pseudonym for `Via`, and the version in which the response came; `None` writes none.
    pub via: Option<(&'a str, Version)>,
}

/// How the body of a made response goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeBody {
    /// Each piece of it is a chunk, and the last chunk ends it.
    pub chunked: bool,
    /// The client's connection goes on behind it.
    pub goes_on: bool,
}

/// Writes the head, to the empty line, with the lines that `lines` gives to its argument: name and value. Lines that speak of
/// framing or of one connection are left out, by the table in [`rules`](crate::rules), as are names and values that are none.
pub fn write_made_head(
    head: &MadeHead<'_>,
    lines: impl FnOnce(&mut dyn FnMut(&[u8], &[u8])),
    out: &mut Vec<u8>,
) -> MadeBody {
    let digits = [100, 10, 1].map(|unit| b'0' + (head.status / unit % 10) as u8);
    for part in [b"HTTP/1.1 ", &digits[..], b" ", head.reason.as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
    let (mut has_date, mut upgrades) = (false, false);
    lines(&mut |name, value| {
        let kind = Name::classify(name);
        has_date |= kind == Name::Date;
        let stays = match kind {
            Name::ContentLength | Name::TransferEncoding | Name::Connection | Name::Trailer => false,
            // RFC 9110 section 15.5.22.
            Name::Upgrade => head.status == 426,
            Name::ProxyAuthenticate => head.status == 407,
            kind => kind.on_response() != Action::Drop,
        };
        if stays && is_line(name, value) {
            upgrades |= kind == Name::Upgrade;
            for part in [name, b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
    });
    let chunked = head.length == MadeLength::Unknown && head.client == Version::Http11;
    // HTTP/1.0 knows no chunks: only the end of the connection is left (RFC 9112 section 6.3).
    let goes_on = head.keep_alive && (chunked || head.length != MadeLength::Unknown);
    match head.length {
        MadeLength::Known(length) => write_line("Content-Length", length.to_string().as_bytes(), out),
        MadeLength::Unknown if chunked => write_line("Transfer-Encoding", b"chunked", out),
        MadeLength::Unknown | MadeLength::Absent => {}
    }
    let keep_alive = goes_on && head.client == Version::Http10;
    write_connection(
        &[
            (upgrades, "Upgrade"),
            (!goes_on, "close"),
            (keep_alive, "keep-alive"),
        ],
        out,
    );
    if let (Some(date), false) = (head.date, has_date) {
        write_line("Date", date, out);
    }
    if let Some((pseudonym, version)) = head.via {
        write_via(version, pseudonym, out);
    }
    out.extend_from_slice(b"\r\n");
    MadeBody { chunked, goes_on }
}

/// Whether a name and a value can stand in a line without ending it (RFC 9110 sections 5.1 and 5.5).
fn is_line(name: &[u8], value: &[u8]) -> bool {
    use crate::bytes::{TOKEN, VALUE, run};
    !name.is_empty() && run(name, TOKEN) == name.len() && run(value, VALUE) == value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: MadeHead<'_> = MadeHead {
        status: 200,
        reason: "OK",
        length: MadeLength::Known(2),
        client: Version::Http11,
        keep_alive: true,
        date: None,
        via: None,
    };

    fn written(head: &MadeHead<'_>, lines: &[(&str, &str)]) -> (String, MadeBody) {
        let mut out = Vec::new();
        let body = write_made_head(
            head,
            |line| {
                for (name, value) in lines {
                    line(name.as_bytes(), value.as_bytes());
                }
            },
            &mut out,
        );
        (String::from_utf8(out).unwrap(), body)
    }

    #[test]
    fn the_framing_is_ours_alone() {
        let claims = [
            ("content-length", "7"),
            ("transfer-encoding", "chunked"),
            ("connection", "x"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "h2c"),
            ("x", "y"),
        ];
        let (text, body) = written(&HEAD, &claims);
        assert_eq!(text, "HTTP/1.1 200 OK\r\nx: y\r\nContent-Length: 2\r\n\r\n");
        assert!(body.goes_on && !body.chunked);
        let unknown = MadeHead {
            length: MadeLength::Unknown,
            ..HEAD
        };
        let (text, body) = written(&unknown, &claims);
        assert_eq!(
            text,
            "HTTP/1.1 200 OK\r\nx: y\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        assert!(body.goes_on && body.chunked);
    }

    #[test]
    fn http_1_0_gets_no_chunks_and_is_told_when_its_connection_stays() {
        let old = MadeHead {
            client: Version::Http10,
            ..HEAD
        };
        assert!(written(&old, &[]).0.contains("Connection: keep-alive\r\n"));
        let (text, body) = written(
            &MadeHead {
                length: MadeLength::Unknown,
                ..old
            },
            &[],
        );
        assert!(text.contains("Connection: close\r\n") && !text.contains("Transfer-Encoding"));
        assert!(!body.goes_on && !body.chunked);
    }

    #[test]
    fn no_value_ends_its_line() {
        let (text, _) = written(
            &HEAD,
            &[("x", "a\r\nset-cookie: b"), ("a b", "c"), ("", "d"), ("e", "f")],
        );
        assert_eq!(text, "HTTP/1.1 200 OK\r\ne: f\r\nContent-Length: 2\r\n\r\n");
    }

    #[test]
    fn what_belongs_to_a_status_stays_there_only() {
        let lines = [("upgrade", "other/2"), ("proxy-authenticate", "Basic")];
        let of = |status| written(&MadeHead { status, ..HEAD }, &lines).0;
        assert!(of(426).contains("upgrade: other/2\r\n") && of(426).contains("Connection: Upgrade\r\n"));
        assert!(of(407).contains("proxy-authenticate: Basic\r\n") && !of(407).contains("upgrade"));
        assert!(!of(200).contains("Basic") && !of(200).contains("pgrade"));
    }

    #[test]
    fn date_and_via_are_added_where_they_are_due() {
        let head = MadeHead {
            date: Some(b"now"),
            via: Some(("edge", Version::Http10)),
            ..HEAD
        };
        let (text, _) = written(&head, &[]);
        assert!(text.contains("Date: now\r\nVia: 1.0 edge\r\n"), "{text}");
        assert!(!written(&head, &[("date", "then")]).0.contains("now"));
    }
}
