//! Which of several pools a client belongs to: by weight, and always the same one for the same client.
//!
//! The choice is a point on a line, found by a hash of what the client is known by. The pools lie on it one behind the
//! other, as long as their weights. So two pools keep whom they have when the second one's share grows: those that go
//! over come from the first. The hash means the same for good, so that every worker, balancer and restart agrees.

use std::{fmt, net::IpAddr, sync::Arc};

use super::Request;
use crate::strategy::{hash_bytes, mix};

/// The largest weight of a pool in a split: a hundredth of a percent can be said.
pub const MAX_WEIGHT: u32 = 10_000;

/// Tells the place in a split from the place that a strategy finds by the same bytes: else each pool of a split would see
/// its clients on one side of its own choice.
const SPLIT: u64 = 0x5B11_7000_0000_0001;

/// What a client is known by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SplitBy {
    /// Its address.
    #[default]
    Client,
    /// The value of a cookie; the address where it is missing.
    Cookie(Arc<str>),
    /// The value of a header; the address where it is missing.
    Header(Arc<str>),
    /// Nothing: each request is a new choice.
    Random,
}

/// The point of a request on the line, from 0 to `u64::MAX`. `random` is used where nothing is to be remembered.
pub fn point(by: &SplitBy, request: &Request<'_>, random: u64) -> u64 {
    let mut found = None;
    match by {
        SplitBy::Client => {}
        SplitBy::Random => return random,
        SplitBy::Header(name) => {
            request.headers.any(name, &mut |value| {
                found = Some(hash_of(value));
                true
            });
        }
        SplitBy::Cookie(name) => {
            request.headers.any("cookie", &mut |value| {
                found = cookie(value, name.as_bytes()).map(hash_of);
                found.is_some()
            });
        }
    }
    found.unwrap_or_else(|| match request.client {
        IpAddr::V4(address) => hash_of(&address.octets()),
        IpAddr::V6(address) => hash_of(&address.octets()),
    })
}

/// Which of the shares holds a point; `upto[i]` is the sum of the weights up to share `i`, the last one is above 0.
pub fn share_at(upto: &[u64], point: u64) -> usize {
    let total = upto.last().copied().unwrap_or(0);
    // The point's place among `total`, without the bias of a remainder.
    let place = ((u128::from(point) * u128::from(total)) >> 64) as u64;
    upto.partition_point(|end| *end <= place)
        .min(upto.len().saturating_sub(1))
}

/// The value of a cookie in a `Cookie` line (RFC 6265 section 4.2.1).
pub fn cookie<'v>(line: &'v [u8], name: &[u8]) -> Option<&'v [u8]> {
    line.split(|byte| *byte == b';').find_map(|pair| {
        let pair = pair.trim_ascii();
        let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
        Some(value)
    })
}

fn hash_of(bytes: &[u8]) -> u64 {
    mix(hash_bytes(bytes) ^ SPLIT)
}

impl fmt::Display for SplitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Random => f.write_str("random"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::route::NoHeaders;

    fn request<'a>(headers: &'a dyn super::super::Headers, client: IpAddr) -> Request<'a> {
        Request {
            host: b"",
            method: b"GET",
            path: b"/",
            query: b"",
            headers,
            client,
        }
    }

    /// How many of 10,000 clients go to each pool.
    fn shares(weights: &[u64]) -> Vec<usize> {
        let upto = sums(weights);
        let mut counts = vec![0; weights.len()];
        for client in 0..10_000_u32 {
            let request = request(&NoHeaders, IpAddr::from((0x0a00_0000 + client).to_be_bytes()));
            counts[share_at(&upto, point(&SplitBy::Client, &request, 0))] += 1;
        }
        counts
    }

    fn sums(weights: &[u64]) -> Vec<u64> {
        let sum = |sum: &mut u64, weight: &u64| {
            *sum += weight;
            Some(*sum)
        };
        weights.iter().scan(0, sum).collect()
    }

    #[test]
    fn neighbours_are_shared_out_by_weight() {
        let counts = shares(&[95, 5]);
        assert!((400..600).contains(&counts[1]), "{counts:?}");
        let counts = shares(&[1, 1, 2]);
        assert!(
            (2300..2700).contains(&counts[0]) && (4700..5300).contains(&counts[2]),
            "{counts:?}"
        );
        assert_eq!(shares(&[0, 7, 0]), [0, 10_000, 0]);
    }

    #[test]
    fn a_cookie_or_a_header_says_who_it_is_and_the_address_where_it_is_missing() {
        let client = IpAddr::from([192, 0, 2, 1]);
        let by = SplitBy::Cookie("uid".into());
        let at = |headers: Vec<(&str, &str)>, by: &SplitBy| point(by, &request(&headers, client), 7);
        assert_eq!(
            at(vec![("Cookie", "a=1; uid=x"), ("cookie", "uid=y")], &by),
            hash_of(b"x")
        );
        assert_eq!(
            at(vec![("Cookie", "a=1"), ("cookie", "b=2; uid=y")], &by),
            hash_of(b"y")
        );
        assert_eq!(
            at(vec![("Cookie", "xuid=1; uidx=2")], &by),
            hash_of(&[192, 0, 2, 1])
        );
        assert_eq!(
            at(vec![("X-User", "u")], &SplitBy::Header("x-user".into())),
            hash_of(b"u")
        );
        assert_eq!(at(vec![], &SplitBy::Random), 7);
    }

    proptest! {
        #[test]
        fn whoever_is_in_a_growing_second_pool_stays_there(point: u64, first in 1u64..100, second in 0u64..100, more in 0u64..100) {
            if share_at(&[first, first + second], point) == 1 {
                prop_assert_eq!(share_at(&[first, first + second + more], point), 1);
            }
        }

        #[test]
        fn a_pool_of_weight_0_gets_nobody(point: u64, weights in prop::collection::vec(0u64..5, 1..6)) {
            prop_assume!(weights.iter().sum::<u64>() > 0);
            prop_assert!(weights[share_at(&sums(&weights), point)] > 0);
        }
    }
}
