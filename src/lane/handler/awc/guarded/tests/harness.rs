//! A client, a backend that is played by the test, and what came of it in one line.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::{Method, body::BoxBody};
use actix_rt::net::{ActixStream, TcpStream};
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::{
    Connector,
    error::{PayloadError, SendRequestError},
    http::Uri,
};
use bytes::Bytes;
use futures::{StreamExt, future::LocalBoxFuture};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use crate::lane::handler::awc::{
    guarded::{Fault, Guarded, OMITTED_LENGTH, Shared},
    watch::Watch,
};

/// Whatever takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a test that must not hang. awc needs actix's runtime.
pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let timed = async { tokio::time::timeout(DEADLINE, test).await };
    actix_rt::Runtime::new().unwrap().block_on(timed).expect("hangs")
}

/// awc over guarded connections.
pub(super) struct Client {
    awc: awc::Client,
    shared: Rc<Shared>,
    opened: Rc<Cell<usize>>,
    received: Cell<usize>,
}

type Dial<Io> = Rc<dyn Fn() -> LocalBoxFuture<'static, io::Result<Io>>>;

struct Connect<Io> {
    dial: Dial<Io>,
    shared: Rc<Shared>,
    opened: Rc<Cell<usize>>,
}

impl<Io> Clone for Connect<Io> {
    fn clone(&self) -> Self {
        Self {
            dial: Rc::clone(&self.dial),
            shared: Rc::clone(&self.shared),
            opened: Rc::clone(&self.opened),
        }
    }
}

impl<Io: 'static> Service<ConnectInfo<Uri>> for Connect<Io> {
    type Response = Connection<Uri, Guarded<Io>>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, info: ConnectInfo<Uri>) -> Self::Future {
        let (dialled, shared) = ((self.dial)(), Rc::clone(&self.shared));
        self.opened.set(self.opened.get() + 1);
        Box::pin(async move {
            let stream = dialled.await.map_err(ConnectError::Io)?;
            Ok(Connection::new(
                info.request().clone(),
                Guarded::new(stream, shared),
            ))
        })
    }
}

