//! How a backend is asked: name to addresses, then a fresh connection, and one HTTP request over it.
//!
//! A fresh connection, because a backend that no longer accepts any is dead for new clients, however well the old
//! connections work. The `User-Agent` tells probes from clients in the backend's log.

mod error;
mod http;

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Instant};

use futures::{FutureExt, future::LocalBoxFuture};
use lb_core::{
    config::{BackendUrl, CheckKind, HealthCheck},
    roster::{ProbeReport, ProbeVerdict},
};
use lb_net::{Staggered, timeout};
use tokio::net::TcpStream;

pub use self::error::ProbeError;
use crate::{
    RegistryHandle,
    resolver::{LookupError, Resolver},
};

/// What probes call themselves.
pub const USER_AGENT: &str = concat!("simple-lb-health/", env!("CARGO_PKG_VERSION"));

/// Asks backends. The product has one implementation, tests another.
pub trait Prober {
    /// The addresses of the backend's name; never empty.
    fn resolve(&self, url: &BackendUrl) -> LocalBoxFuture<'static, Result<Vec<SocketAddr>, ProbeError>>;

    /// One probe; it ends within the timeout of `settings`.
    fn probe(&self, url: &BackendUrl, settings: &HealthCheck) -> LocalBoxFuture<'static, ProbeReport>;
}

/// Asks over the network.
#[derive(Clone)]
pub struct NetworkProber {
    registry: RegistryHandle,
    resolver: Resolver,
    /// Which address of a name a probe begins with: another one each time.
    turn: Rc<Cell<usize>>,
}

impl NetworkProber {
    /// A prober for the thread that calls this. Names are looked up as the newest snapshot's configuration says.
    pub fn new(registry: RegistryHandle) -> Self {
        Self {
            registry,
            resolver: Resolver::default(),
            turn: Rc::default(),
        }
    }
}

impl Prober for NetworkProber {
    fn resolve(&self, url: &BackendUrl) -> LocalBoxFuture<'static, Result<Vec<SocketAddr>, ProbeError>> {
        if let Some(address) = url.literal_address() {
            return async move { Ok(vec![address]) }.boxed_local();
        }
        let port = url.port();
        let look_up = self
            .resolver
            .look_up(url.host(), &self.registry.snapshot().config().resolver);
        async move {
            let found = look_up.await.map_err(ProbeError::Resolve)?;
            Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
        }
        .boxed_local()
    }

    fn probe(&self, url: &BackendUrl, settings: &HealthCheck) -> LocalBoxFuture<'static, ProbeReport> {
        let (prober, url, settings) = (self.clone(), url.clone(), settings.clone());
        async move {
            let started = Instant::now();
            let mut heard = Heard::default();
            let asked = prober.ask(&url, &settings, &mut heard);
            let result = timeout(settings.timeout, asked).await;
            let result = result.unwrap_or(Err(ProbeError::TimedOut(settings.timeout)));
            let verdict = match &result {
                Ok(_) => ProbeVerdict::Passed,
                Err(error) if error.is_ours() => ProbeVerdict::NotAsked,
                Err(_) => ProbeVerdict::Failed,
            };
            ProbeReport {
                verdict,
                detail: result.unwrap_or_else(|error| error.to_string()),
                took: started.elapsed(),
                addresses: heard.addresses,
                passed: heard.passed,
                failed: heard.failed,
            }
        }
        .boxed_local()
    }
}

/// What a probe has learnt of its backend's addresses.
#[derive(Default)]
struct Heard {
    addresses: Vec<SocketAddr>,
    passed: Option<SocketAddr>,
    failed: Vec<SocketAddr>,
}

impl NetworkProber {
    /// Asks the addresses of the backend until one passes, each time beginning with another one. Where one lets it wait, the
    /// next one is asked meanwhile.
    async fn ask(
        &self,
        url: &BackendUrl,
        settings: &HealthCheck,
        heard: &mut Heard,
    ) -> Result<String, ProbeError> {
        let mut order = self.resolve(url).await?;
        heard.addresses.clone_from(&order);
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let count = order.len().max(1);
        order.rotate_left(turn % count);
        let ask = |address| self.ask_address(url, address, settings);
        let mut attempts = Staggered::new(&order, settings.timeout, ask);
        let mut failure = ProbeError::Resolve(LookupError::NoAddress);
        while let Some((address, said)) = attempts.next().await {
            match said {
                Ok(detail) => {
                    heard.passed = Some(address);
                    // Those that were asked before and have said nothing yet let clients wait, too.
                    let before = order.iter().take_while(|other| **other != address);
                    heard.failed.extend(before);
                    return Ok(detail);
                }
                Err(error) if error.is_ours() => return Err(error),
                Err(error) => {
                    heard.failed.push(address);
                    failure = error;
                }
            }
        }
        Err(failure)
    }

    /// Asks at one address.
    async fn ask_address(
        &self,
        url: &BackendUrl,
        mut address: SocketAddr,
        settings: &HealthCheck,
    ) -> Result<String, ProbeError> {
        if let Some(port) = settings.port {
            address.set_port(port);
        }
        let mut stream = TcpStream::connect(address).await?;
        let local = || Some(stream.local_addr().ok()?.ip());
        if self.registry.listening().is_reached(address, local) {
            return Err(ProbeError::Ourselves);
        }
        match settings.kind {
            CheckKind::Tcp => Ok("connected".to_owned()),
            CheckKind::Http => http::exchange(&mut stream, url, settings).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_name_that_cannot_be_resolved_for_want_of_descriptors_judges_nobody() {
        let ours = |error: io::Error| ProbeError::Resolve(error.into()).is_ours();
        assert!(ours(io::Error::from_raw_os_error(23)) && ours(io::Error::from_raw_os_error(24)));
        assert!(!ours(io::Error::other("no such host")));
    }
}
