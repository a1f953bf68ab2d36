//! What is measured.

use std::time::Duration;

use clap::ValueEnum;

use crate::{
    balancers::Kind,
    configs::Temper,
    load::{KIB64, Load, LoadExchange, MIB1, Pace, SMALL},
};

/// A case, by the name it has on the command line; in the order they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum CaseId {
    /// 62-byte answers on 64 kept-alive connections
    Small,
    /// 64 KiB answers
    #[value(name = "64k")]
    Kib64,
    /// 1 MiB answers
    #[value(name = "1m")]
    Mib1,
    /// 64 KiB uploads
    #[value(name = "upload-64k")]
    Upload64k,
    /// 1 MiB uploads
    #[value(name = "upload-1m")]
    Upload1m,
    /// Small answers on 1,000 connections
    #[value(name = "conns-1000")]
    Conns1000,
    /// Small answers on 5,000 connections
    #[value(name = "conns-5000")]
    Conns5000,
    /// A connection for each request
    Churn,
    /// WebSocket messages that come back
    Websocket,
    /// An open loop at 70 % of nginx's capacity
    Open,
    /// Two workers on all cores
    BothCores,
    /// One of three backends frozen, after it is noticed
    Frozen,
    /// Backends that close idle connections at random
    IdleClose,
}

/// The share of nginx's capacity in an open loop.
pub(crate) const OPEN_SHARE: f64 = 0.7;
/// In the case frozen: more rounds would say no more, and each takes ten times as long.
const FROZEN_ROUNDS: u32 = 3;

impl CaseId {
    /// The name on the command line.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or(String::new(), |value| value.get_name().to_owned())
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Small => "small answers (62 bytes), 64 connections kept alive",
            Self::Kib64 => "64 KiB answers, 64 connections",
            Self::Mib1 => "1 MiB answers, 32 connections",
            Self::Upload64k => "64 KiB uploads, 64 connections",
            Self::Upload1m => "1 MiB uploads, 32 connections",
            Self::Conns1000 => "small answers, 1,000 connections",
            Self::Conns5000 => "small answers, 5,000 connections",
            Self::Churn => "small answers, a connection each (no keep-alive on the client side)",
            Self::Websocket => "WebSocket echo, 64 tunnels, messages of 128 bytes",
            Self::Open => "open loop at 70 % of nginx's capacity, timed from the intended send",
            Self::BothCores => "both cores: 2 workers, not pinned, 100 connections",
            Self::Frozen => "one of three backends frozen, after it is noticed",
            Self::IdleClose => "backends that close idle connections at random",
        }
    }

    pub(crate) fn pinned(self) -> bool {
        self != Self::BothCores
    }

    pub(crate) fn workers(self) -> usize {
        if self == Self::BothCores { 2 } else { 1 }
    }

    pub(crate) fn temper(self) -> Temper {
        match self {
            Self::Frozen => Temper::Impatient,
            Self::IdleClose => Temper::Forgiving,
            _ => Temper::Usual,
        }
    }

    pub(crate) fn rounds(self, rounds: u32) -> u32 {
        match self {
            Self::Frozen => rounds.min(FROZEN_ROUNDS),
            // Its number of requests is what makes it long enough.
            Self::IdleClose => 1,
            _ => rounds,
        }
    }

    /// Descriptors that load and backends together may need.
    pub(crate) fn open_files(self) -> u64 {
        100 + 2 * self.load(0.0).connections as u64
    }

    /// Why it makes no sense for a balancer.
    pub(crate) fn senseless_for(self, kind: Kind) -> Option<&'static str> {
        match (self, kind) {
            (Self::Frozen | Self::IdleClose, Kind::Relay) => Some("a relay ties each client to one backend"),
            _ => None,
        }
    }

    /// The load; `per_second` is the rate of an open loop.
    pub(crate) fn load(self, per_second: f64) -> Load {
        let closed = |connections, exchange| Load {
            connections,
            exchange,
            pace: Pace::Closed,
            limit: None,
        };
        match self {
            Self::Small | Self::Frozen => closed(64, get("/", SMALL)),
            Self::Kib64 => closed(64, get("/64k", KIB64)),
            Self::Mib1 => closed(32, get("/1m", MIB1)),
            Self::Upload64k => closed(64, post(KIB64)),
            Self::Upload1m => closed(32, post(MIB1)),
            Self::Conns1000 => closed(1000, get("/", SMALL)),
            Self::Conns5000 => closed(5000, get("/", SMALL)),
            Self::Churn => closed(
                64,
                LoadExchange::Http {
                    request: request("GET", "/", "Connection: close\r\n", 0),
                    answer: SMALL,
                    reconnect: true,
                },
            ),
            Self::Websocket => closed(64, LoadExchange::Echo { frame: frame() }),
            Self::Open => Load {
                pace: Pace::Open(per_second),
                ..closed(100, get("/", SMALL))
            },
            Self::BothCores => closed(100, get("/", SMALL)),
            Self::IdleClose => idle_close(get("/", SMALL), 0),
        }
    }
}

/// Load that lets connections to backends become idle now and then.
fn idle_close(exchange: LoadExchange, requests: u64) -> Load {
    Load {
        connections: 64,
        exchange,
        pace: Pace::Thinking(Duration::from_millis(4)),
        limit: Some(requests),
    }
}

/// The two halves of the case idle-close: POSTs, then GETs.
pub(crate) fn posts_and_gets(requests: u64) -> [Load; 2] {
    [
        idle_close(post(16), requests),
        idle_close(get("/", SMALL), requests),
    ]
}

fn get(target: &str, answer: usize) -> LoadExchange {
    LoadExchange::Http {
        request: request("GET", target, "", 0),
        answer,
        reconnect: false,
    }
}

fn post(length: usize) -> LoadExchange {
    LoadExchange::Http {
        request: request("POST", "/", "", length),
        answer: SMALL,
        reconnect: false,
    }
}

fn request(method: &str, target: &str, more: &str, length: usize) -> Vec<u8> {
    let body = if length > 0 {
        format!("Content-Length: {length}\r\n")
    } else {
        String::new()
    };
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: lb-bench\r\nAccept: */*\r\n{more}{body}\r\n"
    )
    .into_bytes();
    request.resize(request.len() + length, b'x');
    request
}

/// A masked binary frame (RFC 6455, section 5.2) of 128 bytes; 126 says that two bytes of length follow.
fn frame() -> Vec<u8> {
    let mut frame = vec![0x82, 0x80 | 126, 0, 128, 0, 0, 0, 0];
    frame.resize(frame.len() + 128, b'x');
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_whole() {
        let text = String::from_utf8_lossy(&request("POST", "/", "", 3)).into_owned();
        assert!(
            text.starts_with("POST / HTTP/1.1\r\nHost: ") && text.ends_with("Content-Length: 3\r\n\r\nxxx"),
            "{text}"
        );
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let names: Vec<String> = CaseId::value_variants().iter().map(|case| case.name()).collect();
        assert_eq!(
            names.join(" "),
            "small 64k 1m upload-64k upload-1m conns-1000 conns-5000 churn websocket open \
            both-cores frozen idle-close"
        );
    }
}
