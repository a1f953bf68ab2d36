//! The single settings of a configuration: name, value, and how to put one in place.
//!
//! Both `all` take the structures apart field by field, so that a new field does not compile until it has its
//! setting here, and with that its line in the plan.

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc, time::Duration};

use ipnet::IpNet;

use super::health_setting::HealthSetting;
use crate::config::{model::*, size::ByteSize, units::format_duration};

/// A setting of the whole balancer, with a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Setting {
    Port(Vec<Listener>),
    Routes(Vec<Arc<RouteConfig>>),
    TrustedProxies(Vec<IpNet>),
    Workers(Option<usize>),
    ShutdownTimeout(Duration),
    StateDir(Option<Arc<str>>),
    Log(LogLevel),
    RequestHeader(Duration),
    ClientIdle(Duration),
    Lane(Lane),
    Via(Option<Arc<str>>),
    Trace(bool),
    HeaderSize(ByteSize),
    HeaderCount(u16),
    BodySize(Option<ByteSize>),
    Connections(Option<u32>),
    ConnectionsPerClient(Option<u32>),
    ErrorPage(u16, Option<ErrorPage>),
}

impl Setting {
    /// All settings with their values, always in this order. (But for [`error_pages`](Self::error_pages), which differ
    /// in number.)
    pub(super) fn all(config: &Config) -> Vec<Self> {
        let Config {
            listeners,
            pools: _,
            routes,
            trusted_proxies,
            workers,
            shutdown_timeout,
            state_dir,
            log,
            client_timeouts,
            lane,
            via,
            allow_trace,
            limits,
            error_pages: _,
        } = config;
        let ClientTimeouts {
            request_header,
            client_idle,
        } = *client_timeouts;
        let Limits {
            header_size,
            header_count,
            body_size,
            connections,
            connections_per_client,
        } = *limits;
        vec![
            Self::Port(listeners.clone()),
            Self::Routes(routes.clone()),
            Self::TrustedProxies(trusted_proxies.clone()),
            Self::Workers(*workers),
            Self::ShutdownTimeout(*shutdown_timeout),
            Self::StateDir(state_dir.clone()),
            Self::Log(*log),
            Self::RequestHeader(request_header),
            Self::ClientIdle(client_idle),
            Self::Lane(*lane),
            Self::Via(via.clone()),
            Self::Trace(*allow_trace),
            Self::HeaderSize(header_size),
            Self::HeaderCount(header_count),
            Self::BodySize(body_size),
            Self::Connections(connections),
            Self::ConnectionsPerClient(connections_per_client),
        ]
    }

    /// The error pages for these status codes, in their order.
    pub(super) fn error_pages(config: &Config, statuses: &BTreeSet<u16>) -> Vec<Self> {
        let page = |status| Self::ErrorPage(status, config.error_pages.get(&status).cloned());
        statuses.iter().copied().map(page).collect()
    }

