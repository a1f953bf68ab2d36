//! The checked configuration: every value in it is one the balancer can act on.
//!
//! Only [`load`](super::load) builds these from a file. Fields are public for reading; the types of the single
//! values ([`BackendUrl`], [`Weight`], [`StatusRanges`], [`Share`]) have no constructor for an illegal value.

mod access_log;
mod admin;
mod client;
mod ejection;
mod health_check;
mod keeping;
mod resolver;
mod route;
mod sole_pool;
mod strategy;
mod values;

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{secrets::Masked, settings::Settings};

pub use self::{
    access_log::*, admin::*, client::*, ejection::*, health_check::*, keeping::*, resolver::*, route::*,
    strategy::*, values::*,
};

/// The name of the pool that the top-level `backends` become.
pub const DEFAULT_POOL: &str = "default";

/// A whole configuration, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where clients connect, in the order written; at least one.
    pub listeners: Vec<Listener>,
    /// The pools by name; none where no route forwards.
    pub pools: BTreeMap<Arc<str>, PoolConfig>,
    /// What becomes of a request, in the order written; the most specific that matches. At least one.
    pub routes: Vec<Arc<RouteConfig>>,
    /// Networks whose `X-Forwarded-*` headers are believed and appended to; from all others they are replaced.
    pub trusted_proxies: Vec<IpNet>,
    /// Parts of the names of fields and parameters whose values are not shown.
    pub secret_names: Vec<Arc<str>>,
    /// Threads that forward requests; `None`: one a core.
    pub workers: Option<usize>,
    /// How long a stop waits for requests in flight before it cuts them.
    pub shutdown_timeout: Duration,
    /// Where what outlives the process is kept; `None`: the usual folder of the user or the system.
    pub state_dir: Option<Masked>,
    /// What is written to the log, and how.
    pub log: LogConfig,
    /// Where a line for each request is written; `None`: nowhere.
    pub access_log: Option<AccessLogConfig>,
    /// The timeouts of the client's side, which no pool can change.
    pub client_timeouts: ClientTimeouts,
    /// Which code carries requests. A change needs a restart.
    pub lane: Lane,
    /// This proxy's name in the `Via` field of what it forwards; `None`: no `Via` is added.
    pub via: Option<Via>,
    /// Whether TRACE requests are forwarded; else they are answered here, with a refusal.
    pub allow_trace: bool,
    /// What a client may send, and how often it may connect.
    pub limits: Limits,
    /// How names of backends become addresses.
    pub resolver: ResolverConfig,
    /// The admin listener; `None`: there is none.
    pub admin: Option<AdminConfig>,
    /// Files to answer with instead of this proxy's own error messages, by status code (400-599).
    pub error_pages: BTreeMap<u16, ErrorPage>,
}

impl Config {
    /// Every setting with its value as it could be written, pools' settings with their name before them.
    pub fn settings(&self) -> Vec<(String, String)> {
        self.lines("")
    }

    /// Whether every request is answered here, by redirects and responses of routes.
    pub fn is_without_backends(&self) -> bool {
        !self.routes.is_empty() && self.routes.iter().all(|route| route.forward().is_none())
    }
}

impl Default for Config {
    /// Without listeners, pools and routes, of which a file has at least one.
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            pools: BTreeMap::new(),
            routes: Vec::new(),
            trusted_proxies: Vec::new(),
            secret_names: Vec::new(),
            workers: None,
            // As long as systemd and Kubernetes commonly give, or less.
            shutdown_timeout: Duration::from_secs(30),
            state_dir: None,
            log: LogConfig::default(),
            access_log: None,
            client_timeouts: ClientTimeouts::default(),
            lane: Lane::default(),
            via: None,
            allow_trace: false,
            limits: Limits::default(),
            resolver: ResolverConfig::default(),
            admin: None,
            error_pages: BTreeMap::new(),
        }
    }
}

/// An address to accept connections on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Listener {
    /// `None`: all addresses, IPv6 and IPv4 (`[::]` dual-stack, else `0.0.0.0`).
    pub host: Option<IpAddr>,
    /// 0: any free port.
    pub port: u16,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            None => write!(f, ":{}", self.port),
            Some(IpAddr::V4(host)) => write!(f, "{host}:{}", self.port),
            Some(IpAddr::V6(host)) => write!(f, "[{host}]:{}", self.port),
        }
    }
}

/// How long a backend is spared after it came back: until caches are filled and connections are open.
pub const DEFAULT_SLOW_START: Duration = Duration::from_secs(10);

/// A pool: backends that can stand in for each other, and how to choose among them.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolConfig {
    /// How the next backend is chosen.
    pub strategy: StrategyConfig,
    /// When backends of a lower priority serve.
    pub failover: Failover,
    /// How long a backend that came back, or was added, gets less than its share; zero: not at all.
    pub slow_start: Duration,
    /// Requests that wait for a place at backends with `max_connections`.
    pub queue: QueueConfig,
    /// Whether clients come back to the backend that served them; `None`: as the strategy has it.
    pub sticky: Option<StickyConfig>,
    /// At least one, no two with the same [`BackendUrl`].
    pub backends: Vec<BackendConfig>,
    /// How backends are probed that say nothing else themselves.
    pub health_check: HealthCheck,
    /// When they are ejected for what requests meet there; `None`: never.
    pub ejection: Option<EjectionRules>,
    /// What happens to requests when none of them is up.
    pub all_down: AllDown,
    /// The timeouts of the backend's side.
    pub timeouts: UpstreamTimeouts,
    /// When a failed request is sent to another backend.
    pub retries: Retries,
}

