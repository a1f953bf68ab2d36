//! A real WebSocket library on both ends, and the balancer between them, which must go unnoticed. (Frames as bytes, and
//! tunnels of other protocols: `conformance::upgrade`.)

use std::{
    net::{TcpListener, TcpStream},
    thread,
};

use tungstenite::{
    Bytes, Error, Message, WebSocket,
    client::{IntoClientRequest, client},
    error::ProtocolError,
    handshake::server::{Request, Response},
    http::HeaderValue,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use crate::harness::{Balancer, wait_until};

/// One end.
type Socket = WebSocket<TcpStream>;

/// Both ends of a WebSocket through the balancer, and the balancer.
struct Pair {
    client: Socket,
    server: Socket,
    balancer: Balancer,
}

impl Pair {
    #[track_caller]
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let balancer = Balancer::start(&format!(
            "port: 0\nbackends: [\"http://{}\"]\nhealth_check: false\n",
            listener.local_addr().unwrap()
        ));
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            tungstenite::accept_hdr(bounded(stream), choose_protocol).unwrap()
        });
        let mut request = format!("ws://{}/chat?room=1", balancer.address())
            .into_client_request()
            .unwrap();
        let protocols = HeaderValue::from_static("superchat, chat");
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocols);
        let stream = TcpStream::connect(balancer.address()).unwrap();
        let (client, response) = client(request, bounded(stream)).unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "chat");
        Self {
            client,
            server: server.join().unwrap(),
            balancer,
        }
    }

    /// Sends each message from one end to the other and back.
    #[track_caller]
    fn echo(&mut self, messages: &[Message]) {
        for (at, message) in messages.iter().enumerate() {
            self.client.send(message.clone()).unwrap();
            let arrived = self.server.read().unwrap();
            assert!(arrived == *message, "message {at} on its way up");
            self.server.send(arrived).unwrap();
            assert!(
                self.client.read().unwrap() == *message,
                "message {at} on its way down"
            );
        }
    }
}

#[expect(clippy::result_large_err, reason = "the library's own signature")]
fn choose_protocol(
    request: &Request,
    mut response: Response,
) -> Result<Response, tungstenite::handshake::server::ErrorResponse> {
    assert_eq!(request.uri(), "/chat?room=1");
    assert_eq!(request.headers()["Sec-WebSocket-Protocol"], "superchat, chat");
    let chosen = HeaderValue::from_static("chat");
    response.headers_mut().insert("Sec-WebSocket-Protocol", chosen);
    Ok(response)
}