    /// Its name in the file.
    pub(super) fn key(&self) -> Cow<'static, str> {
        let key = match self {
            Self::Port(_) => "port",
            Self::Routes(_) => "routes",
            Self::TrustedProxies(_) => "trusted_proxies",
            Self::Workers(_) => "workers",
            Self::ShutdownTimeout(_) => "shutdown_timeout",
            Self::StateDir(_) => "state_dir",
            Self::Log(_) => "log",
            Self::RequestHeader(_) => "timeouts.request_header",
            Self::ClientIdle(_) => "timeouts.client_idle",
            Self::Lane(_) => "lane",
            Self::Via(_) => "via",
            Self::Trace(_) => "trace",
            Self::HeaderSize(_) => "limits.header_size",
            Self::HeaderCount(_) => "limits.header_count",
            Self::BodySize(_) => "limits.body_size",
            Self::Connections(_) => "limits.connections",
            Self::ConnectionsPerClient(_) => "limits.connections_per_client",
            Self::ErrorPage(status, _) => return format!("error_pages.{status}").into(),
        };
        key.into()
    }

    /// Whether it can change without a restart: what the server is built with cannot.
    pub(super) fn changes_live(&self) -> bool {
        match self {
            Self::Port(_)
            | Self::Workers(_)
            | Self::RequestHeader(_)
            | Self::ClientIdle(_)
            | Self::Lane(_) => false,
            Self::Routes(_)
            | Self::TrustedProxies(_)
            | Self::ShutdownTimeout(_)
            | Self::StateDir(_)
            | Self::Log(_)
            | Self::Via(_)
            | Self::Trace(_)
            | Self::HeaderSize(_)
            | Self::HeaderCount(_)
            | Self::BodySize(_)
            | Self::Connections(_)
            | Self::ConnectionsPerClient(_)
            | Self::ErrorPage(..) => true,
        }
    }

    pub(super) fn put(self, config: &mut Config) {
        match self {
            Self::Port(listeners) => config.listeners = listeners,
            Self::Routes(routes) => config.routes = routes,
            Self::TrustedProxies(networks) => config.trusted_proxies = networks,
            Self::Workers(workers) => config.workers = workers,
            Self::ShutdownTimeout(timeout) => config.shutdown_timeout = timeout,
            Self::StateDir(folder) => config.state_dir = folder,
            Self::Log(level) => config.log = level,
            Self::RequestHeader(timeout) => config.client_timeouts.request_header = timeout,
            Self::ClientIdle(timeout) => config.client_timeouts.client_idle = timeout,
            Self::Lane(lane) => config.lane = lane,
            Self::Via(pseudonym) => config.via = pseudonym,
            Self::Trace(allowed) => config.allow_trace = allowed,
            Self::HeaderSize(size) => config.limits.header_size = size,
            Self::HeaderCount(count) => config.limits.header_count = count,
            Self::BodySize(size) => config.limits.body_size = size,
            Self::Connections(most) => config.limits.connections = most,
            Self::ConnectionsPerClient(most) => config.limits.connections_per_client = most,
            Self::ErrorPage(status, Some(page)) => {
                config.error_pages.insert(status, page);
            }
            Self::ErrorPage(status, None) => {
                config.error_pages.remove(&status);
            }
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(listeners) => match listeners.as_slice() {
                [only] => only.fmt(f),
                several => list(f, several),
            },
            Self::Routes(routes) => list(f, routes.iter().map(|route| &route.then)),
            Self::TrustedProxies(networks) => list(f, networks),
            Self::Workers(None) => f.write_str("auto"),
            Self::Workers(Some(workers)) => workers.fmt(f),
            Self::Log(level) => level.fmt(f),
            Self::ShutdownTimeout(duration) | Self::RequestHeader(duration) | Self::ClientIdle(duration) => {
                f.write_str(&format_duration(*duration))
            }
            Self::StateDir(None) => f.write_str("the usual one"),
            Self::StateDir(Some(folder)) => folder.fmt(f),
            Self::Lane(lane) => lane.fmt(f),
            Self::Via(pseudonym) => f.write_str(via_as_written(pseudonym.as_deref())),
            Self::Trace(allowed) => f.write_str(on_or_off(*allowed)),
            Self::HeaderSize(size) => size.fmt(f),
            Self::HeaderCount(count) => count.fmt(f),
            Self::BodySize(size) => or_none(f, size.as_ref()),
            Self::Connections(most) | Self::ConnectionsPerClient(most) => or_none(f, most.as_ref()),
            Self::ErrorPage(_, page) => or_none(f, page.as_ref().map(page_text).as_ref()),
        }
    }
}

/// The path, and once the file was read its size, by which most changes of its content show.
fn page_text(page: &ErrorPage) -> String {
    if page.content.is_empty() {
        return page.path.to_string();
    }
    format!("{} ({} bytes)", page.path, page.content.len())
}

/// A setting of a pool, with a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PoolSetting {
    Strategy(StrategyConfig),
    Failover(Failover),
    SlowStart(Duration),
    Queue(QueueConfig),
    Sticky(Option<StickyConfig>),
    Health(HealthSetting),
    Connect(Duration),
    ResponseIdle(Duration),
    BodyStall(Duration),
    UpstreamIdle(Duration),
    UpstreamAge(Duration),
    TunnelIdle(Duration),
    Request(Option<Duration>),
    Attempts(u32),
    Budget(Share),
    MinPerSecond(u32),
    Statuses(Vec<u16>),
}

impl PoolSetting {
    /// All settings with their values, always in this order.
    pub(super) fn all(pool: &PoolConfig) -> Vec<Self> {
        let PoolConfig {
            strategy,
            failover,
            slow_start,
            queue,
            sticky,
            backends: _,
            // Of `HealthSetting`.
            health_check: _,
            ejection: _,
            all_down: _,
            timeouts,
            retries,
        } = pool;
        let UpstreamTimeouts {
            connect,
            response_idle,
            body_stall,
            upstream_idle,
            upstream_age,
            tunnel_idle,
            request,
        } = *timeouts;
        let Retries {
            attempts,
            budget,
            min_per_second,
            statuses,
        } = retries;
        let mut all = vec![
            Self::Strategy(strategy.clone()),
            Self::Failover(*failover),
            Self::SlowStart(*slow_start),
            Self::Queue(*queue),
            Self::Sticky(sticky.clone()),
        ];
        all.extend(HealthSetting::all(pool).into_iter().map(Self::Health));
        all.extend([
            Self::Connect(connect),
            Self::ResponseIdle(response_idle),
            Self::BodyStall(body_stall),
            Self::UpstreamIdle(upstream_idle),
            Self::UpstreamAge(upstream_age),
            Self::TunnelIdle(tunnel_idle),
            Self::Request(request),
            Self::Attempts(*attempts),
            Self::Budget(*budget),
            Self::MinPerSecond(*min_per_second),
            Self::Statuses(statuses.clone()),
        ]);
        all
    }

