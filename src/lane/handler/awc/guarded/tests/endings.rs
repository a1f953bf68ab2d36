//! Where messages end, and connections with them.

use std::rc::Rc;

use actix_http::{Method, body::BoxBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    join,
};

use super::harness::{Backend, run};
use crate::lane::handler::awc::guarded::Guarded;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn an_answer_that_ends_with_its_connection_arrives_whole() {
    for bytes in [
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello",
    ] {
        run(async {
            let backend = Backend::bind().await;
            let client = backend.client();
            let play = async {
                let mut peer = backend.answer(bytes).await;
                peer.say(" world").await;
                peer.finish().await;
                backend.answer(OK).await
            };
            let ask = async {
                assert_eq!(client.get().await, "200 hello world", "{bytes:?}");
                assert_eq!(client.get().await, "200 ok");
            };
            join!(play, ask);
            assert_eq!(client.opened(), 2);
        });
    }
}

#[test]
fn an_answer_cut_short_is_an_error_and_never_an_end() {
    for (bytes, expected) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            "200 hello, then CutShort",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
            "200 hello, then CutShort",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "200 hello, then CutShort",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
            "200 hello, then CutShort",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "200, then CutShort",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Le", "failed: HeadCutShort"),
        ("H", "failed: HeadCutShort"),
        // Nothing, or nothing final: awc has its own word for it.
        ("", "failed: no answer"),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", "failed: no answer"),
    ] {
        run(async {
            let backend = Backend::bind().await;
            let client = backend.client();
            let play = async {
                let mut peer = backend.answer(bytes).await;
                peer.finish().await;
                peer.closed().await;
            };
            assert_eq!(join!(play, client.get()).1, expected, "{bytes:?}");
        });
    }
}

#[test]
fn chunks_that_turn_bad_are_an_error() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let play = async {
            let mut peer = backend
                .answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
                .await;
            client.received().await;
            peer.say("+5\r\nworld\r\n0\r\n\r\n").await;
            peer.closed().await;
        };
        let told = join!(play, client.get()).1;
        assert_eq!(told, "200 hello, then Body(ChunkSize)");
    });
}

#[test]
fn bytes_behind_a_message_are_dropped_with_their_connection() {
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";
    for (method, bytes, expected) in [
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "200 hello",
        ),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200"),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "200 hello",
        ),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", "204"),
        (
            Method::GET,
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            "304 omitted \"5\"",
        ),
        (
            Method::HEAD,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "200",
        ),
    ] {
        run(async {
            let backend = Backend::bind().await;
            let client = backend.client();
            let play = async {
                // In one segment with the answer: closed as soon as it is seen.
                backend.answer(&format!("{bytes}{smuggled}")).await.closed().await;
                // Once the connection is idle: closed when the next request looks at it.
                let mut idle = backend.answer(bytes).await;
                idle.say(smuggled).await;
                backend.answer(OK).await.closed().await;
            };
            let ask = async {
                assert_eq!(
                    client.ask(method.clone(), BoxBody::new(())).await,
                    expected,
                    "{bytes:?}"
                );
                assert_eq!(
                    client.ask(method.clone(), BoxBody::new(())).await,
                    expected,
                    "{bytes:?}"
                );
                assert_eq!(client.get().await, "200 ok", "{bytes:?}");
                drop(client);
            };
            join!(play, ask);
        });
    }
}

#[test]
fn bytes_behind_a_body_that_came_later_are_dropped_too() {
    for (head, rest, expected) in [
        ("Content-Length: 5\r\n\r\nhel", "lo", "200 hello"),
        (
            "Transfer-Encoding: chunked\r\n\r\n3\r\nhel",
            "\r\n2\r\nlo\r\n0\r\n\r\n",
            "200 hello",
        ),
    ] {
        run(async {
            let backend = Backend::bind().await;
            let client = backend.client();
            let play = async {
                let mut peer = backend.answer(&format!("HTTP/1.1 200 OK\r\n{head}")).await;
                client.received().await;
                peer.say(&format!("{rest}{OK}")).await;
                peer.closed().await;
            };
            assert_eq!(join!(play, client.get()).1, expected);
        });
    }
}

#[test]
fn nothing_behind_a_message_is_given_to_awc() {
    for answer in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        run(async {
            let (inner, mut peer) = tokio::io::duplex(4096);
            let mut guarded = Guarded::new(inner, Rc::default());
            guarded.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            peer.write_all(format!("{answer}{OK}").as_bytes()).await.unwrap();
            let mut given = String::new();
            guarded.read_to_string(&mut given).await.unwrap();
            assert_eq!(given, answer);
        });
    }
}

#[test]
fn a_connection_that_is_not_to_be_used_again_is_closed_at_once() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    ] {
        run(async {
            let backend = Backend::bind().await;
            let client = backend.client();
            let play = async {
                backend.answer(bytes).await.closed().await;
                backend.answer(OK).await
            };
            let ask = async {
                client.get().await;
                assert_eq!(client.get().await, "200 ok");
            };
            join!(play, ask);
            assert_eq!(client.opened(), 2, "{bytes:?}");
        });
    }
}

#[test]
fn a_kept_connection_that_the_backend_closed_is_not_used() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let (first, _) = join!(backend.answer(OK), client.get());
        drop(first);
        // What happens to another connection has been noticed only after this.
        let other = backend.client();
        let _other = join!(backend.answer(OK), other.get());
        let (told, _peer) = join!(client.get(), backend.answer(OK));
        assert_eq!((told.as_str(), client.opened()), ("200 ok", 2));
    });
}
