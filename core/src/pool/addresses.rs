//! The addresses of a backend's name, and which of them a new connection tries first.
//!
//! Connections take the addresses in turn. One that refused a connection, let it wait, or failed a probe that another
//! address passed is skipped for a while: it is tried only after the others, except for one connection each time the while is
//! over, which finds out. Where both families are there, they alternate, so that a family that leads nowhere costs one try
//! (RFC 8305 section 4).

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How long an address is skipped. Long enough that a dead one costs little, short enough that one that is back gets its
/// share soon.
pub const SKIPPED_FOR: Duration = Duration::from_secs(10);

/// The addresses of one backend, shared by all workers.
#[derive(Debug)]
pub struct Addresses {
    all: RwLock<Arc<[Address]>>,
    /// Whose turn it is.
    turn: AtomicUsize,
    /// Changes with the set of addresses.
    version: AtomicU32,
}

/// One address.
#[derive(Debug)]
struct Address {
    at: SocketAddr,
    skipped_until: Mutex<Option<Instant>>,
}

impl Address {
    fn skipped_until(&self) -> Option<Instant> {
        *self.skipped_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Instant>) {
        *self.skipped_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Whether it is to be tried now. Where its while is over, only for the first who asks: others skip it on.
    fn claim(&self, now: Instant) -> bool {
        let mut until = self.skipped_until.lock().unwrap_or_else(PoisonError::into_inner);
        match *until {
            None => true,
            Some(end) if end <= now => {
                *until = Some(now + SKIPPED_FOR);
                true
            }
            Some(_) => false,
        }
    }
}

impl Default for Addresses {
    fn default() -> Self {
        Self {
            all: RwLock::new(Arc::new([])),
            turn: AtomicUsize::new(0),
            version: AtomicU32::new(0),
        }
    }
}

impl Addresses {
    /// Replaces them. What is known of those that stay is kept; in which order they come does not matter.
    pub fn set(&self, addresses: &[SocketAddr]) {
        let next = in_order(addresses);
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        if all.iter().map(|known| known.at).eq(next.iter().copied()) {
            return;
        }
        let known = |at: &SocketAddr| all.iter().find(|known| known.at == *at);
        let address = |at: SocketAddr| Address {
            at,
            skipped_until: Mutex::new(known(&at).and_then(Address::skipped_until)),
        };
        *all = next.into_iter().map(address).collect();
        self.version.fetch_add(1, Relaxed);
    }

    /// A number that changes when an address comes or goes.
    #[inline]
    pub fn version(&self) -> u32 {
        self.version.load(Relaxed)
    }

    /// All of them, both families in turn.
    pub fn all(&self) -> Vec<SocketAddr> {
        self.known().iter().map(|known| known.at).collect()
    }

    /// Whether the name has this one.
    pub fn has(&self, address: SocketAddr) -> bool {
        self.known().iter().any(|known| known.at == address)
    }

    /// In which order a new connection tries them.
    pub fn in_turn(&self, now: Instant) -> Vec<SocketAddr> {
        let all = self.known();
        if let [only] = &*all {
            return vec![only.at];
        }
        let turn = self.turn.fetch_add(1, Relaxed);
        let is_due = |known: &&Address| known.skipped_until().is_none_or(|until| until <= now);
        let due: Vec<_> = all.iter().filter(is_due).collect();
        let mut order: Vec<SocketAddr> = Vec::with_capacity(all.len());
        if !due.is_empty() {
            let start = turn % due.len();
            let (before, from) = due.split_at(start);
            let mut due = from.iter().chain(before);
            // The first one is tried for sure.
            order.extend(due.by_ref().find(|known| known.claim(now)).map(|known| known.at));
            order.extend(
                due.filter(|known| known.skipped_until().is_none())
                    .map(|known| known.at),
            );
        }
        let start = turn % all.len().max(1);
        let rest = all[start..].iter().chain(&all[..start]);
        for known in rest {
            if !order.contains(&known.at) {
                order.push(known.at);
            }
        }
        order
    }

