//! A web site as people have it, behind the balancer: pages, files with ranges, uploads, events and a WebSocket. For tests
//! whose clients are real programs; it reads requests by the letter and remembers them.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tungstenite::{WebSocket, handshake::derive_accept_key, protocol::Role};

use super::{
    balancer::Balancer,
    strict::{Request, read_request},
    wait::{DEADLINE, pause},
};

/// `hello`, as gzip writes it.
pub const GZIP_HELLO: [u8; 25] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00,
    0x86, 0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00,
];

/// Bytes of `/file`.
pub const FILE_LENGTH: usize = 3_000_000;

/// What each byte of `/file` is.
pub fn file() -> Vec<u8> {
    (0..FILE_LENGTH).map(|at| (at % 251) as u8).collect()
}

/// A file of the site beside those that every site has: path, type, content.
pub type Page = (&'static str, &'static str, &'static str);

/// The site. Its threads end with the test program.
pub struct Site {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Site {
    /// Listens on 127.0.0.1 and nowhere else.
    pub fn start(pages: &'static [Page]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let seen = Arc::clone(&site.seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                // Who leaves in the middle is served no more.
                thread::spawn(move || {
                    let _left = Visit::new(stream, pages, &seen).serve();
                });
            }
        });
        site
    }

    /// A site, and a balancer in front of it.
    #[track_caller]
    pub fn with_balancer(pages: &'static [Page]) -> (Self, Balancer) {
        let site = Self::start(pages);
        let balancer = Balancer::start(&format!(
            "port: 0\nbackends: [\"http://{}\"]\nhealth_check: false\n",
            site.address
        ));
        (site, balancer)
    }

    /// The requests so far for this path.
    pub fn seen(&self, path: &str) -> Vec<Request> {
        let seen = self.seen.lock().unwrap();
        let of_path = seen.iter().filter(|request| path_of(request) == path);
        of_path.cloned().collect()
    }
}

fn path_of(request: &Request) -> &str {
    request.target.split('?').next().unwrap_or_default()
}

/// One connection.
struct Visit<'a> {
    stream: TcpStream,
    bytes: Vec<u8>,
    pages: &'static [Page],
    seen: &'a Mutex<Vec<Request>>,
}

impl<'a> Visit<'a> {
    fn new(stream: TcpStream, pages: &'static [Page], seen: &'a Mutex<Vec<Request>>) -> Self {
        stream.set_read_timeout(Some(3 * DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            bytes: Vec::new(),
            pages,
            seen,
        }
    }

    fn serve(mut self) -> io::Result<()> {
        while let Some(request) = self.next()? {
            self.seen.lock().unwrap().push(request.clone());
            if request.target == "/socket" && !request.all("upgrade").is_empty() {
                return self.echo_messages(&request);
            }
            self.answer(&request)?;
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<Request>> {
        let (mut piece, mut asked) = (vec![0; 256 * 1024], false);
        loop {
            let read = read_request(&self.bytes).map_err(|fault| {
                // Shown by whoever looks at the test's output: no client would.
                eprintln!("the site got a faulty request: {fault}");
                io::Error::other(fault)
            })?;
            if let Some((request, length)) = read {
                self.bytes.drain(..length);
                return Ok(Some(request));
            }
            let head = self.bytes.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(head) = head.filter(|_| !asked) {
                let text = String::from_utf8_lossy(&self.bytes[..head]).to_ascii_lowercase();
                if text.contains("\r\nexpect: 100-continue") {
                    self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                }
                asked = true;
            }
            match self.stream.read(&mut piece)? {
                0 => return Ok(None),
                count => self.bytes.extend_from_slice(&piece[..count]),
            }
        }
    }

    fn answer(&mut self, request: &Request) -> io::Result<()> {
        match path_of(request) {
            "/echo" => self.reply(request, "200 OK\r\nContent-Type: application/octet-stream", &request.body),
            "/gzip" => self.reply(
                request,
                "200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip",
                &GZIP_HELLO,
            ),
            "/file" => self.reply_with_range(request),
            "/chunks" => self.stream.write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\none\r\n4\r\n two\r\n0\r\nX-Sum: 2\r\n\r\n",
            ),
            "/cookies" => self.reply(request, "200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Path=/", b""),
            "/events" => self.send_events(),
            "/hold" => {
                self.hold();
                self.reply(request, "204 No Content", b"")
            }
            path => match self.pages.iter().find(|(name, ..)| *name == path) {
                Some((_, kind, content)) => {
                    self.reply(request, &format!("200 OK\r\nContent-Type: {kind}"), content.as_bytes())
                }
                None => self.reply(request, "404 Not Found", b"no such page\n"),
            },
        }
    }

    fn reply(&mut self, request: &Request, head: &str, body: &[u8]) -> io::Result<()> {
        let length = match head.starts_with("204") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        write!(self.stream, "HTTP/1.1 {head}\r\n{length}\r\n")?;
        match request.method.as_str() {
            "HEAD" => Ok(()),
            _ => self.stream.write_all(body),
        }
    }

    fn reply_with_range(&mut self, request: &Request) -> io::Result<()> {
        let file = file();
        let range = request.all("range").first().and_then(|range| {
            let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
            let from: usize = from.parse().ok()?;
            Some(from..to.parse().map_or(file.len(), |to: usize| to + 1))
        });
        match range {
            Some(range) => {
                let (from, to) = (range.start, range.end - 1);
                let head = format!("206 Partial Content\r\nContent-Range: bytes {from}-{to}/{FILE_LENGTH}");
                self.reply(request, &head, &file[range])
            }
            None => self.reply(request, "200 OK\r\nAccept-Ranges: bytes", &file),
        }
    }

    /// Three events, one after the other, and the end of the connection as their end.
    fn send_events(&mut self) -> io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        self.stream.write_all(head.as_bytes())?;
        for number in 1..=3 {
            write!(self.stream, "id: {number}\ndata: event {number}\n\n")?;
            pause(Duration::from_millis(100));
        }
        self.stream.shutdown(std::net::Shutdown::Write)?;
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    /// Waits until something was reported, so that a page is not done before its script is.
    fn hold(&self) {
        for _ in 0..DEADLINE.as_millis() / 10 {
            let seen = self.seen.lock().unwrap();
            if seen.iter().any(|request| request.target == "/report") {
                return;
            }
            drop(seen);
            pause(Duration::from_millis(10));
        }
    }

    /// A WebSocket that says everything again.
    fn echo_messages(mut self, request: &Request) -> io::Result<()> {
        let key = request
            .all("sec-websocket-key")
            .first()
            .copied()
            .unwrap_or_default()
            .to_owned();
        let accept = derive_accept_key(key.as_bytes());
        write!(
            self.stream,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        )?;
        let mut socket = WebSocket::from_partially_read(self.stream, self.bytes, Role::Server, None);
        loop {
            match socket.read() {
                Ok(message) if message.is_text() || message.is_binary() => {
                    socket.send(message).map_err(io::Error::other)?;
                }
                Ok(_) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}
