//! A client over a socket, and a service that does what a test wants.

#![allow(clippy::unwrap_used)]

use std::{
    future::poll_fn,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{
    channel::oneshot,
    future::{FutureExt, LocalBoxFuture},
};
use lb_wire::Version;

use super::Streamed;
use crate::{
    app::lone_worker,
    front::{BrokenOff, Call, FrontWorker, Length, Link, Response, Service, h1},
    listener::{Capacity, Server},
};

const CONFIG: &str = "port: 0\nbackends: [\"http://127.0.0.1:9\"]\nhealth_check: false\n";
const A_MOMENT: Duration = Duration::from_millis(100);

/// What a service does with a request.
#[derive(Clone, Copy)]
enum Deed {
    /// Responds at once, and never asks for the body.
    RespondsAtOnce,
    /// Sends each piece of the body back as it comes.
    Echoes,
    /// Takes the body when it is let, and responds then.
    TakesItsTime,
    /// Responds with pieces without end.
    RespondsWithoutEnd,
    /// Never responds.
    Waits,
}

/// What a test sees of it.
#[derive(Default)]
struct Seen {
    /// Pieces of a response that were pulled.
    pulled: AtomicUsize,
    /// Requests that are held.
    held: AtomicUsize,
}

struct Held(Arc<Seen>);

impl Held {
    fn new(seen: &Arc<Seen>) -> Self {
        seen.held.fetch_add(1, SeqCst);
        Self(Arc::clone(seen))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, SeqCst);
    }
}

struct Scripted {
    deed: Deed,
    seen: Arc<Seen>,
    go: std::cell::RefCell<Option<oneshot::Receiver<()>>>,
}

struct Scene(Deed, Held, Rc<Link>, bool);

impl Response for Scene {
    fn status(&self) -> u16 {
        200
    }

    fn version(&self) -> Version {
        Version::Http11
    }

    fn lines(&self, line: &mut dyn FnMut(&[u8], &[u8])) {
        line(b"X-A", b"b");
    }

    fn length(&self) -> Length {
        match self.0 {
            Deed::Echoes | Deed::RespondsWithoutEnd => Length::Unknown,
            _ => Length::Known(2),
        }
    }

    fn closes(&self) -> bool {
        false
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        self.1.0.pulled.fetch_add(1, SeqCst);
        let first = !std::mem::replace(&mut self.3, true);
        match self.0 {
            Deed::Echoes => self
                .2
                .poll_body(cx)
                .map(|piece| piece.map(|piece| piece.map_err(|_| BrokenOff))),
            Deed::RespondsWithoutEnd => Poll::Ready(Some(Ok(Bytes::from(vec![b'x'; 64 * 1024])))),
            _ => Poll::Ready(first.then(|| Ok(Bytes::from_static(b"ok")))),
        }
    }
}

impl Service for Scripted {
    type Response = Scene;

    fn call(&self, call: Call<'_>) -> LocalBoxFuture<'static, Scene> {
        let (deed, held, link) = (self.deed, Held::new(&self.seen), call.link);
        let go = self.go.borrow_mut().take();
        async move {
            match deed {
                Deed::Waits => std::future::pending().await,
                Deed::TakesItsTime => {
                    go.unwrap().await.unwrap();
                    while poll_fn(|cx| link.poll_body(cx)).await.is_some() {}
                }
                _ => {}
            }
            Scene(deed, held, link, false)
        }
        .boxed_local()
    }
}

/// A client, what is seen of the service, and what lets it go on.
async fn play(deed: Deed) -> (Server, TcpStream, Arc<Seen>, oneshot::Sender<()>) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let (let_go, go) = oneshot::channel();
    let go = std::sync::Mutex::new(Some(go));
    let shared = Arc::clone(&seen);
    let capacity = Capacity {
        workers: 1,
        connections: 10,
    };
    let server = Server::start(vec![socket.into()], capacity, move |_| {
        let service = Scripted {
            deed,
            seen: Arc::clone(&shared),
            go: std::cell::RefCell::new(go.lock().unwrap().take()),
        };
        let worker = FrontWorker::start(lone_worker(CONFIG));
        Ok(Box::new(h1::service(worker, Streamed(service))))
    });
    let server = server.await.unwrap();
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    (server, client, seen, let_go)
}

fn read_head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..400 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} has not come true");
}

#[actix_web::test]
async fn a_response_does_not_wait_for_the_upload() {
    let (_server, mut client, ..) = play(Deed::RespondsAtOnce).await;
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome")
        .unwrap();
    let head = read_head(&mut client);
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n"),
        "{head}"
    );
    assert!(
        head.contains("Connection: close\r\n"),
        "the rest is not read: {head}"
    );
    let mut body = String::new();
    client.read_to_string(&mut body).unwrap();
    assert_eq!(body, "ok");
}

#[actix_web::test]
async fn both_directions_move_at_once() {
    let (_server, mut client, ..) = play(Deed::Echoes).await;
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    let head = read_head(&mut client);
    assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
    for piece in [&b"3\r\nabc\r\n"[..], b"2\r\nde\r\n", b"0\r\n\r\n"] {
        client.write_all(piece).unwrap();
        let mut back = vec![0; piece.len()];
        client.read_exact(&mut back).unwrap();
        assert_eq!(back, piece);
    }
}

#[actix_web::test]
async fn a_client_that_waits_is_asked_for_its_body_when_it_is_wanted() {
    let (_server, mut client, seen, let_go) = play(Deed::TakesItsTime).await;
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .unwrap();
    eventually("the request", || seen.held.load(SeqCst) == 1);
    client.set_read_timeout(Some(A_MOMENT)).unwrap();
    assert!(client.read(&mut [0]).is_err(), "nobody has asked for the body");
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let_go.send(()).unwrap();
    assert_eq!(read_head(&mut client), "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hi").unwrap();
    let head = read_head(&mut client);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(!head.contains("Connection: close"), "all of it was read: {head}");
}

#[actix_web::test]
async fn a_client_that_does_not_read_holds_the_service_back() {
    let (_server, mut client, seen, _) = play(Deed::RespondsWithoutEnd).await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    read_head(&mut client);
    let pulled = || seen.pulled.load(SeqCst);
    // As much as the kernels' buffers hold, and no more.
    let last = std::cell::Cell::new(0);
    eventually("the end of pulling", || {
        std::thread::sleep(A_MOMENT);
        pulled() > 0 && last.replace(pulled()) == pulled()
    });
    let before = pulled();
    assert!(before * 64 * 1024 < 64 << 20, "{before} pieces");
    client.read_exact(&mut vec![0; 8 << 20]).unwrap();
    eventually("more pieces", || pulled() > before);
}

#[actix_web::test]
async fn a_client_that_leaves_drops_the_request() {
    for body in ["Content-Length: 0", "Content-Length: 9"] {
        let (_server, mut client, seen, _) = play(Deed::Waits).await;
        client
            .write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}\r\n\r\n").as_bytes())
            .unwrap();
        eventually("the request", || seen.held.load(SeqCst) == 1);
        socket2::SockRef::from(&client)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(client);
        eventually("the end of the request", || seen.held.load(SeqCst) == 0);
    }
}

#[actix_web::test]
async fn requests_of_one_connection_follow_each_other() {
    let (_server, mut client, ..) = play(Deed::RespondsAtOnce).await;
    let requests = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3);
    client.write_all(requests.as_bytes()).unwrap();
    for _ in 0..3 {
        let head = read_head(&mut client);
        assert!(!head.contains("Connection"), "{head}");
        let mut body = [0; 2];
        client.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"ok");
    }
}
