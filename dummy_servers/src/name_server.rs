//! A DNS server for tests: it knows what it is told, is silent where it is told to, and says of all other names that there are
//! none. RFC 1035 section 4, as far as addresses go.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// The largest message that is read; nobody asks in more bytes.
const MESSAGE: usize = 1232;

const A: u16 = 1;
const AAAA: u16 = 28;
const NXDOMAIN: u8 = 3;

/// A name server on a thread of its own, on 127.0.0.1, until it is dropped.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Mutex<Zone>>,
}

#[derive(Debug, Default)]
struct Zone {
    names: HashMap<String, Vec<IpAddr>>,
    /// The ends of names about which it says nothing.
    silent: Vec<String>,
    asked: Vec<String>,
    stopped: bool,
}

impl NameServer {
    /// Starts one that knows no name.
    ///
    /// # Errors
    /// When there is no socket for it.
    pub fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let server = Self {
            address: socket.local_addr()?,
            shared: Arc::default(),
        };
        let shared = Arc::clone(&server.shared);
        thread::spawn(move || serve(&socket, &shared));
        Ok(server)
    }

    /// Where it is asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A name has these addresses from now on.
    pub fn set(&self, name: &str, addresses: &[IpAddr]) {
        self.zone().names.insert(name.to_owned(), addresses.to_vec());
    }

    /// Nothing is said about names with this end from now on.
    pub fn be_silent_about(&self, end: &str) {
        self.zone().silent.push(end.to_owned());
    }

    /// Every name is replied to from now on.
    pub fn speak(&self) {
        self.zone().silent.clear();
    }

    /// The names that it was asked for, each as often as it was; one look-up asks for both families.
    pub fn asked(&self) -> Vec<String> {
        self.zone().asked.clone()
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.zone().stopped = true;
    }
}

fn serve(socket: &UdpSocket, shared: &Mutex<Zone>) {
    let mut message = [0; MESSAGE];
    loop {
        let received = socket.recv_from(&mut message);
        let mut zone = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if zone.stopped {
            return;
        }
        // Nothing came, or what came is no question.
        let Ok((length, from)) = received else { continue };
        if let Some(reply) = reply(&message[..length], &mut zone) {
            // It is asked again where this is lost.
            let _lost = socket.send_to(&reply, from);
        }
    }
}

/// The reply to a message with one question; `None`: silence.
fn reply(message: &[u8], zone: &mut Zone) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let (mut name, mut at) = (String::new(), HEADER);
    loop {
        let length = usize::from(*message.get(at)?);
        if length == 0 {
            break;
        }
        let label = message.get(at + 1..at + 1 + length)?;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(std::str::from_utf8(label).ok()?);
        at += 1 + length;
    }
    name.make_ascii_lowercase();
    let kind = u16::from_be_bytes(message.get(at + 1..at + 3)?.try_into().ok()?);
    let question = message.get(HEADER..at + 5)?;
    zone.asked.push(name.clone());
    if zone.silent.iter().any(|end| name.ends_with(end.as_str())) {
        return None;
    }
    let known = zone.names.get(&name);
    let of_kind = |address: &&IpAddr| match kind {
        A => address.is_ipv4(),
        AAAA => address.is_ipv6(),
        _ => false,
    };
    let answers: Vec<_> = known.into_iter().flatten().filter(of_kind).collect();
    let code = if known.is_some() { 0 } else { NXDOMAIN };
    let mut reply = message.get(..2)?.to_vec();
    // A response, authoritative, with recursion as it was desired and available.
    reply.extend([
        0x85,
        0x80 | code,
        0,
        1,
        0,
        u8::try_from(answers.len()).ok()?,
        0,
        0,
        0,
        0,
    ]);
    reply.extend_from_slice(question);
    for address in answers {
        // The name of the question; class IN, a time to live of an hour, which nobody may wait for.
        reply.extend([0xC0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0x0E, 0x10]);
        match address {
            IpAddr::V4(v4) => reply.extend([&[0, 4][..], &v4.octets()].concat()),
            IpAddr::V6(v6) => reply.extend([&[0, 16][..], &v6.octets()].concat()),
        }
    }
    Some(reply)
}
