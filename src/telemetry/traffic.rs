//! How many requests the whole process has taken and finished, and whether it is draining.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use lb_core::{
    config::Limits,
    status::{ErrorCount, ResponseCounts},
};

use super::{record::Records, sinks::Sinks};

/// Counters of one worker, alone on their cache lines, with the number of those who hold them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Shard {
    started: AtomicU64,
    finished: AtomicU64,
    /// By the class of their status codes.
    responses: [AtomicU64; ResponseCounts::CLASSES],
    errors: Mutex<Errors>,
}

/// How many errors of the balancer's own there were, by status code and reason. The table of errors bounds it.
type Errors = BTreeMap<(u16, Cow<'static, str>), u64>;

impl Shard {
    pub(super) fn start(&self) {
        self.started.fetch_add(1, Relaxed);
    }

    pub(super) fn finish(&self) {
        self.finished.fetch_add(1, Relaxed);
    }

    pub(super) fn count_response(&self, status: u16) {
        let count = &self.responses[ResponseCounts::class_of(status)];
        // Only its worker writes it.
        count.store(count.load(Relaxed) + 1, Relaxed);
    }

    pub(super) fn count_error(&self, status: u16, reason: Cow<'static, str>) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        *errors.entry((status, reason)).or_default() += 1;
    }
}

/// Requests in flight, over all workers.
pub struct Traffic {
    /// Each worker's requests hold its own: a count of holders that all workers share would have to be fetched from another
    /// core for each request.
    shards: Box<[Arc<Shard>]>,
    sinks: Arc<Sinks>,
    draining: AtomicBool,
    connections: AtomicU64,
    /// Only kept while `limits.connections_per_client` is set.
    by_client: Mutex<HashMap<IpAddr, u32>>,
}

impl Traffic {
    /// Counters for that many workers.
    pub fn new(workers: usize) -> Arc<Self> {
        let shards = (0..workers.max(1)).map(|_| Arc::default()).collect();
        Arc::new(Self {
            shards,
            sinks: Arc::default(),
            draining: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            by_client: Mutex::default(),
        })
    }

    /// The records of a worker's requests. For its thread alone.
    pub fn records(&self, worker: usize) -> Rc<Records> {
        Records::new(worker, Arc::clone(self.shard(worker)), Arc::clone(&self.sinks))
    }

    /// Who gets the facts of requests that have ended.
    pub fn sinks(&self) -> &Arc<Sinks> {
        &self.sinks
    }

    /// Requests taken since the start.
    pub fn started(&self) -> u64 {
        self.shards.iter().map(|shard| shard.started.load(Relaxed)).sum()
    }

    /// Requests finished since the start.
    pub fn finished(&self) -> u64 {
        self.shards.iter().map(|shard| shard.finished.load(Relaxed)).sum()
    }

    /// Requests that are being answered now.
    pub fn in_flight(&self) -> u64 {
        // Finished first: a request that ends in between must not make more ends than starts.
        let finished = self.finished();
        self.started().saturating_sub(finished)
    }

    /// Responses that clients were sent since the start.
    pub fn responses(&self) -> ResponseCounts {
        let mut all = ResponseCounts::default();
        for shard in &self.shards {
            all.add(shard.responses.each_ref().map(|count| count.load(Relaxed)));
        }
        all
    }

    /// The errors among them that are the balancer's own.
    pub fn errors(&self) -> Vec<ErrorCount> {
        let mut all = Errors::new();
        for shard in &self.shards {
            let errors = shard.errors.lock().unwrap_or_else(PoisonError::into_inner);
            for (error, count) in &*errors {
                *all.entry(error.clone()).or_default() += count;
            }
        }
        let row = |((status, reason), count): ((u16, Cow<'static, str>), u64)| ErrorCount {
            status,
            reason: reason.into_owned(),
            count,
        };
        all.into_iter().map(row).collect()
    }

    /// Clients' connections that are open.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// Counts a connection until the returned guard is dropped; `None` when a limit is reached.
    pub fn connect(self: &Arc<Self>, client: IpAddr, limits: &Limits) -> Option<OpenConnection> {
        let open = self.connections.fetch_add(1, Relaxed) + 1;
        let mut connection = OpenConnection {
            traffic: Arc::clone(self),
            client: None,
        };
        if limits.connections.is_some_and(|most| open > u64::from(most)) {
            return None;
        }
        if let Some(most) = limits.connections_per_client {
            let mut by_client = self.by_client.lock().unwrap_or_else(PoisonError::into_inner);
            let client = network(client, limits.client_prefix);
            let open = by_client.entry(client).or_default();
            if *open >= most {
                return None;
            }
            *open += 1;
            connection.client = Some(client);
        }
        Some(connection)
    }

    /// From now on every answer is the last one of its connection.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether a stop has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    fn shard(&self, worker: usize) -> &Arc<Shard> {
        let own = self.shards.get(worker);
        own.unwrap_or_else(|| &self.shards[worker % self.shards.len()])
    }
}

/// What counts as one client: an IPv4 address, mapped into IPv6 or not, or an IPv6 network with a prefix of this length.
fn network(client: IpAddr, prefix: u8) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(prefix.into()).unwrap_or_default();
            Ipv6Addr::from_bits(address.to_bits() & !rest).into()
        }
        address => address,
    }
}

/// A client's connection that is open.
pub struct OpenConnection {
    traffic: Arc<Traffic>,
    client: Option<IpAddr>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.traffic.connections.fetch_sub(1, Relaxed);
        let Some(client) = self.client else { return };
        let mut by_client = self
            .traffic
            .by_client
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = by_client.get_mut(&client) {
            *open -= 1;
            if *open == 0 {
                by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn connections_are_limited_in_all_and_for_each_client() {
        let traffic = Traffic::new(1);
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let limits = Limits {
            connections: Some(3),
            connections_per_client: Some(2),
            ..Limits::default()
        };
        let first = traffic.connect(one, &limits).unwrap();
        let _second = traffic.connect(one, &limits).unwrap();
        assert!(
            traffic.connect(one, &limits).is_none(),
            "two are the most for one client"
        );
        let _third = traffic.connect(two, &limits).unwrap();
        assert!(
            traffic.connect(two, &limits).is_none(),
            "three are the most in all"
        );
        drop(first);
        assert_eq!(traffic.connections(), 2, "refused ones do not count");
        assert!(traffic.connect(one, &limits).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_a_mapped_address_is_that_of_ipv4() {
        let same = |one: &str, two: &str, client_prefix: u8| {
            let traffic = Traffic::new(1);
            let limits = Limits {
                connections_per_client: Some(1),
                client_prefix,
                ..Limits::default()
            };
            let _first = traffic.connect(one.parse().unwrap(), &limits).unwrap();
            traffic.connect(two.parse().unwrap(), &limits).is_none()
        };
        assert!(same("2001:db8::1", "2001:db8::ffff:1", 64));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1", 64));
        assert!(same("2001:db8::1", "2001:db8:0:1::1", 56));
        assert!(!same("2001:db8::1", "2001:db8::2", 128));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1", 1));
        assert!(!same("192.0.2.1", "192.0.2.2", 64) && !same("::ffff:192.0.2.1", "::ffff:192.0.2.2", 64));
    }
}
