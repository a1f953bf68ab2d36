//! Generated requests, whole and broken, through the balancer to a reader by the letter: what arrives means what was
//! sent, or it was refused and nothing arrived.

use std::time::{Duration, Instant};

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::ambiguous::{Outcome, Scene};
use crate::harness::{Arrival, Request, latin1};

/// How long each of the two tests may go on.
const LONGEST: Duration = Duration::from_secs(6);

/// A run that failed is repeated by giving its seed here: 16 numbers, as they were printed.
const SEED_VARIABLE: &str = "SIMPLE_LB_TEST_SEED";

/// A request that every reader must take alike, as its parts.
#[derive(Debug, Clone)]
struct Sent {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    None,
    Length(Vec<u8>),
    Chunks(Vec<(Vec<u8>, &'static str)>, Vec<(String, String)>),
}

fn field() -> impl Strategy<Value = (String, String)> {
    let name = "X-[A-Za-z0-9!#$%&'*+.^`|~-]{1,12}";
    let value = "([!-~\u{a1}-\u{ff}]([ \t]?[!-~\u{a1}-\u{ff}]){0,30})?";
    (name, value).prop_filter("a name of ours", |(name, _)| {
        let name = name.to_ascii_lowercase();
        !name.starts_with("x-forwarded") && name != "x-real-ip" && name != "x-request-id"
    })
}

fn body() -> impl Strategy<Value = Body> {
    let bytes = || vec(any::<u8>(), 0..300);
    let chunk = (
        vec(any::<u8>(), 1..200),
        select(vec!["", ";a", ";a=b", ";a=\"\\\"\""]),
    );
    prop_oneof![
        Just(Body::None),
        bytes().prop_map(Body::Length),
        (vec(chunk, 0..6), vec(field(), 0..3)).prop_map(|(chunks, trailers)| Body::Chunks(chunks, trailers)),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let method = select(vec![
        "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "get", "X-Y",
    ]);
    let target = "/[!-\"$-~]{0,40}";
    (method, target, vec(field(), 0..8), body()).prop_map(|(method, target, fields, body)| Sent {
        method: method.to_owned(),
        target,
        fields,
        body,
    })
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: a\r\n", self.method, self.target);
        let line = |(name, value): &(String, String)| format!("{name}: {value}\r\n");
        head.extend(self.fields.iter().map(line));
        let mut body = Vec::new();
        match &self.body {
            Body::None => {}
            Body::Length(bytes) => {
                head += &format!("Content-Length: {}\r\n", bytes.len());
                body.extend_from_slice(bytes);
            }
            Body::Chunks(chunks, trailers) => {
                head += "Transfer-Encoding: chunked\r\n";
                for (data, extension) in chunks {
                    body.extend_from_slice(format!("{:x}{extension}\r\n", data.len()).as_bytes());
                    body.extend_from_slice(data);
                    body.extend_from_slice(b"\r\n");
                }
                let trailers: String = trailers.iter().map(line).collect();
                body.extend(format!("0\r\n{trailers}\r\n").chars().map(byte));
            }
        }
        let mut bytes: Vec<u8> = (head + "\r\n").chars().map(byte).collect();
        bytes.extend_from_slice(&body);
        bytes
    }

    fn body(&self) -> Vec<u8> {
        match &self.body {
            Body::None => Vec::new(),
            Body::Length(bytes) => bytes.clone(),
            Body::Chunks(chunks, _) => chunks.iter().flat_map(|(data, _)| data.clone()).collect(),
        }
    }

    fn trailers(&self) -> &[(String, String)] {
        match &self.body {
            Body::Chunks(_, trailers) => trailers,
            _ => &[],
        }
    }

    /// Whether what arrived means this.
    fn became(&self, arrived: &Request) -> Result<(), TestCaseError> {
        prop_assert_eq!((&arrived.method, &arrived.target), (&self.method, &self.target));
        prop_assert_eq!(arrived.all("host"), ["a"]);
        prop_assert!(arrived.body == self.body(), "another body");
        prop_assert_eq!(&arrived.trailers[..], self.trailers());
        let ours = |name: &str| {
            let name = name.to_ascii_lowercase();
            matches!(
                name.as_str(),
                "host" | "content-length" | "transfer-encoding" | "x-request-id"
            ) || name.starts_with("x-forwarded-")
        };
        let fields: Vec<_> = arrived.headers.iter().filter(|(name, _)| !ours(name)).collect();
        prop_assert_eq!(fields, self.fields.iter().collect::<Vec<_>>());
        Ok(())
    }
}

fn byte(c: char) -> u8 {
    u8::try_from(c).unwrap()
}

/// A change of a request's bytes that may leave it in doubt.
#[derive(Debug, Clone)]
enum Mutation {
    Insert(Index, &'static [u8]),
    Delete(Index),
    Replace(Index, u8),
    Duplicate(Index, Index),
    /// Takes a CRLF out, or a part of it.
    LineEnding(Index, &'static [u8]),
    /// Adds a header line.
    Line(&'static str),
}

const INSERTED: [&[u8]; 16] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"\"",
    b"0",
    b"\x0b",
    b"\x80",
    b"\r\n ",
    b"chunked",
    b"\r\n\r\n",
];

const LINES: [&str; 16] = [
    "Content-Length: 0",
    "Content-Length: 3",
    "content-length: 3, 3",
    "Content-Length: +3",
    "Content-Length : 3",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding: identity",
    "transfer-encoding: chunked, chunked",
    "Transfer_Encoding: chunked",
    "Host: b",
    " Host: b",
    "Connection: Transfer-Encoding",
    "Connection: close",
    "Expect: 100-continue",
];

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        (at(), select(INSERTED.to_vec())).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        at().prop_map(Mutation::Delete),
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (at(), at()).prop_map(|(from, to)| Mutation::Duplicate(from, to)),
        (at(), select(vec![&b"\n"[..], b"\r", b"", b"\r\r\n", b"\n\r\n"]))
            .prop_map(|(at, bytes)| Mutation::LineEnding(at, bytes)),
        select(LINES.to_vec()).prop_map(Mutation::Line),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Insert(at, more) => {
                let at = at.index(length);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Delete(at) => drop(bytes.remove(at.index(length))),
            Self::Replace(at, byte) => bytes[at.index(length)] = *byte,
            Self::Duplicate(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                let piece = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(to..to, piece);
            }
            Self::LineEnding(at, instead) => {
                let ends: Vec<_> = (1..length).filter(|at| bytes[at - 1..=*at] == *b"\r\n").collect();
                if !ends.is_empty() {
                    let end = ends[at.index(ends.len())];
                    bytes.splice(end - 1..=end, instead.iter().copied());
                }
            }
            Self::Line(line) => {
                if let Some(first) = bytes.windows(2).position(|two| two == b"\r\n") {
                    bytes.splice(first..first, [b"\r\n", line.as_bytes()].concat());
                }
            }
        }
    }
}

/// Runs cases for a while. The seed is printed, and can be given.
fn run<S: Strategy>(strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let seed: [u8; 16] = match std::env::var(SEED_VARIABLE) {
        Ok(text) => {
            let numbers: Vec<u8> = text
                .split([',', ' '])
                .filter_map(|number| number.parse().ok())
                .collect();
            numbers.try_into().expect("16 numbers")
        }
        Err(_) => std::collections::hash_map::RandomState::new().seed(),
    };
    println!("{SEED_VARIABLE}={}", seed.map(|byte| byte.to_string()).join(","));
    let config = Config {
        cases: 3000,
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::XorShift, &seed));
    let (start, cases) = (Instant::now(), std::cell::Cell::new(0));
    let bounded = |value| {
        if start.elapsed() > LONGEST {
            return Ok(());
        }
        cases.set(cases.get() + 1);
        test(value)
    };
    runner.run(&strategy, bounded).unwrap();
    println!("{} cases", cases.get());
    assert!(cases.get() > 50, "{} cases only", cases.get());
}

/// A random number from what the standard library has.
trait Seed {
    fn seed(&self) -> [u8; 16];
}

impl Seed for std::collections::hash_map::RandomState {
    fn seed(&self) -> [u8; 16] {
        use std::hash::BuildHasher;
        let halves = [self.hash_one(1).to_le_bytes(), self.hash_one(2).to_le_bytes()];
        std::array::from_fn(|at| halves[at / 8][at % 8])
    }
}

#[test]
fn what_is_sent_arrives_and_means_the_same() {
    let scene = Scene::new();
    run(vec(sent(), 1..4), |requests| {
        let bytes: Vec<u8> = requests.iter().flat_map(Sent::bytes).collect();
        let Outcome { statuses, arrivals } = scene.send(&bytes);
        prop_assert_eq!(&statuses, &vec![200; requests.len()], "{:?}", latin1(&bytes));
        prop_assert_eq!(arrivals.len(), requests.len());
        for (request, arrival) in requests.iter().zip(&arrivals) {
            let Arrival::Request(arrived) = arrival else {
                return Err(TestCaseError::fail(format!("{arrival:?}")));
            };
            request.became(arrived)?;
        }
        Ok(())
    });
}

#[test]
fn what_is_broken_is_refused_or_means_one_thing() {
    let scene = Scene::new();
    run((sent(), vec(mutation(), 1..4)), |(request, mutations)| {
        let mut bytes = request.bytes();
        mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
        let shown = latin1(&bytes);
        // A faulty message at the backend fails in there.
        let Outcome { statuses, arrivals } = scene.send(&bytes);
        let whole = arrivals
            .iter()
            .filter(|arrival| matches!(arrival, Arrival::Request(_)))
            .count();
        let passed = statuses.iter().filter(|status| **status == 200).count();
        // Each whole request is one that the client knows of, and a refusal is the last answer.
        prop_assert_eq!(whole, passed, "{:?}: {:?} {:?}", shown, statuses, arrivals);
        let refused = statuses.len() - passed;
        prop_assert!(refused <= 1, "{:?}: {:?}", shown, statuses);
        if let Some(status) = statuses.iter().find(|status| **status != 200) {
            prop_assert_eq!(Some(status), statuses.last(), "{:?}", shown);
            prop_assert!(matches!(status, 400..=431 | 501 | 505), "{:?}: {}", shown, status);
        }
        // What arrived is among what a reader by the letter sees in the client's bytes, where it sees any.
        let mut rest = &bytes[..];
        let requests = arrivals.iter().filter_map(|arrival| match arrival {
            Arrival::Request(request) => Some(request),
            _ => None,
        });
        for arrived in requests {
            while let Some(behind) = rest.strip_prefix(b"\r\n") {
                rest = behind;
            }
            let Ok(Some((read, length))) = crate::harness::read_request(rest) else {
                break;
            };
            prop_assert_eq!(&read.method, &arrived.method, "{:?}", shown);
            prop_assert_eq!(&read.body, &arrived.body, "{:?}", shown);
            prop_assert_eq!(&read.trailers, &arrived.trailers, "{:?}", shown);
            rest = &rest[length..];
        }
        Ok(())
    });
}
