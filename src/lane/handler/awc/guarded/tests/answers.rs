//! Heads of answers: which pass, which are absorbed, which are refused.

use actix_http::{Method, body::BoxBody};
use tokio::join;

use super::harness::{Backend, run};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn good_answers_of_every_form_share_one_connection() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let answers = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 hello"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n",
                "200 hello",
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", "204"),
            ("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", "304"),
            ("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", "200 hello"),
            ("HTTP/1.7 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 hello"),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
                "200 hello",
            ),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
                "200",
            ),
            (
                "HTTP/1.0 304 Not Modified\r\nConnection: keep-alive\r\n\r\n",
                "304",
            ),
            // awc would take each of these for an answer without a body, or with one.
            (
                "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Keep-Alive, Upgrade\r\nContent-Length: 5\r\n\r\nhello",
                "200 hello",
            ),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "204"),
            // Nor would it take this one at all.
            (
                "HTTP/1.1 200 OK\r\nX : a\r\nConnection : Upgrade\r\nUpgrade : b\r\nContent-Length\t : 5\r\n\r\nhello",
                "200 hello",
            ),
            (
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n",
                "304 omitted \"5\"",
            ),
            (
                "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
                "304",
            ),
        ];
        let play = async {
            let mut peer = backend.accept().await;
            for (bytes, _) in answers {
                peer.head().await;
                peer.say(bytes).await;
            }
            peer
        };
        let ask = async {
            for (bytes, expected) in answers {
                assert_eq!(client.get().await, expected, "{bytes:?}");
            }
        };
        join!(play, ask);
        assert_eq!(client.opened(), 1);
    });
}

#[test]
fn an_answer_that_announces_a_body_it_must_not_have_is_the_last_of_its_connection() {
    for lines in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        run(async {
            let backend = Backend::bind().await;
            let client = backend.client();
            let play = async {
                let mut peer = backend.accept().await;
                peer.head().await;
                peer.say(&format!("HTTP/1.1 204 No Content\r\n{lines}\r\n\r\n"))
                    .await;
                let mut other = backend.accept().await;
                other.head().await;
                other.say(OK).await;
                (peer, other)
            };
            let ask = async {
                assert_eq!(client.get().await, "204", "{lines}");
                assert_eq!(client.get().await, "200 ok", "{lines}");
            };
            join!(play, ask);
            assert_eq!(client.opened(), 2);
        });
    }
}

#[test]
fn answers_to_head_have_no_body_whatever_they_say() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let answers = [
            "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
        ];
        let play = async {
            let mut peer = backend.accept().await;
            for bytes in answers {
                assert!(peer.head().await.starts_with("HEAD "));
                peer.say(bytes).await;
            }
            peer
        };
        let ask = async {
            for bytes in answers {
                let told = client.ask(Method::HEAD, BoxBody::new(())).await;
                assert_eq!(told, "200", "{bytes:?}");
            }
        };
        join!(play, ask);
        assert_eq!(client.opened(), 1);
    });
}

#[test]
fn interim_answers_are_absorbed_and_the_next_request_gets_its_own_answer() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let interim = [
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 102 Processing\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            "HTTP/1.1 199 Odd\r\nX: y\r\n\r\n",
        ];
        let play = async {
            let mut peer = backend.accept().await;
            for bytes in interim {
                peer.head().await;
                peer.say(bytes).await;
                peer.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
                    .await;
                peer.head().await;
                peer.say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")
                    .await;
            }
            peer.head().await;
            peer.say(&(interim.concat() + OK)).await;
            peer
        };
        let ask = async {
            for bytes in interim {
                assert_eq!(client.get().await, "200 first", "{bytes:?}");
                assert_eq!(client.get().await, "200 second", "{bytes:?}");
            }
            assert_eq!(client.get().await, "200 ok");
        };
        join!(play, ask);
        assert_eq!(client.opened(), 1);
    });
}

#[test]
fn refused_heads_reach_nobody_and_end_their_connection() {
    for (bytes, fault) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Head(LengthAndEncoding)",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
            "Head(ContentLengthRepeated)",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
            "Head(ContentLength)",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n b\r\n\r\nok",
            "Head(HeaderName)",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "Head(TransferEncoding)",
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Head(TransferEncodingInHttp10)",
        ),
        (
            "HTTP/1.1 0200 OK\r\nContent-Length: 2\r\n\r\nok",
            "Head(StatusLine)",
        ),
        ("HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok", "Head(StatusLine)"),
        (
            "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "Head(StatusLine)",
        ),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "Head(LineEnding)"),
        (
            "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok",
            "Head(HeaderValue)",
        ),
        (
            "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
            "Head(HeaderValue)",
        ),
        (
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
            "Head(HeaderName)",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "Head(UnaskedSwitch)",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
            "Body(ChunkSize)",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
            "Body(LineEnding)",
        ),
    ] {
        run(async {
            let backend = Backend::bind().await;
            let client = backend.client();
            let play = async {
                backend.answer(bytes).await.closed().await;
                backend.answer(OK).await
            };
            let ask = async {
                assert_eq!(client.get().await, format!("failed: {fault}"), "{bytes:?}");
                assert_eq!(client.get().await, "200 ok");
            };
            join!(play, ask);
            assert_eq!(client.opened(), 2, "{bytes:?}");
        });
    }
}

#[test]
fn heads_without_end_are_refused() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let value = "a".repeat(1000);
        let lines = (0..40)
            .map(|line| format!("X-{line}: {value}\r\n"))
            .collect::<String>();
        let many = "X: 1\r\n".repeat(97);
        let play = async {
            for head in [lines.as_str(), many.as_str(), &"x".repeat(40_000)] {
                backend
                    .answer(&format!("HTTP/1.1 200 OK\r\n{head}"))
                    .await
                    .closed()
                    .await;
            }
        };
        let ask = async {
            assert_eq!(client.get().await, "failed: Head(HeadTooLarge)");
            assert_eq!(client.get().await, "failed: Head(TooManyHeaders)");
            assert_eq!(client.get().await, "failed: Head(HeadTooLarge)");
        };
        join!(play, ask);
    });
}

#[test]
fn a_tunnel_is_refused() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let play = async {
            backend.answer("HTTP/1.1 200 OK\r\n\r\n").await.closed().await;
        };
        let ask = client.ask(Method::CONNECT, BoxBody::new(()));
        assert_eq!(join!(play, ask).1, "failed: Tunnel");
    });
}

#[test]
fn a_date_goes_to_the_backend_only_if_it_is_the_clients() {
    run(async {
        let backend = Backend::bind().await;
        let client = backend.client();
        let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let play = async {
            let mut peer = backend.accept().await;
            assert!(!peer.head().await.contains("date:"));
            peer.say(OK).await;
            assert!(
                peer.head()
                    .await
                    .contains("\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
            );
            peer.say(OK).await;
        };
        let ask = async {
            client.get().await;
            client.ask_with(Method::GET, BoxBody::new(()), &[date]).await;
        };
        join!(play, ask);
    });
}
