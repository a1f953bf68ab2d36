//! An HTTP/1.1 client that shows everything and forgives nothing.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use dummy_servers::DummyServer;

/// No test waits longer for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Header lines as they came, without the status line.
    pub(crate) lines: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let lines = self.lines.iter().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).first().copied()
    }
}

impl Client {
    pub(crate) fn to(server: &DummyServer) -> Self {
        Self::to_address(&format!("127.0.0.1:{}", server.port())).unwrap()
    }

    pub(crate) fn to_address(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a request without a body and reads its answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str) -> Answer {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.answer(method == "HEAD")
    }

    pub(crate) fn answer(&mut self, is_head: bool) -> Answer {
        let head = self.take_line_ending_with(b"\r\n\r\n");
        let mut lines = head.trim_end().split("\r\n").map(str::to_owned);
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            status,
            lines: lines.collect(),
            body: Vec::new(),
        };
        let length = answer
            .value("Content-Length")
            .map(|length| length.parse().unwrap());
        let chunked = answer.value("Transfer-Encoding") == Some("chunked");
        answer.body = match (length, chunked) {
            _ if is_head || status < 200 || matches!(status, 204 | 304) => Vec::new(),
            (Some(length), _) => self.take(length).expect("the whole body"),
            (None, true) => self.chunks(),
            (None, false) => self.rest().unwrap(),
        };
        answer
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line_ending_with(b"\r\n");
            let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
            body.extend(self.take(size).expect("the whole chunk"));
            assert_eq!(self.take(2).expect("the end of the chunk"), b"\r\n");
            if size == 0 {
                return body;
            }
        }
    }

    fn take_line_ending_with(&mut self, end: &[u8]) -> String {
        loop {
            if let Some(at) = self.received.windows(end.len()).position(|window| window == end) {
                let line = self.received.drain(..at + end.len()).collect();
                return String::from_utf8(line).unwrap();
            }
            assert!(
                self.read_some().unwrap() > 0,
                "closed after {:?}",
                String::from_utf8_lossy(&self.received)
            );
        }
    }

    /// So many bytes, or what came until the end.
    fn take(&mut self, length: usize) -> Result<Vec<u8>, Vec<u8>> {
        while self.received.len() < length {
            if self.read_some().unwrap() == 0 {
                return Err(std::mem::take(&mut self.received));
            }
        }
        Ok(self.received.drain(..length).collect())
    }

    /// Everything until the end of the connection; the error is a reset or nothing having come in time.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.read_some()? > 0 {}
        Ok(std::mem::take(&mut self.received))
    }

    fn read_some(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 64 * 1024];
        // A socket with a time limit is not read on after a signal by itself.
        let count = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// Asserts a reset before any byte.
    pub(crate) fn expect_reset(&mut self) {
        let end = self.rest();
        assert_eq!(
            end.as_ref().unwrap_err().kind(),
            io::ErrorKind::ConnectionReset,
            "{end:?}"
        );
        assert!(
            self.received.is_empty(),
            "{:?}",
            String::from_utf8_lossy(&self.received)
        );
    }

    /// Whether nothing has come in this time: neither a byte nor an end.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let nothing = matches!(
            self.read_some().map_err(|error| error.kind()),
            Err(io::ErrorKind::WouldBlock)
        );
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
        nothing
    }

    pub(crate) fn close_sending(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

/// Waits until it holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
