//! Bodies on their way to the backend.

use actix_http::{
    Method,
    body::{BodySize, BoxBody},
};
use bytes::Bytes;
use tokio::join;

use super::harness::{Backend, body, run};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn piece(text: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(text.as_bytes()))
}

#[test]
fn bodies_arrive_whole_and_their_connections_are_used_again() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let long = Bytes::from(vec![b'x'; 3_000_000]);
        let play = async {
            let mut peer = backend.accept().await;
            let head = peer.head().await;
            assert!(
                head.starts_with("POST /path HTTP/1.1\r\ncontent-length: 5\r\n"),
                "{head}"
            );
            assert!(
                !head.contains("expect") && !head.contains("transfer-encoding"),
                "{head}"
            );
            assert_eq!(peer.bytes(5).await, b"hello");
            peer.say(OK).await;

            let head = peer.head().await;
            assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
            assert_eq!(peer.until("0\r\n\r\n").await, "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
            peer.say(OK).await;

            peer.head().await;
            assert_eq!(peer.bytes(long.len()).await, long);
            peer.say(OK).await;

            let head = peer.head().await;
            assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
            peer.say(OK).await;
            peer
        };
        let ask = async {
            let post = |body| client.ask(Method::POST, body);
            assert_eq!(post(BoxBody::new("hello")).await, "200 ok");
            let (sender, chunks) = body(BodySize::Stream);
            sender.send(piece("hel")).unwrap();
            sender.send(piece("lo")).unwrap();
            drop(sender);
            assert_eq!(post(chunks).await, "200 ok");
            assert_eq!(post(BoxBody::new(long.clone())).await, "200 ok");
            assert_eq!(post(BoxBody::new("")).await, "200 ok");
        };
        join!(play, ask);
        assert_eq!(client.opened(), 1);
    });
}

#[test]
fn parts_of_an_upload_do_not_wait_for_more() {
    for size in [BodySize::Stream, BodySize::Sized(6)] {
        run(async {
            let backend = Backend::bind().await;
            let client = backend.client();
            let (sender, body) = body(size);
            let play = async {
                let mut peer = backend.accept().await;
                // The head comes before any of the body is there.
                peer.head().await;
                for text in ["one", "two"] {
                    sender.send(piece(text)).unwrap();
                    peer.until(text).await;
                }
                drop(sender);
                if size == BodySize::Stream {
                    peer.until("\r\n0\r\n\r\n").await;
                }
                peer.say(OK).await;
                peer
            };
            assert_eq!(join!(client.ask(Method::POST, body), play).0, "200 ok");
        });
    }
}

#[test]
fn an_answer_that_does_not_wait_for_the_upload_is_delivered() {
    for bytes in [
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig",
        "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n\r\nbig",
    ] {
        for size in [BodySize::Stream, BodySize::Sized(1_000_000_000)] {
            run(async {
                let backend = Backend::bind().await;
                let client = backend.client();
                // The client says nothing more; it waits for the answer.
                let (sender, body) = body(size);
                sender.send(piece("start")).unwrap();
                let play = async {
                    let mut peer = backend.answer(bytes).await;
                    peer.finish().await;
                    peer.closed().await;
                    backend.answer(OK).await
                };
                let ask = async {
                    assert_eq!(client.ask(Method::POST, body).await, "413 big");
                    // Nobody reads the rest.
                    assert!(sender.is_closed());
                    assert_eq!(client.get().await, "200 ok");
                };
                join!(play, ask);
                assert_eq!(
                    client.opened(),
                    2,
                    "a connection with half a request on it was used again"
                );
            });
        }
    }
}

#[test]
fn an_answer_is_delivered_though_the_backend_reads_no_more() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let (sender, body) = body(BodySize::Stream);
        let play = async {
            let mut peer = backend.accept().await;
            peer.head().await;
            peer.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
                .await;
            peer
        };
        let push = async {
            let megabyte = Bytes::from(vec![0; 1 << 20]);
            while sender.send(Some(megabyte.clone())).is_ok() {
                tokio::task::yield_now().await;
            }
        };
        let (told, _peer, ()) = join!(client.ask(Method::POST, body), play, push);
        assert_eq!(told, "200 early");
    });
}

#[test]
fn request_and_answer_may_go_both_ways_at_once() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let (sender, body) = body(BodySize::Stream);
        let play = async {
            let mut peer = backend.accept().await;
            peer.head().await;
            peer.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            for text in ["one", "two"] {
                sender.send(piece(text)).unwrap();
                peer.until(text).await;
                peer.say(&format!("3\r\n{text}\r\n")).await;
            }
            drop(sender);
            peer.until("\r\n0\r\n\r\n").await;
            peer.say("0\r\n\r\n").await;
            peer.head().await;
            peer.say(OK).await;
            peer
        };
        let ask = async {
            assert_eq!(client.ask(Method::POST, body).await, "200 onetwo");
            assert_eq!(client.get().await, "200 ok");
        };
        join!(play, ask);
        assert_eq!(client.opened(), 1);
    });
}

#[test]
fn a_body_that_fails_ends_the_request_at_the_backend() {
    for (size, last) in [
        (BodySize::Stream, Some(None)),
        (BodySize::Sized(9), Some(None)),
        // Less and more than announced.
        (BodySize::Sized(9), None),
        (BodySize::Sized(9), Some(piece("too many"))),
    ] {
        run(async {
            let backend = Backend::bind().await;
            let client = backend.client();
            let (sender, body) = body(size);
            let play = async {
                let mut peer = backend.accept().await;
                peer.head().await;
                sender.send(piece("hello")).unwrap();
                peer.until("hello").await;
                if let Some(last) = last {
                    sender.send(last).unwrap();
                }
                drop(sender);
                peer.closed().await;
            };
            let told = join!(client.ask(Method::POST, body), play).0;
            assert_eq!(told, "failed: Upload");
        });
    }
}
