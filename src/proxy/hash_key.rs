//! From a request to the number by which the strategy `hash` tells requests apart, the same on every lane.

use std::net::IpAddr;

use lb_core::{
    config::HashKey,
    strategy::{hash_all, hash_bytes},
};

use super::Incoming;

/// The number, or `None` if the request has nothing of the kind. What is empty counts as nothing: it would send all
/// those requests to one backend.
pub(super) fn hash_key(of: &HashKey, incoming: &Incoming<'_>, client: IpAddr) -> Option<u64> {
    match of {
        HashKey::Client => Some(match client {
            IpAddr::V4(address) => hash_bytes(&address.octets()),
            IpAddr::V6(address) => hash_bytes(&address.octets()),
        }),
        HashKey::Uri => Some(match incoming.query {
            None => hash_bytes(incoming.path),
            Some(query) => hash_all([incoming.path, b"?", query]),
        }),
        HashKey::Header(name) => first_value(incoming, name, |value| Some(value.trim_ascii())),
        HashKey::Cookie(name) => first_value(incoming, "cookie", |value| {
            let mut pairs = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            pairs.find_map(|pair| value_of(pair, name))
        }),
        HashKey::Query(name) => {
            let mut pairs = incoming.query?.split(|&byte| byte == b'&');
            let value = pairs.find_map(|pair| value_of(pair, name))?;
            (!value.is_empty()).then(|| hash_bytes(value))
        }
    }
}

/// The first value of a header in which `find` finds something.
fn first_value(incoming: &Incoming<'_>, name: &str, find: impl Fn(&[u8]) -> Option<&[u8]>) -> Option<u64> {
    let mut key = None;
    incoming.headers.any(name, &mut |value| {
        key = find(value).filter(|found| !found.is_empty()).map(hash_bytes);
        key.is_some()
    });
    key
}

fn value_of<'v>(pair: &'v [u8], name: &str) -> Option<&'v [u8]> {
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{Client, RequestId};

    fn key(of: &HashKey, target: &str, headers: &[(&str, &str)]) -> Option<u64> {
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(path, query)| (path, Some(query.as_bytes())));
        let headers = headers.to_vec();
        let incoming = Incoming {
            authority: b"",
            method: b"GET",
            path: path.as_bytes(),
            query,
            headers: &headers,
            peer: Client::new(IpAddr::from([10, 0, 0, 1]), &[]),
            scheme: crate::proxy::Scheme::Http,
            id: &RequestId::new(None, 0),
        };
        hash_key(of, &incoming, IpAddr::from([192, 0, 2, 7]))
    }

    fn of(text: &str) -> Option<u64> {
        Some(hash_bytes(text.as_bytes()))
    }

    #[test]
    fn every_other_part_is_taken_as_it_came() {
        assert_eq!(key(&HashKey::Client, "/", &[]), Some(hash_bytes(&[192, 0, 2, 7])));
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
