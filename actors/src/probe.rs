//! How a backend is asked: name to addresses, then one HTTP request over a fresh connection.
//!
//! A fresh connection, because a backend that no longer accepts any is dead for new clients, however well the old
//! connections work. The `User-Agent` tells probes from clients in the backend's log.

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};

use awc::{
    Client, Connector,
    error::{ConnectError, SendRequestError},
    http::{StatusCode, header},
};
use futures::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use lb_core::config::{BackendUrl, HealthCheck, format_duration};
use tokio::time::timeout;

use crate::messages::ProbeReport;

/// What probes call themselves.
pub const USER_AGENT: &str = concat!("simple-lb-health/", env!("CARGO_PKG_VERSION"));

/// Asks backends. The product has one implementation, tests another.
pub trait Prober {
    /// The addresses of the backend's name; never empty.
    fn resolve(&self, url: &BackendUrl) -> LocalBoxFuture<'static, Result<Vec<SocketAddr>, String>>;

    /// One probe; it ends within the timeout of `settings`.
    fn probe(&self, url: &BackendUrl, settings: &HealthCheck) -> LocalBoxFuture<'static, ProbeReport>;
}

/// The address of a backend that is written as one.
pub fn literal_address(url: &BackendUrl) -> Option<SocketAddr> {
    url.host()
        .parse::<IpAddr>()
        .ok()
        .map(|host| SocketAddr::new(host, url.port()))
}

type Resolution = Shared<LocalBoxFuture<'static, Result<Vec<SocketAddr>, String>>>;

/// Asks over HTTP, with awc.
#[derive(Clone)]
pub struct HttpProber {
    client: Client,
    /// One look-up a name at a time: a resolver that hangs must not pile up threads.
    resolving: Rc<RefCell<HashMap<(String, u16), Resolution>>>,
}

impl HttpProber {
    /// A prober for the thread that calls this.
    pub fn new() -> Self {
        // The probe's own timeout covers the connection too.
        let connector = Connector::new().limit(0).timeout(Duration::from_secs(24 * 3600));
        let client = Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout()
            .no_default_headers()
            .add_default_header((header::USER_AGENT, USER_AGENT))
            .finish();
        Self {
            client,
            resolving: Rc::default(),
        }
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
                Err(error) => Err(format!("name does not resolve: {error}")),
            };
            resolving.borrow_mut().remove(&done);
            result.and_then(|all| {
                if all.is_empty() {
                    Err("name has no address".to_owned())
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

impl Default for HttpProber {
    fn default() -> Self {
        Self::new()
    }
}

impl Prober for HttpProber {
    fn resolve(&self, url: &BackendUrl) -> LocalBoxFuture<'static, Result<Vec<SocketAddr>, String>> {
        match literal_address(url) {
            Some(address) => async move { Ok(vec![address]) }.boxed_local(),
            None => self.resolution(url.host(), url.port()).boxed_local(),
        }
    }

    fn probe(&self, url: &BackendUrl, settings: &HealthCheck) -> LocalBoxFuture<'static, ProbeReport> {
        let (prober, url, settings) = (self.clone(), url.clone(), settings.clone());
        async move {
            let started = Instant::now();
            let mut addresses = Vec::new();
            let mut ours = false;
            let asked = prober.ask(&url, &settings, &mut addresses, &mut ours);
            let result = timeout(settings.timeout, asked).await;
            let (ok, detail) = match result {
                Ok(Ok(status)) => (settings.status.contains(status.as_u16()), status.to_string()),
                Ok(Err(detail)) => (false, detail),
                Err(_) => (
                    false,
                    format!("timed out after {}", format_duration(settings.timeout)),
                ),
            };
            ProbeReport {
                ok,
                detail,
                took: started.elapsed(),
                addresses,
                ours,
            }
        }
        .boxed_local()
    }
}

impl HttpProber {
    /// Tries every address until one answers, and puts that one first.
    async fn ask(
        &self,
        url: &BackendUrl,
        settings: &HealthCheck,
        addresses: &mut Vec<SocketAddr>,
        ours: &mut bool,
    ) -> Result<StatusCode, String> {
        *addresses = self.resolve(url).await?;
        let deadline = Instant::now() + settings.timeout;
        let mut failure = String::new();
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
            match timeout(share, self.get(url, addresses[index], &settings.path)).await {
                Ok(Ok(status)) => {
                    addresses[..=index].rotate_right(1);
                    return Ok(status);
                }
                Ok(Err(error)) => {
                    *ours = is_out_of_files(&error);
                    failure = describe(&error);
                }
                Err(_) => failure = format!("no answer within {}", format_duration(round_to_millis(share))),
            }
        }
        Err(failure)
    }

    async fn get(
        &self,
        url: &BackendUrl,
        address: SocketAddr,
        path: &str,
    ) -> Result<StatusCode, SendRequestError> {
        let request = self
            .client
            .get(format!("{url}{path}"))
            .address(address)
            .force_close();
        Ok(request
            .insert_header((header::HOST, host_header(url)))
            .send()
            .await?
            .status())
    }
}

/// The port is left out where the scheme implies it.
fn host_header(url: &BackendUrl) -> String {
    let authority = url.authority();
    authority
        .strip_suffix(":80")
        .map_or(authority.clone(), str::to_owned)
}

fn round_to_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Whether the process or the machine has no file descriptor left (EMFILE, ENFILE): no fault of the backend.
fn is_out_of_files(error: &SendRequestError) -> bool {
    let SendRequestError::Connect(ConnectError::Io(error)) = error else {
        return false;
    };
    matches!(error.raw_os_error(), Some(23 | 24))
}

/// An error as a person would name it.
fn describe(error: &SendRequestError) -> String {
    let of_io = |error: &io::Error| match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        _ => error.to_string().to_lowercase(),
    };
    match error {
        SendRequestError::Connect(ConnectError::Io(error)) | SendRequestError::Send(error) => of_io(error),
        SendRequestError::Connect(ConnectError::Disconnected) => "closed without an answer".to_owned(),
        SendRequestError::Response(error) => format!("not an HTTP answer: {error}").to_lowercase(),
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_our_own_want_of_descriptors_from_a_backends_refusal() {
        let failed = |code| SendRequestError::Connect(ConnectError::Io(io::Error::from_raw_os_error(code)));
        assert!(is_out_of_files(&failed(24)) && is_out_of_files(&failed(23)));
        assert!(!is_out_of_files(&failed(111)));
        assert!(!is_out_of_files(&SendRequestError::Timeout));
    }
}
