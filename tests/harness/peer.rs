//! One end of a raw connection, a client's or a backend's: sends exactly the bytes it is given, shows exactly those it
//! gets, and tells an orderly end from a reset.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::wait::DEADLINE;

/// A connection whose every byte the test decides.
pub struct Peer {
    stream: TcpStream,
    /// Read and not used yet.
    unread: Vec<u8>,
}

/// How the other side ended the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It said that nothing more comes.
    Closed,
    /// It broke the connection off.
    Reset,
}

/// A message's head as it came, each byte a character, with its line endings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head(pub String);

impl Head {
    /// The start line.
    pub fn first(&self) -> &str {
        self.0.split("\r\n").next().unwrap_or_default()
    }

    /// The status code of an answer.
    #[track_caller]
    pub fn status(&self) -> u16 {
        let code = self.first().split(' ').nth(1);
        code.and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("no status line: {self:?}"))
    }

    /// The header lines as they came.
    pub fn lines(&self) -> Vec<&str> {
        let lines = self.0.split("\r\n").skip(1);
        lines.filter(|line| !line.is_empty()).collect()
    }

    /// Every value of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.lines().into_iter().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_matches([' ', '\t']))
            .collect()
    }

    /// The value of a header that comes once at most.
    #[track_caller]
    pub fn one(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} is repeated: {self:?}");
        all.first().copied()
    }

    /// The elements of a list header, in lower case.
    pub fn list(&self, name: &str) -> Vec<String> {
        let all = self.all(name).join(",").to_ascii_lowercase();
        let elements = all.split(',').map(|element| element.trim().to_owned());
        elements.filter(|element| !element.is_empty()).collect()
    }
}

/// Bytes as characters, one each.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

impl Peer {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect_timeout(&address, DEADLINE).unwrap())
    }

    /// A client whose kernel takes few bytes that nobody reads. Small segments keep the other side's buffer small, too,
    /// so that it sees slow progress as such.
    #[track_caller]
    pub fn connect_with_small_buffer(address: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        socket.set_tcp_mss(536).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::of(socket.into())
    }

    #[track_caller]
    pub fn of(stream: TcpStream) -> Self {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    /// For those who may be cut off while they send.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends until nothing more is taken for a while: everything on the way is full.
    #[track_caller]
    pub fn send_until_blocked(&mut self, most: usize) {
        self.stream
            .set_write_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let piece = vec![b'x'; 64 * 1024];
        let mut sent = 0;
        while let Ok(count) = self.stream.write(&piece) {
            sent += count;
            assert!(sent < most, "{sent} bytes are taken, and still more");
        }
        self.stream.set_write_timeout(Some(DEADLINE)).unwrap();
    }

    /// Sends this again and again until the other side has broken the connection.
    #[track_caller]
    pub fn send_until_cut_off(&mut self, bytes: impl AsRef<[u8]>, longest: Duration) {
        let start = Instant::now();
        self.stream
            .set_write_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let blocked = |error: &io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        while self
            .stream
            .write(bytes.as_ref())
            .map_or_else(|error| blocked(&error), |_| true)
        {
            assert!(start.elapsed() < longest, "not cut off within {longest:?}");
        }
        self.stream.set_write_timeout(Some(DEADLINE)).unwrap();
    }

    /// Reads a head if another one comes.
    pub fn try_read_head(&mut self) -> Option<Head> {
        loop {
            let found = self.unread.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(at) = found {
                return Some(Head(latin1(&self.unread.drain(..at + 4).collect::<Vec<_>>())));
            }
            if !matches!(self.fill(), Ok(count) if count > 0) {
                return None;
            }
        }
    }

    /// Reads a head, up to its empty line.
    #[track_caller]
    pub fn read_head(&mut self) -> Head {
        Head(latin1(&self.read_until(b"\r\n\r\n")))
    }

    /// Reads up to the end of `needle`.
    #[track_caller]
    pub fn read_until(&mut self, needle: &[u8]) -> Vec<u8> {
        loop {
            let found = self
                .unread
                .windows(needle.len())
                .position(|window| window == needle);
            if let Some(at) = found {
                return self.unread.drain(..at + needle.len()).collect();
            }
            self.must_fill(&format!("{:?}", latin1(needle)));
        }
    }

    /// Reads that many bytes.
    #[track_caller]
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            self.must_fill(&format!("{count} bytes"));
        }
        self.unread.drain(..count).collect()
    }

    #[track_caller]
    fn must_fill(&mut self, wanted: &str) {
        let filled = self.fill();
        let so_far = latin1(&self.unread[..self.unread.len().min(500)]);
        assert!(
            matches!(filled, Ok(count) if count > 0),
            "{filled:?} instead of {wanted} behind {so_far:?}"
        );
    }

    /// Reads to the end of the connection.
    #[track_caller]
    pub fn read_to_end(&mut self) -> (Vec<u8>, Ending) {
        let ending = loop {
            match self.fill() {
                Ok(0) => break Ending::Closed,
                Ok(_) => {}
                Err(error) if is_reset(&error) => break Ending::Reset,
                Err(error) => panic!("{error} behind {:?}", latin1(&self.unread)),
            }
        };
        (std::mem::take(&mut self.unread), ending)
    }

    /// Waits for the end of the connection, before which nothing more may come.
    #[track_caller]
    pub fn expect_end(&mut self) -> Ending {
        let (rest, ending) = self.read_to_end();
        assert_eq!(latin1(&rest), "", "before the end ({ending:?})");
        ending
    }

    /// The same, which must come within that time.
    #[track_caller]
    pub fn expect_end_within(&mut self, longest: Duration) -> Ending {
        let start = Instant::now();
        let ending = self.expect_end();
        let took = start.elapsed();
        assert!(took <= longest, "the end took {took:?}, not {longest:?} at most");
        ending
    }

    /// Whether nothing comes for that long, not even the end.
    #[track_caller]
    pub fn is_silent_for(&mut self, duration: Duration) -> bool {
        self.stream.set_read_timeout(Some(duration)).unwrap();
        let filled = self.fill();
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
        matches!(filled, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// Says that nothing more comes, and goes on reading.
    #[track_caller]
    pub fn finish_sending(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Breaks the connection off.
    #[track_caller]
    pub fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    /// Sends as fast as it is taken, on a thread of its own, until the other side has ended the connection.
    pub fn sends_without_end(self) -> std::thread::JoinHandle<()> {
        let stream = self.into_stream();
        std::thread::spawn(move || {
            let piece = vec![b'x'; 64 * 1024];
            while (&stream).write_all(&piece).is_ok() {}
        })
    }

    /// The socket, for those who read and write at once.
    pub fn into_stream(self) -> TcpStream {
        assert!(self.unread.is_empty(), "unread: {:?}", latin1(&self.unread));
        self.stream
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(count) => {
                    self.unread.extend_from_slice(&piece[..count]);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
    )
}
