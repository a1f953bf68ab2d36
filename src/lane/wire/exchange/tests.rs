//! An exchange for a sender that does not speak HTTP/1.1: a stream that gives data and takes a head, data and an end, as one of
//! HTTP/2 would.

#![allow(clippy::unwrap_used)]

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    net::SocketAddr,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use lb_core::{
    attempts::{Attempts, PickBy, Step},
    pool::Lease,
};
use lb_wire::{
    AnswerContext, BodyPlan, Framing, LAST_CHUNK, Limits, Lines, Parsed, RequestHead, ResponseView, Version,
    parse_request, write_chunk,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{End, Exchange, Message, Outgoing, Sent, Sides};
use crate::{
    app::lone_worker,
    front::{Downstream, FrontWorker},
    lane::wire::worker::WireWorker,
    proxy::{ClientBody, Look, Passage},
    telemetry::Notes,
    upstream::{Connected, UpstreamConnection},
};

const HEAD: &[u8] = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A stream: what it sends, and what it has got.
#[derive(Default)]
struct Stream {
    /// Pieces of its body; its end is behind the last one.
    data: VecDeque<&'static [u8]>,
    unread: Vec<u8>,
    ended: bool,
    statuses: Vec<u16>,
    fields: Vec<String>,
    received: Vec<u8>,
    whole: bool,
    /// It takes no head before it was asked twice.
    is_slow: bool,
    /// Heads that it has not taken, and the most there ever were.
    waiting: usize,
    most_waiting: usize,
    asked: bool,
}

impl Downstream for Stream {
    fn record(&self) -> Option<&Notes> {
        None
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wake_at(&self, _: &Context<'_>, _: Option<Instant>) {}

    fn unused(&self) -> &[u8] {
        &self.unread
    }

    fn consume(&mut self, count: usize) {
        self.unread.drain(..count);
    }

    /// What it sends is put into chunks, as its head says, and waits where an exchange looks first.
    fn poll_read(&mut self, cx: &mut Context<'_>, _: usize) -> Poll<io::Result<usize>> {
        match self.data.pop_front() {
            Some(data) => write_chunk(data, &mut self.unread),
            None if !self.ended => {
                self.ended = true;
                self.unread.extend_from_slice(LAST_CHUNK);
            }
            None => {}
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// It has no use for chunks.
    fn plan(&self, framing: Framing, _: Version) -> BodyPlan {
        match framing {
            Framing::Chunked => BodyPlan::Unchunk,
            _ => BodyPlan::Copy,
        }
    }

    fn begin(&mut self, head: &ResponseView<'_>, _: &AnswerContext<'_>) -> bool {
        self.statuses.push(head.head.status);
        for (name, value) in head.lines.iter(head.buf) {
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            self.fields.push(format!("{name}={value}"));
        }
        self.waiting += usize::from(self.is_slow);
        self.most_waiting = self.most_waiting.max(self.waiting);
        true
    }

    fn send(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        self.append(bytes);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    fn end_body(&mut self) {
        self.whole = true;
    }

    fn waiting(&self) -> usize {
        self.waiting
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.asked = !self.asked;
        if self.asked {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.waiting = 0;
        Poll::Ready(Ok(()))
    }

    fn nudge(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn is_far_ahead(&self) -> bool {
        false
    }

    fn look(&mut self) -> Look {
        Look::There
    }

    fn looks_again(&self) -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    fn give_up_after(&mut self, _: Duration) {}

    fn give_up_as_late_as(&mut self, _: Duration) {}
}

/// A worker in front of one backend, and a request for it.
struct Scene {
    worker: Rc<WireWorker>,
    attempts: Attempts,
    lease: Lease,
    message: Message,
}

impl Scene {
    fn exchange<'a>(
        &'a mut self,
        client: &'a mut Stream,
        backend: &'a mut UpstreamConnection,
    ) -> Exchange<'a, Stream> {
        let sent = Sent {
            lease: &self.lease,
            attempts: &self.attempts,
        };
        Exchange::new(&self.worker, Sides { client, backend }, sent, &mut self.message)
    }

    fn new(backend: SocketAddr) -> Self {
        let config = format!("port: 0\nbackends: [\"http://{backend}\"]\nhealth_check: false\n");
        let front = FrontWorker::start(lone_worker(&config));
        let worker = WireWorker::start(Rc::clone(&front));
        let snapshot = worker.shared.registry.snapshot();
        let destination = Passage::undecided(&snapshot).unwrap().destination;
        let mut attempts = Attempts::new(PickBy::default(), None);
        let Step::Send(lease) = attempts.begin(destination.pool(), Instant::now()) else {
            panic!("no backend");
        };
        let head = parsed_head();
        let message = Message {
            head,
            offers: Vec::new(),
            config: worker.config(&snapshot),
            sticky: None,
            answer_edits: None,
            deadline: None,
            outgoing: Outgoing::new(HEAD.to_vec(), HEAD.len(), false),
            body: ClientBody::new(head.framing, Vec::new(), None),
            destination,
            continued: false,
        };
        Self {
            worker,
            attempts,
            lease,
            message,
        }
    }
}

/// The head that a front of another version writes for such a stream.
fn parsed_head() -> RequestHead {
    match parse_request(HEAD, &mut Lines::new(), &Limits::default()) {
        Ok(Parsed::Complete(head)) => head,
        other => panic!("{other:?}"),
    }
}

/// What a backend gets up to the end of the request; it says `response` then.
async fn respond(listener: &TcpListener, response: &str) -> (String, TcpStream) {
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n0\r\n\r\n") {
        assert!(peer.read_buf(&mut request).await.unwrap() > 0, "ended early");
    }
    peer.write_all(response.as_bytes()).await.unwrap();
    (String::from_utf8(request).unwrap(), peer)
}

#[actix_web::test]
async fn a_stream_that_is_no_http_1_1_sends_a_request_and_gets_its_response() {
    for (body, expected) in [
        (
            "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\nX-End: 1\r\n\r\n",
            "ok!",
        ),
        ("Content-Length: 2\r\n\r\nok", "ok"),
        ("Content-Length: 0\r\n\r\n", ""),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut scene = Scene::new(address);
        let mut stream = Stream {
            data: [&b"hello"[..], b"world"].into(),
            ..Stream::default()
        };
        let tcp = TcpStream::connect(address).await.unwrap();
        let mut connection = UpstreamConnection::new(
            Connected {
                stream: tcp,
                peer: address,
                version: 0,
            },
            Instant::now(),
        );
        let response = format!("HTTP/1.1 103 Early Hints\r\nX: a\r\n\r\nHTTP/1.1 200 OK\r\nX: b\r\n{body}");
        let mut exchange = scene.exchange(&mut stream, &mut connection);
        let (end, (request, _peer)) =
            futures::join!(poll_fn(|cx| exchange.poll(cx)), respond(&listener, &response));
        assert!(
            request.ends_with("\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"),
            "{request}"
        );
        assert!(matches!(
            end,
            End::Answered {
                client_goes_on: true,
                backend_goes_on: true,
                is_long: false
            }
        ));
        assert_eq!(stream.statuses, [103, 200]);
        assert_eq!(stream.fields[..2], ["X=a", "X=b"]);
        assert_eq!((&*stream.received, stream.whole), (expected.as_bytes(), true));
    }
}

#[actix_web::test]
async fn no_further_head_is_taken_while_an_interim_one_waits_for_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut scene = Scene::new(address);
    let mut stream = Stream {
        is_slow: true,
        ..Stream::default()
    };
    let tcp = TcpStream::connect(address).await.unwrap();
    let mut connection = UpstreamConnection::new(
        Connected {
            stream: tcp,
            peer: address,
            version: 0,
        },
        Instant::now(),
    );
    let early = "HTTP/1.1 103 Early Hints\r\nX: a\r\n\r\n".repeat(9);
    let response = format!("{early}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let mut exchange = scene.exchange(&mut stream, &mut connection);
    let (end, _) = futures::join!(poll_fn(|cx| exchange.poll(cx)), respond(&listener, &response));
    assert!(matches!(end, End::Answered { .. }));
    assert_eq!(stream.most_waiting, 1);
    assert_eq!(stream.statuses, [&[103; 9][..], &[200]].concat());
    assert_eq!(stream.received, b"ok");
}

#[actix_web::test]
async fn a_response_that_breaks_off_is_never_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut scene = Scene::new(address);
    let mut stream = Stream::default();
    let tcp = TcpStream::connect(address).await.unwrap();
    let mut connection = UpstreamConnection::new(
        Connected {
            stream: tcp,
            peer: address,
            version: 0,
        },
        Instant::now(),
    );
    let mut exchange = scene.exchange(&mut stream, &mut connection);
    let backend = async {
        let response = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
        drop(respond(&listener, response).await);
    };
    let (end, ()) = futures::join!(poll_fn(|cx| exchange.poll(cx)), backend);
    assert!(matches!(end, End::Broken { .. }));
    assert_eq!((&*stream.received, stream.whole), (&b"half"[..], false));
}
