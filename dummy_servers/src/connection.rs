//! One connection: request after request, each treated as the server is told to at that moment.
//!
//! What happens at the end is the point of this server, so it is explicit: a connection that is dropped before
//! [`Connection::serve`] says how it ended, because its server was killed or stopped, is reset.

mod send;

use std::{sync::Arc, time::Duration};

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{
    answer::{Head, Length, TEXT, write_head},
    behaviour::Behaviour,
    body::BodyDecoder,
    request::{BadRequest, Framing, Request, parse},
    routes,
    shared::Shared,
};

pub use self::send::body_byte;

/// Room for what one read brings: most heads fit, and 10,000 idle connections stay cheap.
const READ_SIZE: usize = 4 * 1024;

/// Room for a read within a body: larger gains nothing on loopback.
const BODY_READ_SIZE: usize = 64 * 1024;

/// What may arrive during a pause before the socket is left alone; then the kernel holds the client back.
const LARGEST_BACKLOG: usize = 256 * 1024;

/// How long the rest of a client's bytes is awaited after the last answer: closing on unread bytes would be a reset,
/// which can destroy the answer. RFC 9112, section 9.6.
const LINGER: Duration = Duration::from_secs(1);

/// `Cut` promises the first and sends the second, both more than nothing and less than any buffer.
const CUT_PROMISED: u64 = 1000;
const CUT_SENT: u64 = 100;

/// How a connection ends.
#[derive(Debug)]
pub(crate) enum End {
    /// Nothing is left to read, or the client is gone.
    Close,
    /// The client may still be sending.
    Linger,
    /// With a TCP reset.
    Reset,
}

impl From<std::io::Error> for End {
    fn from(_: std::io::Error) -> Self {
        Self::Close
    }
}

/// A request's body after it was read.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) length: u64,
    /// Its bytes, if the route keeps them.
    pub(crate) kept: Vec<u8>,
    is_too_large: bool,
}

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    shared: Arc<Shared>,
    resets: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.resets {
            let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
        self.shared.hits.connection_closed();
    }
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        // An answer of several writes must not wait for the client's delayed ACK.
        let _ = stream.set_nodelay(true);
        shared.hits.connection_opened();
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            shared,
            resets: true,
        }
    }

    pub(crate) async fn serve(mut self) {
        let end = loop {
            if let Err(end) = self.exchange().await {
                break end;
            }
        };
        match end {
            End::Reset => return,
            End::Linger => self.linger().await,
            End::Close => {}
        }
        self.resets = false;
    }

    async fn exchange(&mut self) -> Result<(), End> {
        let mut request = self.next_request().await?;
        // Chosen before it is counted: who sees the count rise may change the behaviour of later requests only.
        let behaviour = self.shared.next_behaviour(request.route.is_health());
        self.shared.observe(&request);
        if behaviour == Behaviour::Reset {
            return Err(End::Reset);
        }
        let body = self.read_body(&request).await?;
        request.keep_alive &= !body.is_too_large;
        if let Behaviour::Slow(duration) = behaviour {
            self.pause_until(Instant::now() + duration).await?;
        }
        match behaviour {
            Behaviour::Hang => return Err(self.hang().await),
            Behaviour::Cut => return Err(self.cut(&request).await),
            Behaviour::Fail => {
                let text = format!("{} fails, as it was told to\n", self.shared.name);
                self.reply(&request, 500, &[TEXT], text.as_bytes()).await?;
            }
            _ if body.is_too_large => {
                self.reply(&request, 413, &[TEXT], b"/echo takes 1 MiB at most\n")
                    .await?;
            }
            _ => routes::answer(self, &request, &body).await?,
        }
        match (request.keep_alive, body.is_too_large) {
            (true, _) => Ok(()),
            (false, true) => Err(End::Linger),
            (false, false) => Err(End::Close),
        }
    }

    async fn next_request(&mut self) -> Result<Request, End> {
        loop {
            if !self.input.is_empty() {
                match parse(&self.input, self.shared.wants_text()) {
                    Ok(Some((request, length))) => {
                        self.input.advance(length);
                        return Ok(request);
                    }
                    Ok(None) => {}
                    Err(bad) => return Err(self.refuse(bad).await),
                }
            }
            self.read(READ_SIZE).await?;
        }
    }

    /// Reads what the client sends into the buffer. End of input is the end of the connection.
    async fn read(&mut self, room: usize) -> Result<(), End> {
        self.input.reserve(room);
        if self.stream.read_buf(&mut self.input).await? == 0 {
            Err(End::Close)
        } else {
            Ok(())
        }
    }

    async fn read_body(&mut self, request: &Request) -> Result<Body, End> {
        let mut body = Body::default();
        let limit = request.route.keeps_body();
        if let (Framing::Length(length), Some(limit)) = (request.framing, limit)
            && length > limit
        {
            return Ok(Body {
                is_too_large: true,
                ..body
            });
        }
        let mut decoder = BodyDecoder::new(request.framing);
        let mut expects_continue = request.expects_continue;
        loop {
            let Body { length, kept, .. } = &mut body;
            let decoded = decoder.decode(&mut self.input, &mut |data| {
                *length += data.len() as u64;
                if limit.is_some_and(|limit| *length <= limit) {
                    kept.extend_from_slice(data);
                }
            });
            body.is_too_large = limit.is_some_and(|limit| body.length > limit);
            match decoded {
                Err(_) => {
                    return Err(self
                        .refuse(BadRequest(400, "the body is not chunked as it claims"))
                        .await);
                }
                Ok(done) if done || body.is_too_large => return Ok(body),
                Ok(_) => {}
            }
            if std::mem::take(&mut expects_continue) && self.input.is_empty() {
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            self.read(BODY_READ_SIZE).await?;
        }
    }

    async fn refuse(&mut self, BadRequest(status, why): BadRequest) -> End {
        let text = format!("{why}\n");
        self.output.clear();
        let length = Length::Exact(text.len() as u64);
        let head = Head {
            status,
            fields: &[TEXT],
            length,
        };
        write_head(&mut self.output, &self.shared.header_name, None, &head);
        self.output.put_slice(text.as_bytes());
        match self.stream.write_all(&self.output).await {
            Ok(()) => End::Linger,
            Err(_) => End::Close,
        }
    }

    async fn hang(&mut self) -> End {
        loop {
            self.input.clear();
            if let Err(end) = self.read(READ_SIZE).await {
                return end;
            }
        }
    }

    async fn cut(&mut self, request: &Request) -> End {
        let sent = async {
            let length = Length::Exact(CUT_PROMISED);
            let head = Head {
                status: 200,
                fields: &[TEXT],
                length,
            };
            self.send_head(request, &head).await?;
            if request.is_head {
                Ok(())
            } else {
                self.send_pattern(0, CUT_SENT).await
            }
        };
        sent.await.err().unwrap_or(End::Linger)
    }

    async fn linger(&mut self) {
        let rest = async {
            self.stream.shutdown().await?;
            loop {
                self.input.clear();
                self.read(BODY_READ_SIZE).await?;
            }
        };
        let _: Result<Result<(), End>, _> = timeout(LINGER, rest).await;
    }

    /// Waits, but not for longer than the client stays.
    pub(crate) async fn pause_until(&mut self, deadline: Instant) -> Result<(), End> {
        let sleep = tokio::time::sleep_until(deadline);
        tokio::pin!(sleep);
        while self.input.len() < LARGEST_BACKLOG {
            tokio::select! {
                () = &mut sleep => return Ok(()),
                read = self.read(READ_SIZE) => read?,
            }
        }
        sleep.await;
        Ok(())
    }
}