/// Nobody waits for ever.
fn bounded(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(crate::harness::DEADLINE)).unwrap();
    stream.set_write_timeout(Some(crate::harness::DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn bytes(count: usize) -> Bytes {
    (0..count).map(|at| (at % 251) as u8).collect()
}

#[test]
fn text_and_binary_messages_pass_both_ways() {
    let mut pair = Pair::open();
    pair.echo(&[
        Message::text("hello"),
        Message::text(""),
        Message::text("안녕하세요 \u{1f980}"),
        Message::binary(bytes(0)),
        Message::binary(bytes(1)),
        // On both sides of each way to write a frame's length (RFC 6455 section 5.2).
        Message::binary(bytes(125)),
        Message::binary(bytes(126)),
        Message::binary(bytes(65_535)),
        Message::binary(bytes(65_536)),
    ]);
}

#[test]
fn pings_are_answered_by_the_other_end() {
    let mut pair = Pair::open();
    pair.client.send(Message::Ping(bytes(125))).unwrap();
    assert_eq!(pair.server.read().unwrap(), Message::Ping(bytes(125)));
    // The library answers when it is used next.
    pair.server.flush().unwrap();
    assert_eq!(pair.client.read().unwrap(), Message::Pong(bytes(125)));
    pair.server.send(Message::Ping(bytes(0))).unwrap();
    assert_eq!(pair.client.read().unwrap(), Message::Ping(bytes(0)));
    pair.client.flush().unwrap();
    assert_eq!(pair.server.read().unwrap(), Message::Pong(bytes(0)));
}

#[test]
fn fragments_arrive_as_one_message_with_a_ping_between_them() {
    let mut pair = Pair::open();
    for up in [true, false] {
        let (from, to) = match up {
            true => (&mut pair.client, &mut pair.server),
            false => (&mut pair.server, &mut pair.client),
        };
        let fragment =
            |text: &'static str, code, last| Message::Frame(Frame::message(text, OpCode::Data(code), last));
        from.send(fragment("one ", Data::Text, false)).unwrap();
        from.send(fragment("two ", Data::Continue, false)).unwrap();
        from.send(Message::Ping(bytes(3))).unwrap();
        from.send(fragment("three", Data::Continue, true)).unwrap();
        assert_eq!(to.read().unwrap(), Message::Ping(bytes(3)));
        assert_eq!(to.read().unwrap(), Message::text("one two three"));
        assert_eq!(from.read().unwrap(), Message::Pong(bytes(3)));
    }
}

#[test]
fn large_messages_pass_at_once_in_both_directions() {
    const LARGE: usize = 12 * 1024 * 1024;
    let Pair {
        mut client,
        mut server,
        balancer,
    } = Pair::open();
    // Each end sends before it reads: nothing may wait for the other direction.
    let other = thread::spawn(move || {
        let up = server.read().unwrap();
        server.send(Message::binary(bytes(LARGE))).unwrap();
        (up, server)
    });
    client.send(Message::binary(bytes(LARGE))).unwrap();
    assert!(client.read().unwrap() == Message::binary(bytes(LARGE)), "down");
    let (up, server) = other.join().unwrap();
    assert!(up == Message::binary(bytes(LARGE)), "up");
    assert_eq!(balancer.status().in_flight, 1);
    drop((client, server));
}

#[test]
fn ten_thousand_messages_keep_their_order() {
    let Pair {
        mut client,
        mut server,
        balancer: _balancer,
    } = Pair::open();
    let echo = thread::spawn(move || {
        while let Ok(message) = server.read() {
            if message.is_close() {
                break;
            }
            server.write(message).unwrap();
            server.flush().unwrap();
        }
    });
    for batch in 0..100 {
        for number in 0..100 {
            client.write(Message::text(format!("{batch} {number}"))).unwrap();
        }
        client.flush().unwrap();
        for number in 0..100 {
            assert_eq!(client.read().unwrap(), Message::text(format!("{batch} {number}")));
        }
    }
    client.close(None).unwrap();
    client.flush().unwrap();
    echo.join().unwrap();
}

#[test]
fn the_closing_handshake_passes_with_its_code_from_either_end() {
    let goodbye = CloseFrame {
        code: CloseCode::Library(4321),
        reason: "gone for lunch".into(),
    };
    for client_first in [true, false] {
        let Pair {
            mut client,
            mut server,
            balancer,
        } = Pair::open();
        let (first, second) = match client_first {
            true => (&mut client, &mut server),
            false => (&mut server, &mut client),
        };
        first.close(Some(goodbye.clone())).unwrap();
        assert_eq!(second.read().unwrap(), Message::Close(Some(goodbye.clone())));
        // Answers it, which the first end then reads. The server's end may be done with that: it is the one to close
        // the connection (RFC 6455 section 7.1.1).
        let answered = second.flush();
        assert!(
            matches!(answered, Ok(()) | Err(Error::ConnectionClosed)),
            "{answered:?}"
        );
        assert_eq!(first.read().unwrap(), Message::Close(Some(goodbye.clone())));
        let end = server.read().unwrap_err();
        assert!(
            matches!(end, Error::ConnectionClosed | Error::AlreadyClosed),
            "{end}"
        );
        drop(server);
        assert!(
            matches!(client.read(), Err(Error::ConnectionClosed)),
            "{client_first}"
        );
        drop(client);
        wait_until("the end of the tunnel", || balancer.status().in_flight == 0);
    }
}

#[test]
fn an_end_that_vanishes_is_seen_as_such() {
    let Pair {
        mut client,
        server,
        balancer,
    } = Pair::open();
    drop(server);
    let error = client.read().unwrap_err();
    assert!(
        matches!(
            error,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        ),
        "{error}"
    );
    drop(client);
    wait_until("the end of the tunnel", || balancer.status().in_flight == 0);
}
