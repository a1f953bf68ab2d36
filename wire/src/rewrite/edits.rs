//! What somebody wants changed of a head beyond the table: another target or host, lines left out and lines added.
//!
//! The result stays one unambiguous head whatever is wanted: what decides about framing, routing or the connection is not
//! changed, and a value that would end its line is not written. Usually nothing is wanted, and then nothing is looked at.

use crate::{
    Authority, Limits, Lines, Name, Parsed,
    bytes::{TARGET, TOKEN, VALUE, run, trim},
    parse_request,
    rules::{Line, is_lookalike},
};

/// Lines to be added to a head, each checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddedLines(Vec<u8>);

impl AddedLines {
    /// Adds a line; `false`, and nothing added, where the name is none or not to be written from outside, or the value has
    /// a byte that no value has (RFC 9110 section 5.5).
    pub fn push(&mut self, name: &str, value: &[u8]) -> bool {
        let value = trim(value);
        let legal =
            !name.is_empty() && run(name.as_bytes(), TOKEN) == name.len() && run(value, VALUE) == value.len();
        let legal = legal && is_changeable(Name::classify(name.as_bytes()));
        if legal {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                self.0.extend_from_slice(part);
            }
        }
        legal
    }

    /// The lines, each with its CRLF.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Changes of a head's lines.
#[derive(Clone, Copy, Debug)]
pub struct LineEdits<'a> {
    /// Names of lines that are left out, with their look-alikes; those of ours that the table adds among them.
    pub dropped: &'a [Box<str>],
    /// Lines that are added.
    pub added: &'a AddedLines,
}

/// Changes of a request's head.
#[derive(Clone, Copy, Debug)]
pub struct RequestEdits<'a> {
    /// Path and query instead of the client's; ignored where it is no origin form.
    pub target: Option<&'a [u8]>,
    /// `Host` instead of the client's; ignored where it is no authority.
    pub host: Option<&'a [u8]>,
    /// Changes of lines.
    pub lines: LineEdits<'a>,
}

impl LineEdits<'_> {
    /// Whether a line of this name is left out.
    pub(super) fn drops(&self, name: &str) -> bool {
        self.names(name.as_bytes())
    }

    fn names(&self, name: &[u8]) -> bool {
        self.dropped
            .iter()
            .any(|dropped| is_lookalike(name, dropped.as_bytes()))
    }

    /// Whether a line of the head is left out.
    pub(super) fn drops_line(&self, line: &Line, buf: &[u8]) -> bool {
        is_changeable(line.kind) && self.names(line.name.of(buf))
    }
}

impl<'a> RequestEdits<'a> {
    pub(super) fn target(&self) -> Option<&'a [u8]> {
        let origin_form =
            |target: &&[u8]| target.first() == Some(&b'/') && run(target, TARGET) == target.len();
        self.target.filter(origin_form)
    }

    pub(super) fn host(&self) -> Option<&'a [u8]> {
        self.host.filter(|host| Authority::parse(host).is_some())
    }
}

/// Whether a header of this kind can be written or left out without changing what the message is.
pub(crate) fn is_changeable(kind: Name) -> bool {
    match kind {
        Name::Other
        | Name::Protected
        | Name::Credentials
        | Name::Forwarded
        | Name::XForwardedFor
        | Name::XForwardedProto
        | Name::XForwardedHost
        | Name::XForwardedOther
        | Name::XRequestId => true,
        Name::Lookalike
        | Name::Host
        | Name::ContentLength
        | Name::TransferEncoding
        | Name::Connection
        | Name::Upgrade
        | Name::Te
        | Name::Trailer
        | Name::Expect
        | Name::MaxForwards
        | Name::HopByHop
        | Name::ProxyAuthenticate
        | Name::Via
        | Name::Date => false,
    }
}

/// Puts another `Host` into a request that was written here and may go to another backend; `false`, and nothing changed,
/// where it is not one. What follows the head stays.
pub fn replace_host(message: &mut Vec<u8>, host: &[u8]) -> bool {
    let limits = Limits {
        head_bytes: u32::MAX,
        header_count: u16::MAX,
        target_bytes: u32::MAX,
    };
    let mut lines = Lines::new();
    if Authority::parse(host).is_none()
        || !matches!(
            parse_request(message, &mut lines, &limits),
            Ok(Parsed::Complete(_))
        )
    {
        return false;
    }
    let Some(line) = lines.as_slice().iter().find(|line| line.kind == Name::Host) else {
        return false;
    };
    message.splice(
        line.value.start as usize..line.value.end as usize,
        host.iter().copied(),
    );
    true
}
