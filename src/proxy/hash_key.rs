//! From a request to the number by which the strategy `hash` tells requests apart, the same on every lane.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use lb_core::{
    config::HashKey,
    strategy::{hash_all, hash_bytes},
};

/// What keys are made of.
pub struct KeyParts<'a> {
    /// Who opened the connection.
    pub peer: IpAddr,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: &'a [IpNet],
    /// As it came, without the query.
    pub path: &'a [u8],
    /// Behind the `?`.
    pub query: Option<&'a [u8]>,
    /// The headers.
    pub header: &'a EachValue<'a>,
}

/// Calls a function with each value of a header, in their order.
pub(crate) type EachValue<'a> = dyn Fn(&str, &mut dyn FnMut(&[u8])) + 'a;

/// The number, or `None` if the request has nothing of the kind. What is empty counts as nothing: it would send all
/// those requests to one backend.
pub fn hash_key(of: &HashKey, parts: &KeyParts<'_>) -> Option<u64> {
    match of {
        HashKey::Client => Some(match client_address(parts) {
            IpAddr::V4(address) => hash_bytes(&address.octets()),
            IpAddr::V6(address) => hash_bytes(&address.octets()),
        }),
        HashKey::Uri => Some(match parts.query {
            None => hash_bytes(parts.path),
            Some(query) => hash_all([parts.path, b"?", query]),
        }),
        HashKey::Header(name) => first_value(parts, name, |value| Some(value.trim_ascii())),
        HashKey::Cookie(name) => first_value(parts, "cookie", |value| {
            let mut pairs = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            pairs.find_map(|pair| value_of(pair, name))
        }),
        HashKey::Query(name) => {
            let mut pairs = parts.query?.split(|&byte| byte == b'&');
            let value = pairs.find_map(|pair| value_of(pair, name))?;
            (!value.is_empty()).then(|| hash_bytes(value))
        }
    }
}

/// The first value of a header in which `find` finds something.
fn first_value(parts: &KeyParts<'_>, name: &str, find: impl Fn(&[u8]) -> Option<&[u8]>) -> Option<u64> {
    let mut key = None;
    (parts.header)(name, &mut |value| {
        if key.is_none() {
            key = find(value).filter(|found| !found.is_empty()).map(hash_bytes);
        }
    });
    key
}

fn value_of<'v>(pair: &'v [u8], name: &str) -> Option<&'v [u8]> {
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

/// The peer, or behind trusted proxies the last address that they name and that is none of theirs. Where all are
/// trusted, the first: a client within the same network. What cannot be read hides all that was named before it.
fn client_address(parts: &KeyParts<'_>) -> IpAddr {
    let is_trusted = |address: &IpAddr| {
        let mut networks = parts.trusted_proxies.iter();
        networks.any(|network| network.contains(address))
    };
    let peer = parts.peer.to_canonical();
    if !is_trusted(&peer) {
        return peer;
    }
    let (mut client, mut first) = (None, None);
    (parts.header)("x-forwarded-for", &mut |value| {
        for element in value.split(|&byte| byte == b',') {
            match address_of(element.trim_ascii()) {
                None => (client, first) = (None, None),
                Some(address) if is_trusted(&address) => first = first.or(Some(address)),
                other => client = other,
            }
        }
    });
    client.or(first).unwrap_or(peer)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(of: &HashKey, target: &str, headers: &[(&str, &str)]) -> Option<u64> {
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(path, query)| (path, Some(query.as_bytes())));
        let networks = ["10.0.0.0/8".parse().unwrap_or_default()];
        let peer = headers.iter().find(|(name, _)| *name == "peer");
        let parts = KeyParts {
            peer: peer.map_or(IpAddr::from([10, 0, 0, 1]), |(_, peer)| {
                peer.parse().unwrap_or(IpAddr::from([0; 4]))
            }),
            trusted_proxies: &networks,
            path: path.as_bytes(),
            query,
            header: &|name, each| {
                let named = headers.iter().filter(|(other, _)| *other == name);
                named.for_each(|(_, value)| each(value.as_bytes()));
            },
        };
        hash_key(of, &parts)
    }

    fn of(text: &str) -> Option<u64> {
        Some(hash_bytes(text.as_bytes()))
    }

    #[test]
    fn the_client_is_who_trusted_proxies_name() {
        let client = |headers: &[(&str, &str)]| key(&HashKey::Client, "/", headers);
        let is = |octets: [u8; 4]| Some(hash_bytes(&octets));
        for (peer, forwarded, expected) in [
            ("11.0.0.1", "1.2.3.4", [11, 0, 0, 1]),
            ("10.0.0.1", "1.2.3.4", [1, 2, 3, 4]),
            ("::ffff:10.0.0.1", "1.2.3.4:567", [1, 2, 3, 4]),
            ("10.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.7", [1, 2, 3, 4]),
            ("10.0.0.1", "10.0.0.9, 10.0.0.7", [10, 0, 0, 9]),
            ("10.0.0.1", "9.9.9.9, nonsense, 10.0.0.7", [10, 0, 0, 7]),
            ("10.0.0.1", "9.9.9.9, nonsense", [10, 0, 0, 1]),
            ("10.0.0.1", "", [10, 0, 0, 1]),
        ] {
            let headers = [("peer", peer), ("x-forwarded-for", forwarded)];
            assert_eq!(client(&headers), is(expected), "{peer}: {forwarded}");
        }
        let several = [("x-forwarded-for", "9.9.9.9"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(client(&several), is([1, 2, 3, 4]));
        let v6 = |text: &str| client(&[("x-forwarded-for", text)]);
        assert!(v6("2001:db8::1").is_some() && v6("[2001:db8::1]:80") == v6("2001:db8::1"));
        assert_eq!(v6("[2001:db8::1]"), v6("2001:db8::1"));
    }

    #[test]
    fn every_other_part_is_taken_as_it_came() {
        let header = HashKey::Header("x-user".into());
        assert_eq!(key(&header, "/", &[("x-user", " a "), ("x-user", "b")]), of("a"));
        assert_eq!(key(&header, "/", &[("x-user", ""), ("x-user", "b")]), of("b"));
        assert_eq!(key(&header, "/", &[]), None);
        let cookie = HashKey::Cookie("id".into());
        assert_eq!(key(&cookie, "/", &[("cookie", "aid=1; id=7; id=8")]), of("7"));
        assert_eq!(
            key(&cookie, "/", &[("cookie", "a=1"), ("cookie", "id=7")]),
            of("7")
        );
        assert_eq!(key(&cookie, "/", &[("cookie", "id=")]), None);
        let query = HashKey::Query("u".into());
        assert_eq!(key(&query, "/a?uu=1&u=a%20b&u=c", &[]), of("a%20b"));
        assert_eq!(key(&query, "/a?u=", &[]), None);
        assert_eq!(key(&query, "/u=1", &[]), None);
        assert_eq!(key(&HashKey::Uri, "/a?b=c", &[]), of("/a?b=c"));
        assert_ne!(key(&HashKey::Uri, "/a?", &[]), key(&HashKey::Uri, "/a", &[]));
    }
}
