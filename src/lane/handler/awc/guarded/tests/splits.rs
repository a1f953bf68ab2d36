//! However a backend's bytes are cut into pieces, the same comes of them.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_rt::net::{ActixStream, Ready};
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::harness::{Client, run};

/// Answers each request with the next of these, in pieces; ends behind the last.
struct Script {
    answers: VecDeque<Vec<Vec<u8>>>,
    pieces: VecDeque<Vec<u8>>,
    last: bool,
    paused: bool,
}

impl AsyncRead for Script {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.paused = !this.paused;
        match this.pieces.front_mut() {
            None if this.last => Poll::Ready(Ok(())),
            None => Poll::Pending,
            Some(_) if this.paused => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(piece) => {
                let length = buf.remaining().min(piece.len());
                buf.put_slice(&piece[..length]);
                piece.drain(..length);
                if piece.is_empty() {
                    this.pieces.pop_front();
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.ends_with(b"\r\n\r\n") {
            let next = self.answers.pop_front().unwrap_or_default();
            self.pieces.extend(next);
            self.last = self.answers.is_empty();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl ActixStream for Script {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::READABLE))
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::WRITABLE))
    }
}

/// What each of two connections says, and what the client makes of three requests: the connections that it opened come
/// last.
const SCRIPTS: &[([&[&str]; 2], &str)] = &[
    (
        [
            &[
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nok",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nhel\r\n2\r\nlo\r\n0\r\nX: 1\r\n\r\n",
            ],
            &[],
        ],
        "200 hello | 200 ok | 200 hello | 1",
    ),
    (
        [
            &[
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nX: 1\r\n\r\n",
                "HTTP/1.1 200 OK\r\n\r\nhello",
            ],
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"],
        ],
        "304 omitted \"5\" | 200 hello | 200 hello, then CutShort | 2",
    ),
    (
        [
            &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"],
            &[
                "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            ],
        ],
        "failed: Head(ContentLengthRepeated) | 304 | 200 hello, then CutShort | 2",
    ),
];

fn cut(text: &str, at: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut cuts: Vec<usize> = at.iter().map(|index| index.index(text.len())).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2)
        .map(|pair| text.as_bytes()[pair[0]..pair[1]].to_vec())
        .collect()
}

async fn play(connections: Vec<VecDeque<Vec<Vec<u8>>>>) -> String {
    let waiting = Rc::new(RefCell::new(VecDeque::from(connections)));
    let client = Client::over(move || {
        let answers = waiting.borrow_mut().pop_front().unwrap_or_default();
        let script = Script {
            last: answers.is_empty(),
            answers,
            pieces: VecDeque::new(),
            paused: false,
        };
        Box::pin(async { Ok(script) })
    });
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(client.get().await);
    }
    told.push(client.opened().to_string());
    told.join(" | ")
}

fn outcome(connections: [&[&str]; 2], cuts: impl Fn(&str) -> Vec<Vec<u8>>) -> String {
    let connections = connections.map(|answers| answers.iter().map(|text| cuts(text)).collect());
    run(play(connections.to_vec()))
}

#[test]
fn one_byte_at_a_time() {
    for (connections, expected) in SCRIPTS {
        let bytes = |text: &str| text.bytes().map(|byte| vec![byte]).collect();
        assert_eq!(outcome(*connections, bytes), *expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_of_an_answer_gives_the_same_result(
        script in 0..SCRIPTS.len(),
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (connections, expected) = SCRIPTS[script];
        prop_assert_eq!(outcome(connections, |text| cut(text, &at)), expected);
    }
}
