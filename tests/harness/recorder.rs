//! A backend that reads by the letter, writes down what it got, and answers each whole request with 200.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use super::{
    balancer::Balancer,
    peer::latin1,
    strict::{Request, read_request},
    wait::DEADLINE,
};

/// What came over a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// A whole request.
    Request(Request),
    /// The start of one, before the connection ended. Nobody acts on it.
    Unfinished(String),
    /// What no two readers need to read alike.
    Faulty(String),
}

/// A backend that any number of connections can talk to at once.
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Arrival>>>,
}

impl Recorder {
    /// Listens on 127.0.0.1 and nowhere else, until the test program ends.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let seen = Arc::clone(&recorder.seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || serve(stream, &seen));
            }
        });
        recorder
    }

    /// A recorder, and a balancer with one worker in front of it that never probes it.
    #[track_caller]
    pub fn with_balancer(more: &str) -> (Self, Balancer) {
        let recorder = Self::start();
        let balancer = Balancer::start(&format!(
            "port: 0\nworkers: 1\nbackends: [\"http://{}\"]\nhealth_check: false\n{more}\n",
            recorder.address
        ));
        (recorder, balancer)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The hosts that requests have named since the last time.
    pub fn hosts(&self) -> Vec<String> {
        let requests = self.take().into_iter().filter_map(|arrival| match arrival {
            Arrival::Request(request) => Some(request),
            _ => None,
        });
        let hosts = requests.flat_map(|request| {
            let headers = request.headers.into_iter();
            headers.filter(|(name, _)| name.eq_ignore_ascii_case("host"))
        });
        hosts.map(|(_, value)| value).collect()
    }

    /// What has arrived since the last time.
    pub fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Arrival>>) {
    let note = |arrival| seen.lock().unwrap().push(arrival);
    let (mut bytes, mut piece) = (Vec::new(), [0; 64 * 1024]);
    stream.set_read_timeout(Some(3 * DEADLINE)).unwrap();
    loop {
        match read_request(&bytes) {
            Ok(Some((request, length))) => {
                bytes.drain(..length);
                // No length for HEAD: whoever reads the answers need not know what was asked.
                let body = if request.method == "HEAD" { "" } else { "ok" };
                note(Arrival::Request(request));
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(fault) => return note(Arrival::Faulty(format!("{fault} in {:?}", latin1(&bytes)))),
        }
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
            _ if bytes.is_empty() => return,
            _ => return note(Arrival::Unfinished(latin1(&bytes))),
        }
    }
}
