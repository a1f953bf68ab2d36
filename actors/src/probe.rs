//! How a backend is asked: name to addresses, then a fresh connection, and one HTTP request over it.
//!
//! A fresh connection, because a backend that no longer accepts any is dead for new clients, however well the old
//! connections work. The `User-Agent` tells probes from clients in the backend's log.

mod http;

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use lb_core::{
    config::{BackendUrl, CheckKind, HealthCheck, format_duration},
    health::is_out_of_files,
    roster::{ProbeReport, ProbeVerdict},
};
use tokio::net::TcpStream;

use crate::patience::timeout;

/// What probes call themselves.
pub const USER_AGENT: &str = concat!("simple-lb-health/", env!("CARGO_PKG_VERSION"));

/// Asks backends. The product has one implementation, tests another.
pub trait Prober {
    /// The addresses of the backend's name; never empty.
    fn resolve(&self, url: &BackendUrl) -> LocalBoxFuture<'static, Result<Vec<SocketAddr>, Failure>>;

    /// One probe; it ends within the timeout of `settings`.
    fn probe(&self, url: &BackendUrl, settings: &HealthCheck) -> LocalBoxFuture<'static, ProbeReport>;
}

type Resolution = Shared<LocalBoxFuture<'static, Result<Vec<SocketAddr>, Failure>>>;

/// Asks over the network.
#[derive(Clone, Default)]
pub struct NetworkProber {
    /// One look-up a name at a time: a resolver that hangs must not pile up threads.
    resolving: Rc<RefCell<HashMap<(String, u16), Resolution>>>,
}

impl NetworkProber {
    /// A prober for the thread that calls this.
    pub fn new() -> Self {
        Self::default()
    }

    fn resolution(&self, host: &str, port: u16) -> Resolution {
        let key = (host.to_owned(), port);
        if let Some(running) = self.resolving.borrow().get(&key) {
            return running.clone();
        }
        let (resolving, done) = (Rc::clone(&self.resolving), key.clone());
        let look_up = async move {
            let result = match tokio::net::lookup_host((done.0.as_str(), done.1)).await {
                Ok(addresses) => Ok(addresses.collect::<Vec<_>>()),
                Err(error) => Err(Failure::resolving(&error)),
            };
            resolving.borrow_mut().remove(&done);
            result.and_then(|all| {
                if all.is_empty() {
                    Err(Failure::new("name has no address"))
                } else {
                    Ok(all)
                }
            })
        };
        let look_up = look_up.boxed_local().shared();
        self.resolving.borrow_mut().insert(key, look_up.clone());
        // Somebody has to see it through, even when the probe that asked has given up.
        actix_rt::spawn(look_up.clone());
        look_up
    }
}

impl Prober for NetworkProber {
    fn resolve(&self, url: &BackendUrl) -> LocalBoxFuture<'static, Result<Vec<SocketAddr>, Failure>> {
        match url.literal_address() {
            Some(address) => async move { Ok(vec![address]) }.boxed_local(),
            None => self.resolution(url.host(), url.port()).boxed_local(),
        }
    }

    fn probe(&self, url: &BackendUrl, settings: &HealthCheck) -> LocalBoxFuture<'static, ProbeReport> {
        let (prober, url, settings) = (self.clone(), url.clone(), settings.clone());
        async move {
            let started = Instant::now();
            let mut addresses = Vec::new();
            let asked = prober.ask(&url, &settings, &mut addresses);
            let result = timeout(settings.timeout, asked).await;
            let (verdict, detail) = match result {
                Some(Ok(detail)) => (ProbeVerdict::Passed, detail),
                Some(Err(Failure { detail, ours: true })) => (ProbeVerdict::NotAsked, detail),
                Some(Err(Failure { detail, ours: false })) => (ProbeVerdict::Failed, detail),
                None => {
                    let limit = format_duration(settings.timeout);
                    (ProbeVerdict::Failed, format!("timed out after {limit}"))
                }
            };
            ProbeReport {
                verdict,
                detail,
                took: started.elapsed(),
                addresses,
            }
        }
        .boxed_local()
    }
}

/// Why a probe failed, or a name was not resolved.
#[derive(Debug, Clone)]
pub struct Failure {
    /// In a few words.
    detail: String,
    /// The balancer has no file descriptor left: nothing is known of the backend.
    ours: bool,
}

impl Failure {
    fn new(detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { detail, ours: false }
    }

    fn resolving(error: &io::Error) -> Self {
        Self {
            detail: format!("name does not resolve: {error}"),
            ours: is_out_of_files(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let detail = match error.kind() {
            io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
            _ => error.to_string().to_lowercase(),
        };
        Self {
            detail,
            ours: is_out_of_files(&error),
        }
    }
}

impl NetworkProber {
    /// Tries every address until one answers, and puts that one first.
    async fn ask(
        &self,
        url: &BackendUrl,
        settings: &HealthCheck,
        addresses: &mut Vec<SocketAddr>,
    ) -> Result<String, Failure> {
        *addresses = self.resolve(url).await?;
        let deadline = Instant::now() + settings.timeout;
        let mut failure = Failure::new("");
        for index in 0..addresses.len() {
            // An address that swallows packets must leave time for the next one.
            let left = deadline.saturating_duration_since(Instant::now());
            let others = (addresses.len() - index) as u32;
            // The last one has until the probe's own timeout.
            let share = if others == 1 {
                settings.timeout
            } else {
                left / others
            };
            match timeout(share, ask_address(url, addresses[index], settings)).await {
                // One that answers is the right one, whatever it says.
                Some(Ok(verdict)) => {
                    addresses[..=index].rotate_right(1);
                    return verdict.map_err(Failure::new);
                }
                Some(Err(error)) => failure = error,
                None => {
                    let share = format_duration(round_to_millis(share));
                    failure = Failure::new(format!("no answer within {share}"));
                }
            }
        }
        Err(failure)
    }
}

/// Asks at one address: what it says, or that nothing could be heard of it.
async fn ask_address(
    url: &BackendUrl,
    mut address: SocketAddr,
    settings: &HealthCheck,
) -> Result<Result<String, String>, Failure> {
    if let Some(port) = settings.port {
        address.set_port(port);
    }
    let mut stream = TcpStream::connect(address).await?;
    match settings.kind {
        CheckKind::Tcp => Ok(Ok("connected".to_owned())),
        CheckKind::Http => http::exchange(&mut stream, url, settings).await,
    }
}

fn round_to_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_resolved_for_want_of_descriptors_judges_nobody() {
        let ours = |code| Failure::resolving(&io::Error::from_raw_os_error(code)).ours;
        assert!(ours(23) && ours(24));
        assert!(!Failure::resolving(&io::Error::other("no such host")).ours);
    }
}
