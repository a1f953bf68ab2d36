//! The sockets of a server: 127.0.0.1 and, where it can be had, the same port on [::1], so that `localhost` works
//! whichever way it resolves.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the kernel lowers it to its own limit.
const BACKLOG: i32 = 4096;

/// How often another port is taken when a free one turns out to be used on [::1].
const ATTEMPTS: usize = 16;

/// A port that stays with its server while nobody listens on it.
///
/// On Linux a second socket, bound and not listening, keeps the kernel from giving the port to anybody who asks for a
/// free one; both sockets need SO_REUSEADDR for it. Other systems refuse such a pair, and there the port is only
/// likely to be free.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    addresses: Vec<SocketAddr>,
    _held: Vec<Socket>,
}

impl Port {
    /// Takes this port, or any free one for 0.
    pub(crate) fn take(number: u16) -> io::Result<Self> {
        let mut attempts = if number == 0 { ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            let v4 = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, number)))
                .map_err(|error| explain(error, number))?;
            let port = v4
                .local_addr()?
                .as_socket()
                .map_or(number, |address| address.port());
            let v6 = bound(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
            if matches!(&v6, Err(error) if error.kind() == io::ErrorKind::AddrInUse) && attempts > 0 {
                continue;
            }
            let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
            addresses.extend(v6.is_ok().then(|| SocketAddr::from((Ipv6Addr::LOCALHOST, port))));
            let held = if cfg!(target_os = "linux") {
                [Some(v4), v6.ok()]
            } else {
                [None, None]
            };
            return Ok(Self {
                number: port,
                addresses,
                _held: held.into_iter().flatten().collect(),
            });
        }
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Begins to listen. Only 127.0.0.1 is indispensable.
    pub(crate) fn listen(&self) -> io::Result<Vec<TcpListener>> {
        let mut listeners = Vec::new();
        for address in &self.addresses {
            let listener = bound(*address).and_then(|socket| {
                socket.listen(BACKLOG)?;
                socket.set_nonblocking(true)?;
                Ok(TcpListener::from(socket))
            });
            match listener {
                Ok(listener) => listeners.push(listener),
                Err(error) if address.is_ipv4() => return Err(explain(error, self.number)),
                Err(_) => {}
            }
        }
        Ok(listeners)
    }
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn explain(error: io::Error, port: u16) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot listen on 127.0.0.1:{port}: {error}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Port::take(port).and_then(|port| port.listen()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(
            error.to_string().contains(&format!("127.0.0.1:{port}")),
            "{error}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_port_is_kept_while_nobody_listens_and_can_be_listened_on_again() {
        let port = Port::take(0).unwrap();
        drop(port.listen().unwrap());
        // Whoever asks for a free port is refused like this socket, which does not share.
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
        let error = other.bind(&address.into()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(!port.listen().unwrap().is_empty());
    }
}
