//! The real actix-http behind the guard, with a service that repeats what it got, and a client that says byte for byte what a
//! test wants said.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use actix_http::{HttpMessage as _, HttpService, KeepAlive, Request, Response, body::BoxBody};
use actix_service::{Service as _, ServiceFactory as _, fn_service};
use futures::{StreamExt as _, join};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::proxy::Look;

impl Transport for DuplexStream {
    fn reset_on_close(&self) {}

    fn look(&self) -> Look {
        Look::There
    }

    fn give_up_after(&self, _: Duration) {}

    fn send_at_once(&self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// What a worker's connections share, with more keys in the configuration.
fn shared(more: &str) -> Rc<Shared> {
    let text = format!("port: 0\nbackends: [\"http://127.0.0.1:9\"]\nhealth_check: false\n{more}\n");
    Shared::new(Rc::new(crate::app::lone_worker(&text)))
}

/// Tells what it got, with the length of the body; `/slow` takes half a second.
async fn repeat(mut request: Request) -> Result<Response<BoxBody>, actix_http::Error> {
    let link = request.conn_data::<Rc<Link>>().cloned().unwrap();
    link.reach();
    let mut payload = request.take_payload();
    let mut body = 0;
    while let Some(piece) = payload.next().await {
        match piece {
            Ok(piece) => body += piece.len(),
            Err(_) => {
                let error = link
                    .take_failure()
                    .map_or("cut short".to_owned(), |error| error.to_string());
                let mut response = Response::bad_request().set_body(BoxBody::new(error));
                response
                    .head_mut()
                    .set_connection_type(actix_http::ConnectionType::Close);
                return Ok(response);
            }
        }
    }
    if request.path() == "/slow" {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let host = request
        .headers()
        .get("host")
        .map(|host| host.to_str().unwrap().to_owned());
    let told = format!("[{} {} {host:?} {body}]", request.method(), request.uri());
    Ok(Response::ok().set_body(BoxBody::new(told)))
}

/// Serves one connection to its end.
async fn serve(io: DuplexStream, shared: Rc<Shared>) {
    let http = HttpService::build()
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(Duration::ZERO)
        .on_connect_ext(|guarded: &Guarded<DuplexStream>, data| {
            data.insert(Rc::clone(&guarded.0.borrow().link));
        })
        .h1(fn_service(repeat));
    let http = http.new_service(()).await.unwrap();
    let stop = Box::pin(std::future::pending());
    let connection = Rc::new(RefCell::new(Connection::new(io, None, shared, stop)));
    let orderly = http.call((Guarded(Rc::clone(&connection)), None)).await.is_ok();
    let connection = Rc::try_unwrap(connection).ok().unwrap();
    connection.into_inner().end(orderly).await;
}

/// What comes back for these pieces, without what differs each time; the client says at the end that it sends no more.
fn answers(pieces: &[&[u8]]) -> String {
    actix_rt::System::new().block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let (mut reader, mut writer) = tokio::io::split(&mut client);
        let ask = async {
            for piece in pieces {
                // Who has been refused is read no more.
                let _refused = writer.write_all(piece).await;
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
            }
            let _ended = writer.shutdown().await;
        };
        let mut all = Vec::new();
        let (_, _, read) = join!(serve(server, shared("")), ask, reader.read_to_end(&mut all));
        read.unwrap();
        let text = String::from_utf8(all).unwrap();
        let lasting = |line: &&str| {
            let line = line.to_ascii_lowercase();
            !["date:", "x-request-id:", "request id:"]
                .iter()
                .any(|start| line.starts_with(start))
        };
        text.split_inclusive('\n').filter(lasting).collect()
    })
}

/// Statuses and bodies of what comes back.
fn told(pieces: &[&[u8]]) -> String {
    let mut told = Vec::new();
    for answer in answers(pieces).split("HTTP/1.1 ").skip(1) {
        let status = answer.split(' ').next().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        told.push(format!("{status} {}", body.trim_end()));
    }
    told.join(" | ")
}

/// Everything that a connection can come to, with what is answered.
const CONNECTIONS: &[(&str, &str)] = &[
    (
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\
         GET http://b/4 HTTP/1.1\r\nHost: a\r\n\r\n",
        "200 [GET /1 Some(\"a\") 0] | 200  | 200 [GET /3 None 0] | 200 [GET /4 Some(\"b\") 0]",
    ),
    (
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
         PUT /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n\
         \r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
        "200 [POST /1 Some(\"a\") 5] | 200 [PUT /2 Some(\"a\") 5] | 200 [GET /3 Some(\"a\") 0]",
    ),
    (
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a b\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
        "200 [GET /1 Some(\"a\") 0] | 400 400 Bad Request: invalid host header",
    ),
    (
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nTRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
        "200 [GET /1 Some(\"a\") 0] | 405 405 Method Not Allowed: TRACE is not allowed here",
    ),
    (
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /`\" HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
        "200 [GET /1 Some(\"a\") 0] | 400 400 Bad Request: the request cannot be understood",
    ),
    (
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHo",
        "200 [GET /1 Some(\"a\") 0]",
    ),
    (
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
        "400 cut short",
    ),
    ("", ""),
];

#[test]
fn each_request_gets_its_answer_and_what_is_refused_ends_the_connection() {
    for (bytes, expected) in CONNECTIONS {
        assert_eq!(told(&[bytes.as_bytes()]), *expected, "{bytes:?}");
    }
}

#[test]
fn one_byte_at_a_time() {
    for (bytes, expected) in CONNECTIONS {
        let pieces: Vec<_> = bytes.as_bytes().chunks(1).collect();
        assert_eq!(told(&pieces), *expected, "{bytes:?}");
    }
}

#[test]
fn a_body_that_turns_bad_is_an_error_whatever_came_before() {
    for (bad, fault) in [
        ("zz\r\n", "invalid chunk size"),
        ("-5\r\n", "invalid chunk size"),
        ("5\nhello\r\n", "chunk does not end in CRLF"),
        ("5;a b\r\n", "invalid chunk extension"),
        (
            "0\r\nHost: a\r\n\r\n",
            "trailer of a name that may only be a header",
        ),
    ] {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let told_late = told(&[
            head.as_bytes(),
            b"3\r\nabc\r\n",
            bad.as_bytes(),
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ]);
        assert!(
            told_late.starts_with("400 ") && !told_late.contains('|'),
            "{told_late}"
        );
        assert!(told_late.contains(fault), "{told_late}");
        let told_at_once = told(&[format!("{head}3\r\nabc\r\n{bad}").as_bytes()]);
        assert!(told_at_once.starts_with("400 400 Bad Request"), "{told_at_once}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_of_requests_gives_the_same_result(
        which in 0..CONNECTIONS.len(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (bytes, expected) = CONNECTIONS[which];
        let bytes = bytes.as_bytes();
        let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces: Vec<_> = at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        prop_assert_eq!(told(&pieces), expected);
    }
}

#[test]
fn what_is_sent_ahead_waits_outside() {
    actix_rt::System::new().block_on(async {
        let (mut client, server) = tokio::io::duplex(1024);
        let slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
        let ask = async {
            client.write_all(slow.as_bytes()).await.unwrap();
            let ahead = vec![b'x'; 1 << 20];
            let mut taken = 0;
            let filling = async {
                while let Ok(count) = client.write(&ahead).await {
                    taken += count;
                }
            };
            let _in_time = tokio::time::timeout(Duration::from_millis(300), filling).await;
            assert!(taken >= crate::proxy::MOST_AHEAD, "{taken}");
            assert!(taken <= 2 * crate::proxy::MOST_AHEAD, "{taken}");
            drop(client);
        };
        join!(serve(server, shared("")), ask);
    });
}

#[test]
fn a_client_that_only_sends_no_more_is_answered() {
    actix_rt::System::new().block_on(async {
        let (mut client, server) = tokio::io::duplex(1024);
        client
            .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let shared = shared("");
        let before = Rc::strong_count(&shared);
        // It only sends no more: it is waited for.
        let (mut reader, mut writer) = tokio::io::split(client);
        writer.shutdown().await.unwrap();
        let mut all = String::new();
        let (_, read) = join!(serve(server, Rc::clone(&shared)), reader.read_to_string(&mut all));
        read.unwrap();
        assert!(all.starts_with("HTTP/1.1 200 OK\r\n"), "{all}");
        assert_eq!(Rc::strong_count(&shared), before);
    });
}

#[test]
fn limits_are_those_of_the_configuration() {
    let too_large = |limits: &str, request: &str| {
        let (shared, request) = (move || shared(limits), request.to_owned());
        actix_rt::System::new().block_on(async move {
            let (mut client, server) = tokio::io::duplex(1 << 20);
            client.write_all(request.as_bytes()).await.unwrap();
            let mut all = String::new();
            let (_, read) = join!(serve(server, shared()), async {
                let read = client.read_to_string(&mut all).await;
                drop(client);
                read
            });
            read.unwrap();
            all
        })
    };
    let head = |lines: String| format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let length = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n";
    for (limits, request, status) in [
        ("limits: {header_count: 3}", head("X: y\r\n".repeat(3)), 431),
        ("limits: {header_count: 1000}", head("X: y\r\n".repeat(94)), 431),
        (
            "limits: {header_size: 1KiB}",
            head(format!("X: {}\r\n", "y".repeat(1100))),
            431,
        ),
        ("limits: {body_size: 1KiB}", length.to_owned(), 413),
        ("timeouts: {request_header: 100ms}", "GET / HT".to_owned(), 408),
    ] {
        let answer = too_large(limits, &request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{limits}: {answer}"
        );
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
}

#[test]
fn a_timer_that_is_moved_on_rings_in_the_end() {
    use futures::future::poll_fn;
    use tokio::time::Instant;
    actix_rt::System::new().block_on(async {
        let mut alarm = super::alarm::Alarm::default();
        let start = Instant::now();
        let ms = |count| start + Duration::from_millis(count);
        for at in [ms(50), ms(150), ms(120), ms(200)] {
            poll_fn(|cx| {
                let _ = alarm.poll(cx, ms(300));
                alarm.poll(cx, at)
            })
            .await;
            assert!(Instant::now() >= at);
        }
        assert!(start.elapsed() < Duration::from_secs(5));
    });
}