    /// A connection to it was made, or a probe of it passed.
    pub fn accepted(&self, address: SocketAddr) {
        if let Some(known) = self.known().iter().find(|known| known.at == address) {
            known.set(None);
        }
    }

    /// A connection to it was not made, or not soon, or a probe of it failed.
    pub fn skip(&self, address: SocketAddr, now: Instant) {
        if let Some(known) = self.known().iter().find(|known| known.at == address) {
            known.set(Some(now + SKIPPED_FOR));
        }
    }

    fn known(&self) -> Arc<[Address]> {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Both families in turn, IPv6 first, each in the order of its numbers: servers of names shuffle them.
fn in_order(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut sorted = addresses.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let (v6, v4): (Vec<_>, Vec<_>) = sorted.into_iter().partition(SocketAddr::is_ipv6);
    let mut order = Vec::with_capacity(v6.len() + v4.len());
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    loop {
        let before = order.len();
        order.extend(v6.next());
        order.extend(v4.next());
        if order.len() == before {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]

    use super::*;

    fn addresses(list: &str) -> Addresses {
        let all = Addresses::default();
        all.set(&parsed(list));
        all
    }

    fn parsed(list: &str) -> Vec<SocketAddr> {
        list.split_whitespace().map(at).collect()
    }

    fn at(name: &str) -> SocketAddr {
        match name.strip_prefix('v') {
            Some(number) => format!("[::{number}]:80").parse().unwrap(),
            None => format!("10.0.0.{name}:80").parse().unwrap(),
        }
    }

    fn shown(order: &[SocketAddr]) -> String {
        let name = |at: &SocketAddr| {
            let last = at.ip().to_string();
            match at.is_ipv6() {
                true => format!("v{}", last.trim_start_matches(':')),
                false => last.rsplit('.').next().unwrap().to_owned(),
            }
        };
        order.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    fn turns(all: &Addresses, now: Instant, count: usize) -> String {
        let turns = (0..count).map(|_| shown(&all.in_turn(now)));
        turns.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn connections_take_the_addresses_in_turn_and_families_alternate() {
        let now = Instant::now();
        assert_eq!(turns(&addresses("1 2 3"), now, 4), "1 2 3, 2 3 1, 3 1 2, 1 2 3");
        assert_eq!(shown(&addresses("1 v1 2 3 v2").all()), "v1 1 v2 2 3");
        assert_eq!(turns(&addresses("1"), now, 2), "1, 1");
        assert_eq!(turns(&addresses(""), now, 1), "");
    }

    #[test]
    fn a_skipped_one_is_the_last_and_the_others_share_alike() {
        let (all, now) = (addresses("1 2 3"), Instant::now());
        all.skip(at("2"), now);
        assert_eq!(turns(&all, now, 4), "1 3 2, 3 1 2, 1 3 2, 3 1 2");
        all.accepted(at("2"));
        assert_eq!(turns(&all, now, 3), "2 3 1, 3 1 2, 1 2 3");
        for name in ["1", "2", "3"] {
            all.skip(at(name), now);
        }
        assert_eq!(all.in_turn(now).len(), 3, "where all are skipped, all are tried");
    }

    #[test]
    fn when_its_while_is_over_one_connection_finds_out_for_the_others() {
        let (all, now) = (addresses("1 2"), Instant::now());
        all.skip(at("1"), now);
        let later = now + SKIPPED_FOR;
        assert_eq!(turns(&all, later, 4), "1 2, 2 1, 2 1, 2 1");
        let later = later + SKIPPED_FOR;
        all.accepted(at("1"));
        assert_eq!(turns(&all, later, 2), "1 2, 2 1");
    }

    #[test]
    fn a_new_set_keeps_what_is_known_and_another_order_is_no_change() {
        let (all, now) = (addresses("1 2 3"), Instant::now());
        let version = all.version();
        all.set(&parsed("3 1 2"));
        assert_eq!(all.version(), version);
        all.skip(at("2"), now);
        all.set(&parsed("2 4"));
        assert_ne!(all.version(), version);
        assert!(all.has(at("4")) && !all.has(at("1")));
        assert_eq!(turns(&all, now, 2), "4 2, 4 2");
    }
}
