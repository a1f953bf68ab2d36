//! Who sent a request, and the id by which the logs of client, balancer and backend are brought together.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use ipnet::IpNet;
use lb_core::route::Headers;

/// The peer of a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Its address; an IPv4 address as such, also on a dual-stack socket.
    pub address: IpAddr,
    /// Whether its `X-Forwarded-*` headers are believed.
    pub trusted: bool,
}

impl Client {
    /// Judges a peer by the configured `trusted_proxies`.
    pub fn new(peer: IpAddr, trusted_proxies: &[IpNet]) -> Self {
        let address = peer.to_canonical();
        Self {
            address,
            trusted: trusted_proxies.iter().any(|network| network.contains(&address)),
        }
    }
}

/// Who sent a request: the peer, or behind trusted proxies the last address that they name in `X-Forwarded-For` and that is
/// none of theirs; where all are trusted, the first. What cannot be read hides all that was named before it.
///
/// `Forwarded` does not count: a proxy that appends to the one and passes the other on would let clients choose who they
/// are.
pub fn client_address(peer: Client, trusted_proxies: &[IpNet], headers: &dyn Headers) -> IpAddr {
    if !peer.trusted {
        return peer.address;
    }
    let is_trusted = |address: &IpAddr| trusted_proxies.iter().any(|network| network.contains(address));
    let (mut client, mut first) = (None, None);
    headers.any("x-forwarded-for", &mut |value| {
        let elements = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        // Empty elements do not count (RFC 9110 section 5.6.1).
        for element in elements.filter(|element| !element.is_empty()) {
            match address_of(element) {
                None => (client, first) = (None, None),
                Some(address) if is_trusted(&address) => first = first.or(Some(address)),
                other => client = other,
            }
        }
        false
    });
    client.or(first).unwrap_or(peer.address)
}

/// An address, also with a port, an IPv6 one also in brackets.
fn address_of(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// A request's id: the client's `X-Request-Id` if it is fit to be logged, else a random one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Origin);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Sent(Box<str>),
    Made([u8; 32]),
}

impl RequestId {
    /// Longer ids are not taken over: they would go into every log line.
    pub const LONGEST: usize = 128;

    /// Takes over what the client sent if it is 1 to 128 visible ASCII characters other than quotes and backslash;
    /// otherwise makes one of 32 hexadecimal digits from `random`.
    pub fn new(sent: Option<&[u8]>, random: u128) -> Self {
        let fit = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
        let kept = sent
            .filter(|id| (1..=Self::LONGEST).contains(&id.len()) && id.iter().all(fit))
            .and_then(|id| std::str::from_utf8(id).ok());
        Self(kept.map_or_else(|| Origin::Made(hexadecimal(random)), |id| Origin::Sent(id.into())))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Origin::Sent(id) => id,
            // Made of hexadecimal digits only.
            Origin::Made(digits) => std::str::from_utf8(digits).unwrap_or_default(),
        }
    }

    /// The id if the client did not send it, so that it has to be added to the request.
    pub fn to_be_written(&self) -> Option<&[u8]> {
        match &self.0 {
            Origin::Sent(_) => None,
            Origin::Made(digits) => Some(digits),
        }
    }
}

fn hexadecimal(number: u128) -> [u8; 32] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut digits = [0; 32];
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(number.to_be_bytes()) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    digits
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_client_on_a_dual_stack_socket_is_matched_as_ipv4() {
        let networks = ["10.0.0.0/8".parse().unwrap_or_default()];
        let mapped = "::ffff:10.1.2.3".parse().unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let client = Client::new(mapped, &networks);
        assert_eq!(client.address.to_string(), "10.1.2.3");
        assert!(client.trusted);
        assert!(!Client::new(IpAddr::from([11, 0, 0, 1]), &networks).trusted);
    }

    #[test]
    fn the_client_is_who_trusted_proxies_name() {
        let networks = ["10.0.0.0/8".parse().unwrap_or_default()];
        let client = |peer: &str, lines: &[&str]| {
            let peer = Client::new(peer.parse().unwrap_or(IpAddr::from([0; 4])), &networks);
            let headers: Vec<_> = lines.iter().map(|line| ("X-Forwarded-For", *line)).collect();
            client_address(peer, &networks, &headers).to_string()
        };
        for (peer, lines, expected) in [
            ("11.0.0.1", &["1.2.3.4"][..], "11.0.0.1"),
            ("10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("::ffff:10.0.0.1", &["1.2.3.4:567"], "1.2.3.4"),
            ("10.0.0.1", &["9.9.9.9, 1.2.3.4, 10.0.0.7"], "1.2.3.4"),
            ("10.0.0.1", &["9.9.9.9", "1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["10.0.0.9, 10.0.0.7"], "10.0.0.9"),
            ("10.0.0.1", &["9.9.9.9, nonsense, 10.0.0.7"], "10.0.0.7"),
            ("10.0.0.1", &["9.9.9.9, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3.4,"], "1.2.3.4"),
            ("10.0.0.1", &["1.2.3.4, ,10.0.0.7"], "1.2.3.4"),
            ("10.0.0.1", &["1.2.3.4", ""], "1.2.3.4"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ] {
            assert_eq!(client(peer, lines), expected, "{peer}: {lines:?}");
        }
    }

    #[test]
    fn a_request_id_that_is_fit_for_logs_is_kept() {
        assert_eq!(RequestId::new(Some(b"abc-123"), 7).as_str(), "abc-123");
        let made = format!("{:032x}", 7);
        for bad in [
            &b""[..],
            b"two words",
            b"new\nline",
            b"quote\"",
            "\u{d55c}".as_bytes(),
            &[b'a'; 129],
        ] {
            assert_eq!(RequestId::new(Some(bad), 7).as_str(), made, "{bad:?}");
        }
        assert_eq!(RequestId::new(None, 7).as_str(), made);
    }
}