    /// Its name in the file.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Strategy(_) => "strategy",
            Self::Failover(_) => "failover",
            Self::SlowStart(_) => "slow_start",
            Self::Queue(_) => "queue",
            Self::Sticky(_) => "sticky",
            Self::Health(setting) => setting.key(),
            Self::Connect(_) => "timeouts.connect",
            Self::ResponseIdle(_) => "timeouts.response_idle",
            Self::BodyStall(_) => "timeouts.body_stall",
            Self::UpstreamIdle(_) => "timeouts.upstream_idle",
            Self::UpstreamAge(_) => "timeouts.upstream_age",
            Self::TunnelIdle(_) => "timeouts.tunnel_idle",
            Self::Request(_) => "timeouts.request",
            Self::Attempts(_) => "retries.attempts",
            Self::Budget(_) => "retries.budget",
            Self::MinPerSecond(_) => "retries.min_per_second",
            Self::Statuses(_) => "retries.statuses",
        }
    }

    /// What a change from this value to another one says: `retries.attempts 2 -> 3`.
    pub(super) fn lines(&self, to: &Self) -> Vec<String> {
        match (self, to) {
            (Self::Health(from), Self::Health(to)) => from.lines(to),
            _ => vec![format!("{} {self} -> {to}", self.key())],
        }
    }

    pub(super) fn put(self, pool: &mut PoolConfig) {
        match self {
            Self::Strategy(strategy) => pool.strategy = strategy,
            Self::Failover(failover) => pool.failover = failover,
            Self::SlowStart(duration) => pool.slow_start = duration,
            Self::Queue(queue) => pool.queue = queue,
            Self::Sticky(sticky) => pool.sticky = sticky,
            Self::Health(setting) => setting.put(pool),
            Self::Connect(timeout) => pool.timeouts.connect = timeout,
            Self::ResponseIdle(timeout) => pool.timeouts.response_idle = timeout,
            Self::BodyStall(timeout) => pool.timeouts.body_stall = timeout,
            Self::UpstreamIdle(timeout) => pool.timeouts.upstream_idle = timeout,
            Self::UpstreamAge(age) => pool.timeouts.upstream_age = age,
            Self::TunnelIdle(timeout) => pool.timeouts.tunnel_idle = timeout,
            Self::Request(cap) => pool.timeouts.request = cap,
            Self::Attempts(attempts) => pool.retries.attempts = attempts,
            Self::Budget(budget) => pool.retries.budget = budget,
            Self::MinPerSecond(least) => pool.retries.min_per_second = least,
            Self::Statuses(statuses) => pool.retries.statuses = statuses,
        }
    }
}

impl fmt::Display for PoolSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strategy(strategy) => strategy.fmt(f),
            Self::Failover(failover) => failover.fmt(f),
            Self::Queue(queue) => queue.fmt(f),
            Self::Sticky(sticky) => match sticky {
                Some(sticky) => sticky.fmt(f),
                None => f.write_str("off"),
            },
            Self::Health(setting) => setting.fmt(f),
            Self::Attempts(number) | Self::MinPerSecond(number) => number.fmt(f),
            Self::Budget(share) => share.fmt(f),
            Self::Request(None) => f.write_str("none"),
            Self::Statuses(statuses) => list(f, statuses),
            Self::SlowStart(duration)
            | Self::Connect(duration)
            | Self::ResponseIdle(duration)
            | Self::BodyStall(duration)
            | Self::UpstreamIdle(duration)
            | Self::UpstreamAge(duration)
            | Self::TunnelIdle(duration)
            | Self::Request(Some(duration)) => f.write_str(&format_duration(*duration)),
        }
    }
}

/// `[a, b]`.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: impl IntoIterator<Item = T>) -> fmt::Result {
    f.write_str("[")?;
    for (index, item) in items.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    f.write_str("]")
}

fn or_none<T: fmt::Display>(f: &mut fmt::Formatter<'_>, value: Option<&T>) -> fmt::Result {
    match value {
        Some(value) => value.fmt(f),
        None => f.write_str("none"),
    }
}