impl Default for PoolConfig {
    /// Without backends.
    fn default() -> Self {
        Self {
            strategy: StrategyConfig::RoundRobin,
            failover: Failover::default(),
            slow_start: DEFAULT_SLOW_START,
            queue: QueueConfig::default(),
            sticky: None,
            backends: Vec::new(),
            health_check: HealthCheck::default(),
            ejection: Some(EjectionRules::default()),
            all_down: AllDown::default(),
            timeouts: UpstreamTimeouts::default(),
            retries: Retries::default(),
        }
    }
}

impl PoolConfig {
    /// How long a probe of one of its backends may take.
    pub fn longest_probe(&self) -> Duration {
        let checks = self
            .backends
            .iter()
            .filter_map(|backend| backend.check(&self.health_check));
        checks.map(|check| check.timeout).max().unwrap_or_default()
    }
}

/// One backend as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendConfig {
    /// Its identity within the pool.
    pub url: BackendUrl,
    /// Its share relative to its neighbours.
    pub weight: Weight,
    /// Whether it serves before others or after them.
    pub priority: Priority,
    /// Requests and tunnels that it may hold at once, over all workers; `None`: any number.
    pub max_connections: Option<u32>,
    /// `false`: never probed, always taken for up by that.
    pub probed: bool,
    /// How it is probed, where it says so itself; the pool's settings are merged into it.
    pub own_check: Option<Arc<HealthCheck>>,
    /// No new requests; those in flight finish.
    pub drain: bool,
    /// No requests and no probes.
    pub maintenance: bool,
}

impl BackendConfig {
    /// A backend of which nothing but the URL is written.
    pub fn new(url: BackendUrl) -> Self {
        Self {
            url,
            weight: Weight::default(),
            priority: Priority::default(),
            max_connections: None,
            probed: true,
            own_check: None,
            drain: false,
            maintenance: false,
        }
    }

    /// How it is probed in a pool with this setting; `None`: not at all.
    pub fn check<'a>(&'a self, pool: &'a HealthCheck) -> Option<&'a HealthCheck> {
        (self.probed && !self.maintenance).then(|| self.own_check.as_deref().unwrap_or(pool))
    }
}

/// The scheme of a backend's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP.
    Http,
}

impl Scheme {
    /// As it is written in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
        }
    }
}

/// A backend's identity: scheme, lower-case host and port. Displays as `http://host:port`, always with the port.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendUrl {
    scheme: Scheme,
    host: Arc<str>,
    port: u16,
}

impl BackendUrl {
    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A lower-case name, an IPv4 address, or an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 1-65535; the scheme's own if none was written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, an IPv6 host in brackets: what a Host header would say.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The address, where the host is written as one and not as a name.
    pub fn literal_address(&self) -> Option<SocketAddr> {
        let host = self.host.parse::<IpAddr>().ok()?;
        Some(SocketAddr::new(host, self.port))
    }

    /// For the checked parser in `address`; the caller vouches for the three parts.
    pub(super) fn from_parts(scheme: Scheme, host: &str, port: u16) -> Self {
        Self {
            scheme,
            host: host.to_ascii_lowercase().into(),
            port,
        }
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

impl fmt::Debug for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The timeouts of the backend's side, and of the body on its way there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// To open a connection, all addresses of the backend together.
    pub connect: Duration,
    /// How long a backend may be silent: before its answer's head and between two pieces of its body.
    pub response_idle: Duration,
    /// How long a client may be silent in the middle of its upload.
    pub body_stall: Duration,
    /// How long an unused connection to a backend is kept.
    pub upstream_idle: Duration,
    /// How old a connection to a backend may get before it is not used again.
    pub upstream_age: Duration,
    /// How long a tunnel (after an upgrade, such as a WebSocket) may be silent in both directions.
    pub tunnel_idle: Duration,
    /// From the request's head to the end of the answer; `None`: no cap.
    pub request: Option<Duration>,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            response_idle: Duration::from_secs(60),
            body_stall: Duration::from_secs(30),
            upstream_idle: Duration::from_secs(50),
            upstream_age: Duration::from_secs(3600),
            tunnel_idle: Duration::from_secs(3600),
            request: None,
        }
    }
}

/// When a failed request is sent to another backend.
#[derive(Debug, Clone, PartialEq)]
pub struct Retries {
    /// Other backends to try, at most; 0: none.
    pub attempts: u32,
    /// Retries after a byte was sent, as a share of requests. Connect errors are outside it.
    pub budget: Share,
    /// Retries a second that are always allowed, however few requests there are.
    pub min_per_second: u32,
    /// Answers (400-599) that are retried as if the backend had failed, for requests that may be sent twice.
    pub statuses: Vec<u16>,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 2,
            budget: Share::percent(20).unwrap_or_default(),
            min_per_second: 3,
            statuses: Vec::new(),
        }
    }
}
