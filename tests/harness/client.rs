//! An HTTP/1.1 client that writes exactly the bytes it is given and believes nothing: a message that ends early, or
//! has bytes to spare, is an error.

use std::{
    io::{self, Error, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
};

use super::wait::DEADLINE;

/// A connection that is kept alive.
pub struct Client {
    stream: TcpStream,
    address: SocketAddr,
    /// Read and not used yet.
    buffer: Vec<u8>,
}

/// An answer. Header names are as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// One GET over a connection of its own.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Response {
    Client::connect(address).get(path)
}

impl Response {
    /// Every value of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that comes once at most.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} is repeated: {all:?}");
        all.first().copied()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The name of the backend that said `Hello from NAME` with 200.
    #[track_caller]
    pub fn server(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        self.text()
            .trim_end()
            .trim_start_matches("Hello from ")
            .to_owned()
    }
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            address,
            buffer: Vec::new(),
        })
    }

    /// GET without anything special.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Response {
        self.request("GET", path, &[], b"")
    }

    /// A request with these header lines beside `Host`; a body that is not empty gets a `Content-Length`.
    #[track_caller]
    pub fn request(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Response {
        self.try_request(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub fn try_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> io::Result<Response> {
        self.send_request(method, path, headers, body)?;
        self.read_response(method)
    }

    /// Sends without waiting for the answer.
    pub fn send_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> io::Result<()> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers
            .iter()
            .any(|line| line.to_ascii_lowercase().starts_with("host:"))
        {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        headers
            .iter()
            .for_each(|line| head.push_str(&format!("{line}\r\n")));
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes)
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a piece of a chunked body; an empty one is its end.
    pub fn send_chunk(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut bytes = format!("{:x}\r\n", piece.len()).into_bytes();
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
        self.send(&bytes)
    }

    /// Reads a whole answer to a request with this method.
    pub fn read_response(&mut self, method: &str) -> io::Result<Response> {
        let mut response = self.read_head()?;
        let mut body = Vec::new();
        self.read_body(method, &response, |piece| body.extend_from_slice(piece))?;
        response.body = body;
        Ok(response)
    }

    /// Reads a status line and header lines.
    pub fn read_head(&mut self) -> io::Result<Response> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if self.fill()? == 0 {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    "closed before an answer's head was complete",
                ));
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8(head).map_err(Error::other)?;
        let mut lines = head.trim_end().split("\r\n");
        let first = lines.next().unwrap_or_default();
        let wrong = || Error::other(format!("not HTTP: {first:?}"));
        let mut parts = first.splitn(3, ' ');
        let version = parts.next().filter(|version| *version == "HTTP/1.1");
        let status = version
            .and(parts.next())
            .and_then(|status| status.parse().ok())
            .ok_or_else(wrong)?;
        let line = |line: &str| {
            line.split_once(':')
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        };
        let headers = lines
            .map(|text| line(text).ok_or_else(wrong))
            .collect::<io::Result<_>>()?;
        Ok(Response {
            status,
            headers,
            body: Vec::new(),
        })
    }

    /// Reads the body that belongs to a head, piece by piece. A body that is cut short is an error.
    pub fn read_body(
        &mut self,
        method: &str,
        head: &Response,
        mut piece: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        if method == "HEAD" || matches!(head.status, 100..200 | 204 | 304) {
            return Ok(());
        }
        if head
            .header("Transfer-Encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            loop {
                let line = self.read_line()?;
                let length =
                    usize::from_str_radix(&line, 16).map_err(|_| Error::other(format!("chunk {line:?}")))?;
                self.read_exactly(length as u64, &mut piece)?;
                if !self.read_line()?.is_empty() {
                    return Err(Error::other("a chunk is longer than it says"));
                }
                if length == 0 {
                    return Ok(());
                }
            }
        }
        if let Some(length) = head.header("Content-Length") {
            let length = length
                .parse()
                .map_err(|_| Error::other(format!("Content-Length: {length}")))?;
            return self.read_exactly(length, &mut piece);
        }
        loop {
            piece(&std::mem::take(&mut self.buffer));
            if self.fill()? == 0 {
                return Ok(());
            }
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return String::from_utf8(line[..end].to_vec()).map_err(Error::other);
            }
            if self.fill()? == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "closed within a body"));
            }
        }
    }

    fn read_exactly(&mut self, mut left: u64, piece: &mut impl FnMut(&[u8])) -> io::Result<()> {
        while left > 0 {
            if self.buffer.is_empty() && self.fill()? == 0 {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    format!("closed {left} bytes before the end"),
                ));
            }
            let length = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            piece(&self.buffer[..length]);
            self.buffer.drain(..length);
            left -= length as u64;
        }
        Ok(())
    }

    /// Everything up to the end of the connection.
    pub fn read_to_end(&mut self) -> io::Result<String> {
        while self.fill()? > 0 {}
        String::from_utf8(std::mem::take(&mut self.buffer)).map_err(Error::other)
    }

    /// Whether the other side closes, and says nothing more before it does.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.fill(), Ok(0)) || self.stream.peer_addr().is_err()
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(length) => {
                    self.buffer.extend_from_slice(&piece[..length]);
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
