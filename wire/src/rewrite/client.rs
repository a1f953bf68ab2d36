//! The client's address as text, made once a connection instead of once a request.

use std::{io::Write, net::IpAddr};

/// Bytes of the longest address: eight groups of four digits, and seven colons. Mapped IPv4 is written as IPv4.
const LONGEST: usize = 39;

/// An address in the form that `X-Forwarded-For` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    text: [u8; LONGEST],
    length: u8,
    v6: bool,
}

impl ClientAddress {
    /// The text of `address`; an IPv4 address that came over an IPv6 socket is written as IPv4.
    pub fn new(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let mut text = [0; LONGEST];
        let mut rest = &mut text[..];
        // The longest address fits, so that writing cannot fail; if it did, the text would be shorter.
        let _ = write!(rest, "{address}");
        let length = (LONGEST - rest.len()) as u8;
        Self {
            text,
            length,
            v6: address.is_ipv6(),
        }
    }

    /// The text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }

    /// `for=` of Forwarded, with the brackets and quotes of an IPv6 address (RFC 7239 section 6).
    pub(super) fn write_node(&self, out: &mut Vec<u8>) {
        let (before, after): (&[u8], &[u8]) = if self.v6 { (b"\"[", b"]\"") } else { (b"", b"") };
        out.extend_from_slice(before);
        out.extend_from_slice(self.as_bytes());
        out.extend_from_slice(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_fits() {
        for text in [
            "127.0.0.1",
            "255.255.255.255",
            "::1",
            "2001:db8::1",
            "1111:2222:3333:4444:5555:6666:7777:8888",
        ] {
            assert_eq!(
                ClientAddress::new(text.parse().unwrap()).as_bytes(),
                text.as_bytes()
            );
        }
    }

    #[test]
    fn a_mapped_address_is_written_as_ipv4() {
        assert_eq!(
            ClientAddress::new("::ffff:192.0.2.1".parse().unwrap()).as_bytes(),
            b"192.0.2.1"
        );
    }
}
