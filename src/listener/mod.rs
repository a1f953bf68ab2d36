//! Sockets to accept connections on, bound before anything else is started, so that a port that is taken is said at
//! once and in words.

mod seats;
mod server;
mod shortage;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    time::Duration,
};

use lb_core::{
    config::{Config, Listener},
    listening::Listening,
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

pub use self::server::{Accepted, Capacity, Serve, Server};

/// Connections that wait to be accepted; the kernel's `net.core.somaxconn` bounds it further. Enough for a burst of
/// 5,000 clients, where the usual 128 would drop most of them.
const BACKLOG: u32 = 4096;

/// Connections to the admin listener that wait to be accepted.
const ADMIN_BACKLOG: u32 = 64;

/// How long a client of the admin listener may take nothing of what it was sent.
const ADMIN_UNREAD: Duration = Duration::from_secs(30);

/// A socket that listens, with what is configured of it.
#[derive(Debug)]
pub struct BoundListener {
    socket: TcpListener,
    /// Connections that wait to be accepted, at most.
    backlog: u32,
}

/// Of a socket that was bound elsewhere.
impl From<TcpListener> for BoundListener {
    fn from(socket: TcpListener) -> Self {
        Self {
            socket,
            backlog: BACKLOG,
        }
    }
}

impl BoundListener {
    /// The socket, for a server of another kind.
    pub fn into_socket(self) -> TcpListener {
        self.socket
    }

    /// Where it listens; none where the system does not say it.
    pub fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }
}

/// A listener that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct BindError {
    address: String,
    reason: String,
}

impl BindError {
    /// `setting` is what names the listener.
    fn new(listener: Listener, setting: &str, error: &io::Error) -> Self {
        let port = listener.port;
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "another program listens there; see which with `ss -ltnp 'sport = :{port}'`, stop it, or choose \
                 another `{setting}`"
            ),
            io::ErrorKind::PermissionDenied => {
                format!("no permission for port {port}; choose one above 1023, or grant CAP_NET_BIND_SERVICE")
            }
            io::ErrorKind::AddrNotAvailable => {
                "this machine does not have that address; see `ip address`".to_owned()
            }
            _ => error.to_string(),
        };
        Self {
            address: listener.to_string(),
            reason,
        }
    }
}

/// Binds all listeners of a configuration, in order. The one place that reads what is configured of their sockets.
///
/// # Errors
/// [`BindError`] for the first that cannot be bound; none is left bound then.
pub fn bind(config: &Config) -> Result<Vec<BoundListener>, BindError> {
    let (listeners, backlog) = (config.listeners.iter(), backlog(config));
    listeners
        .map(|listener| {
            bind_one(*listener, backlog).map_err(|error| BindError::new(*listener, "port", &error))
        })
        .collect()
}

/// Binds the admin listener of a configuration, where there is one.
///
/// # Errors
/// [`BindError`] when it cannot be bound.
pub fn bind_admin(config: &Config) -> Result<Option<BoundListener>, BindError> {
    let Some(listener) = config.admin.as_ref().map(|admin| admin.listen) else {
        return Ok(None);
    };
    let error = |error| BindError::new(listener, "admin.listen", &error);
    let bound = bind_one(listener, ADMIN_BACKLOG).map_err(error)?;
    // Whoever takes nothing of a response must not keep its connection.
    let kept = SockRef::from(&bound.socket).set_tcp_user_timeout(Some(ADMIN_UNREAD));
    if let Err(error) = kept {
        log::debug!("admin.listen: cannot set TCP_USER_TIMEOUT: {error}");
    }
    Ok(Some(bound))
}

/// Connections that this configuration's listeners let wait to be accepted.
pub fn backlog(_config: &Config) -> u32 {
    BACKLOG
}

/// Limits of listeners that no setting changes, with their values.
pub fn fixed_limits() -> Vec<(&'static str, String)> {
    vec![("connections waiting to be accepted", BACKLOG.to_string())]
}

/// Where these take connections.
pub fn listening<'l>(listeners: impl IntoIterator<Item = &'l BoundListener>) -> Listening {
    let mut all = Vec::new();
    for listener in listeners {
        let Some(address) = listener.address() else {
            continue;
        };
        all.push(address);
        let takes_ipv4 = || {
            SockRef::from(&listener.socket)
                .only_v6()
                .is_ok_and(|only_v6| !only_v6)
        };
        if address.is_ipv6() && address.ip().is_unspecified() && takes_ipv4() {
            all.push(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()));
        }
    }
    Listening::new(all)
}

fn bind_one(listener: Listener, backlog: u32) -> io::Result<BoundListener> {
    let listen = |host: IpAddr, dual_stack| {
        let socket = listen(SocketAddr::new(host, listener.port), dual_stack, backlog)?;
        Ok(BoundListener { socket, backlog })
    };
    let at = |host| listen(host, false);
    match listener.host {
        Some(host) => at(host),
        None => match listen(Ipv6Addr::UNSPECIFIED.into(), true) {
            // A machine without IPv6.
            Err(error) if is_without_ipv6(&error) => at(Ipv4Addr::UNSPECIFIED.into()),
            bound => bound,
        },
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable
    ) || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn listen(address: SocketAddr, dual_stack: bool, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    // A restart must not wait for the last connections of the process before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Accepted connections inherit it: without it a small write waits for the acknowledgement of the last one.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use lb_core::config;

    use super::*;

    fn on(port: u16) -> Config {
        let text = format!("port: {port}\nbackends: [http://a]");
        config::load(&text, "config.yaml", &|_| None).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    #[test]
    fn a_taken_port_is_said_with_what_to_type_next() {
        let first = bind(&on(0)).unwrap_or_default();
        let port = first[0].address().map_or(0, |address| address.port());
        let error = bind(&on(port)).map(|_| ()).map_err(|error| error.to_string());
        let text = error.err().unwrap_or_default();
        assert!(
            text.starts_with(&format!(
                "cannot listen on :{port}: another program listens there"
            )),
            "{text}"
        );
        assert!(text.contains("ss -ltnp"), "{text}");
    }

    #[test]
    fn a_listener_without_host_takes_ipv4_too() {
        let bound = bind(&on(0)).unwrap_or_default();
        let port = bound[0].address().map_or(0, |address| address.port());
        assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}
