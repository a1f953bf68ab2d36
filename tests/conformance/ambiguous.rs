//! What an ambiguous request comes to: refused, with the connection closed and nothing behind it looked at, or one
//! message that every reader takes alike.

use crate::harness::{Arrival, Balancer, Ending, Peer, Recorder, Request, latin1};

/// Behind every doubtful request. If anybody takes it for a request, the doubt was real.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: smuggled\r\n\r\n";

/// A backend that reads by the letter, and what is in front of it.
pub struct Scene {
    pub recorder: Recorder,
    pub balancer: Balancer,
}

/// What the client was told and what the backend got.
#[derive(Debug)]
pub struct Outcome {
    /// The status of each answer, in order.
    pub statuses: Vec<u16>,
    pub arrivals: Vec<Arrival>,
}

impl Scene {
    #[track_caller]
    pub fn new() -> Self {
        Self::with("")
    }

    #[track_caller]
    pub fn with(more: &str) -> Self {
        let (recorder, balancer) = Recorder::with_balancer(more);
        Self { recorder, balancer }
    }

    /// Sends these bytes and no more, and reads to the end of the connection.
    #[track_caller]
    pub fn send(&self, bytes: &[u8]) -> Outcome {
        let mut client = self.balancer.peer();
        // Whoever refuses need not read all of it.
        let sent = client.try_send(bytes);
        if sent.is_ok() {
            client.finish_sending();
        }
        let outcome = Outcome {
            statuses: read_answers(&mut client),
            arrivals: self.recorder.take(),
        };
        for arrival in &outcome.arrivals {
            let faulty = matches!(arrival, Arrival::Faulty(_));
            assert!(!faulty, "{:?} became {arrival:?}", latin1(bytes));
        }
        outcome
    }

    /// Such a request is refused with this status, the connection is closed, and nothing of it or behind it gets through.
    /// Not for a scene in which a message is broken off.
    #[track_caller]
    pub fn refuses(&self, status: u16, request: &str) {
        self.refuses_bytes(status, request.as_bytes());
    }

    #[track_caller]
    pub fn refuses_bytes(&self, status: u16, request: &[u8]) {
        let outcome = self.send(&[request, SMUGGLED.as_bytes()].concat());
        let shown = latin1(&request[..request.len().min(300)]);
        assert_eq!(outcome.statuses, [status], "{shown:?}");
        assert_eq!(outcome.arrivals, [], "{shown:?}");
    }

    /// Such a request is refused with 400 too, though its head may have been on its way: the backend never gets a whole message.
    #[track_caller]
    pub fn breaks_off(&self, request: &str) {
        let outcome = self.send(format!("{request}{SMUGGLED}").as_bytes());
        assert_eq!(outcome.statuses, [400], "{request:?}");
        for arrival in &outcome.arrivals {
            let Arrival::Unfinished(start) = arrival else {
                panic!("{request:?} became {arrival:?}");
            };
            assert!(!start.contains("/smuggled"), "{request:?} became {start:?}");
        }
    }

    /// Such a request gets through as one message, and the one behind it as another.
    #[track_caller]
    pub fn passes(&self, request: &str) -> Request {
        self.passes_bytes(request.as_bytes())
    }

    #[track_caller]
    pub fn passes_bytes(&self, request: &[u8]) -> Request {
        let next = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut outcome = self.send(&[request, next].concat());
        let shown = latin1(request);
        assert_eq!(outcome.statuses, [200, 200], "{shown:?}: {outcome:?}");
        // The end of a message that was broken off before may be noticed late.
        outcome
            .arrivals
            .retain(|arrival| !matches!(arrival, Arrival::Unfinished(_)));
        match &mut outcome.arrivals[..] {
            [Arrival::Request(first), Arrival::Request(second)] => {
                assert_eq!(second.target, "/next", "{shown:?}");
                std::mem::take(first)
            }
            arrivals => panic!("{shown:?} became {arrivals:?}"),
        }
    }
}

/// The statuses of all answers up to the end of the connection, which must be orderly; the last one must announce it.
#[track_caller]
pub fn read_answers(client: &mut Peer) -> Vec<u16> {
    let (bytes, ending) = client.read_to_end();
    let text = latin1(&bytes);
    assert_eq!(ending, Ending::Closed, "{text:?}");
    let (mut statuses, mut rest) = (Vec::new(), text.as_str());
    while !rest.is_empty() {
        let (head, body) = rest
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no head: {text:?}"));
        let head = crate::harness::Head(head.to_owned());
        statuses.push(head.status());
        let length = head
            .one("Content-Length")
            .map_or(0, |length| length.parse().unwrap());
        // What answers HEAD has none.
        rest = if body.is_empty() { "" } else { &body[length..] };
        if matches!(head.status(), 400..=499 | 501 | 505) {
            assert_eq!(
                (head.list("Connection"), rest),
                (vec!["close".to_owned()], ""),
                "{text:?}"
            );
        }
    }
    statuses
}
