//! Sockets to accept connections on, bound before anything else is started, so that a port that is taken is said at
//! once and in words.

mod seats;
mod server;
mod shortage;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use lb_core::{
    config::{Config, Listener},
    listening::Listening,
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

pub use self::server::{Accepted, Serve, Server};

/// Connections that wait to be accepted; the kernel's `net.core.somaxconn` bounds it further. Enough for a burst of
/// 5,000 clients, where the usual 128 would drop most of them.
pub const BACKLOG: u32 = 4096;

/// A listener that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct BindError {
    address: String,
    reason: String,
}

impl BindError {
    fn new(listener: Listener, error: &io::Error) -> Self {
        let port = listener.port;
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "another program listens there; see which with `ss -ltnp 'sport = :{port}'`, stop it, or choose \
                 another `port`"
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
pub fn bind(config: &Config) -> Result<Vec<TcpListener>, BindError> {
    let listeners = config.listeners.iter();
    listeners
        .map(|listener| bind_one(*listener).map_err(|error| BindError::new(*listener, &error)))
        .collect()
}

/// Where these sockets take connections.
pub fn listening(sockets: &[TcpListener]) -> Listening {
    let mut all = Vec::with_capacity(sockets.len());
    for socket in sockets {
        let Ok(address) = socket.local_addr() else {
            continue;
        };
        all.push(address);
        let takes_ipv4 = || SockRef::from(socket).only_v6().is_ok_and(|only_v6| !only_v6);
        if address.is_ipv6() && address.ip().is_unspecified() && takes_ipv4() {
            all.push(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()));
        }
    }
    Listening::new(all)
}

fn bind_one(listener: Listener) -> io::Result<TcpListener> {
    let at = |host: IpAddr| listen(SocketAddr::new(host, listener.port), false);
    match listener.host {
        Some(host) => at(host),
        None => match listen(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), listener.port), true) {
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

fn listen(address: SocketAddr, dual_stack: bool) -> io::Result<TcpListener> {
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
    socket.listen(BACKLOG as i32)?;
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
        let port = first[0].local_addr().map_or(0, |address| address.port());
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
        let port = bound[0].local_addr().map_or(0, |address| address.port());
        assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}