impl Client {
    /// Its connections come from `dial`.
    pub(super) fn over<Io: ActixStream + 'static>(
        dial: impl Fn() -> LocalBoxFuture<'static, io::Result<Io>> + 'static,
    ) -> Self {
        let (shared, opened) = (Rc::<Shared>::default(), Rc::<Cell<usize>>::default());
        let connect = Connect {
            dial: Rc::new(dial),
            shared: Rc::clone(&shared),
            opened: Rc::clone(&opened),
        };
        let awc = awc::Client::builder()
            .connector(Connector::new().connector(connect).limit(0))
            .disable_redirects()
            .disable_timeout()
            .no_default_headers()
            .finish();
        Self {
            awc,
            shared,
            opened,
            received: Cell::new(0),
        }
    }

    pub(super) fn to(address: SocketAddr) -> Self {
        Self::over(move || Box::pin(TcpStream::connect(address)))
    }

    /// Connections opened so far.
    pub(super) fn opened(&self) -> usize {
        self.opened.get()
    }

    /// Waits until something of a body has come through.
    pub(super) async fn received(&self) {
        while self.received.get() == 0 {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn get(&self) -> String {
        self.ask(Method::GET, BoxBody::new(())).await
    }

    /// Sends a request and tells what came of it: `200 body`, `200 bod, then <fault>`, or `failed: <fault>`.
    pub(super) async fn ask(&self, method: Method, body: BoxBody) -> String {
        self.ask_with(method, body, &[]).await
    }

    pub(super) async fn ask_with(&self, method: Method, body: BoxBody, headers: &[(&str, &str)]) -> String {
        let request = headers.iter().fold(
            self.awc
                .request(method, "http://backend.test/path")
                .no_decompress(),
            |request, header| request.append_header(*header),
        );
        match self
            .shared
            .uploads
            .send(request, body, Rc::new(Watch::new(None)))
            .await
        {
            Ok(answer) => self.tell(answer).await,
            Err(error) => format!("failed: {}", tell_failure(&error)),
        }
    }

    async fn tell(&self, mut answer: awc::ClientResponse) -> String {
        let mut told = format!("{} ", answer.status().as_u16()).into_bytes();
        if let Some(length) = answer.headers().get(OMITTED_LENGTH) {
            told.extend_from_slice(format!("omitted {length:?} ").as_bytes());
        }
        let mut fault = String::new();
        while let Some(piece) = answer.next().await {
            match piece {
                Ok(piece) => {
                    self.received.set(self.received.get() + piece.len());
                    told.extend_from_slice(&piece);
                }
                Err(PayloadError::Incomplete(Some(error))) => fault = format!(", then {}", tell_io(&error)),
                Err(error) => fault = format!(", then {error}"),
            }
        }
        String::from_utf8_lossy(&told).trim_end().to_owned() + &fault
    }
}

fn tell_failure(error: &SendRequestError) -> String {
    match error {
        SendRequestError::Response(actix_http::error::ParseError::Io(error)) => tell_io(error),
        SendRequestError::Send(error) => tell_io(error),
        SendRequestError::Connect(awc::error::ConnectError::Disconnected) => "no answer".to_owned(),
        other => other.to_string(),
    }
}

fn tell_io(error: &io::Error) -> String {
    Fault::of(error).map_or_else(|| error.to_string(), |fault| format!("{fault:?}"))
}

/// A listening socket.
pub(super) struct Backend {
    listener: TcpListener,
}

impl Backend {
    pub(super) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    pub(super) fn client(&self) -> Client {
        Client::to(self.listener.local_addr().unwrap())
    }

    pub(super) async fn accept(&self) -> Peer {
        let (stream, _) = self.listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer {
            stream,
            input: Vec::new(),
        }
    }

    /// Accepts a connection, waits for a head, answers it.
    pub(super) async fn answer(&self, bytes: &str) -> Peer {
        let mut peer = self.accept().await;
        peer.head().await;
        peer.say(bytes).await;
        peer
    }
}

/// The backend's end of a connection.
pub(super) struct Peer {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Peer {
    /// Reads until `end` came, and returns all up to there.
    pub(super) async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = memchr::memmem::find(&self.input, end.as_bytes()) {
                let taken: Vec<u8> = self.input.drain(..at + end.len()).collect();
                return String::from_utf8(taken).unwrap();
            }
            assert!(self.read().await > 0, "ended after {:?}", self.input);
        }
    }

    pub(super) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// So many bytes of a body.
    pub(super) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count {
            assert!(self.read().await > 0, "ended after {} bytes", self.input.len());
        }
        self.input.drain(..count).collect()
    }

    async fn read(&mut self) -> usize {
        // Reset is an end as well.
        self.stream.read_buf(&mut self.input).await.unwrap_or(0)
    }

    pub(super) async fn say(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Ends its own direction only.
    pub(super) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Waits until the balancer has closed the connection.
    pub(super) async fn closed(&mut self) {
        while self.read().await > 0 {}
    }
}

/// A client's body that the test sends piece by piece.
pub(super) fn body(size: actix_http::body::BodySize) -> (mpsc::UnboundedSender<Option<Bytes>>, BoxBody) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, BoxBody::new(Pieces(size, RefCell::new(receiver))))
}

/// `None` among the pieces is a failure; the end of the channel is the end of the body.
struct Pieces(
    actix_http::body::BodySize,
    RefCell<mpsc::UnboundedReceiver<Option<Bytes>>>,
);

impl actix_http::body::MessageBody for Pieces {
    type Error = io::Error;

    fn size(&self) -> actix_http::body::BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, io::Error>>> {
        let failed = || io::Error::from(io::ErrorKind::ConnectionReset);
        let polled = self.1.borrow_mut().poll_recv(cx);
        polled.map(|piece| piece.map(|piece| piece.ok_or_else(failed)))
    }
}
