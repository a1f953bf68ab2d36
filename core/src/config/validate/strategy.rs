//! How a pool chooses: the strategy and its options, and when lower priorities serve.

use std::time::Duration;

use super::{Checker, duration, one_of, timeout};
use crate::config::{
    model::*,
    problem::Refusal,
    raw::{RawFailover, RawStrategy, Written},
    suggest::closest,
};

/// The strategies by the names they have in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    RoundRobin,
    Random,
    LeastConnections,
    PowerOfTwo,
    LeastTime,
    Intelligent,
    Hash,
    First,
}

const NAMES: [(&str, Name); 9] = [
    ("round-robin", Name::RoundRobin),
    ("weighted", Name::RoundRobin),
    ("random", Name::Random),
    ("least-connections", Name::LeastConnections),
    ("power-of-two", Name::PowerOfTwo),
    ("least-time", Name::LeastTime),
    ("intelligent", Name::Intelligent),
    ("hash", Name::Hash),
    ("first", Name::First),
];

/// What others call them: nginx, HAProxy, Envoy, Traefik, finagle.
const NAMES_ELSEWHERE: [(&str, &str); 20] = [
    ("rr", "round-robin"),
    ("roundrobin", "round-robin"),
    ("round_robin", "round-robin"),
    ("static-rr", "round-robin"),
    ("wrr", "weighted"),
    ("least_conn", "least-connections"),
    ("leastconn", "least-connections"),
    ("least_request", "power-of-two"),
    ("p2c", "power-of-two"),
    ("least_time", "least-time"),
    ("ewma", "least-time"),
    ("peak_ewma", "least-time"),
    ("ip_hash", "hash"),
    ("source", "hash"),
    ("uri", "hash"),
    ("maglev", "hash"),
    ("ring_hash", "hash"),
    ("consistent", "hash"),
    ("hrw", "hash"),
    ("sticky", "hash"),
];

/// What others call the parts of a request.
const KEYS_ELSEWHERE: [(&str, &str); 10] = [
    ("ip", "client"),
    ("src", "client"),
    ("source", "client"),
    ("client_ip", "client"),
    ("client_address", "client"),
    ("$remote_addr", "client"),
    ("url", "uri"),
    ("path", "uri"),
    ("request_uri", "uri"),
    ("$request_uri", "uri"),
];

const KEY_FORMS: &str = "must be client, uri, header NAME, cookie NAME or query NAME";

impl Checker<'_> {
    pub(super) fn strategy(&mut self, raw: &RawStrategy) -> StrategyConfig {
        // Without a name, or with one that is refused, nothing can be said about options.
        let Some(name) = self.value(&raw.name, strategy_name) else {
            return StrategyConfig::RoundRobin;
        };
        let is_timed = matches!(name, Name::LeastTime | Name::Intelligent);
        for (option, owner, belongs) in [
            (&raw.key, "hash", name == Name::Hash),
            (&raw.bounded_load, "hash", name == Name::Hash),
            (&raw.decay, "least-time", is_timed),
        ] {
            if let (Some(written), false) = (option, belongs) {
                let rule = format!("is an option of the strategy {owner} only");
                self.refuse(
                    written,
                    Refusal::new(rule).hint("remove it, or name that strategy"),
                );
            }
        }
        match name {
            Name::RoundRobin => StrategyConfig::RoundRobin,
            Name::Random => StrategyConfig::Random,
            Name::LeastConnections => StrategyConfig::LeastConnections,
            Name::PowerOfTwo => StrategyConfig::PowerOfTwo,
            Name::First => StrategyConfig::First,
            Name::LeastTime | Name::Intelligent => StrategyConfig::LeastTime(LeastTimeConfig {
                decay: self
                    .value(&raw.decay, timeout)
                    .unwrap_or(LeastTimeConfig::DEFAULT_DECAY),
                intelligent: name == Name::Intelligent,
            }),
            Name::Hash => StrategyConfig::Hash(HashConfig {
                key: self.value(&raw.key, hash_key).unwrap_or(HashKey::Client),
                bounded_load: self.value(&raw.bounded_load, bounded_load).flatten(),
            }),
        }
    }

    pub(super) fn failover(&mut self, raw: &RawFailover) -> Failover {
        let gradual = self
            .value(&raw.mode, |mode| {
                one_of(mode.text(), [("whole", false), ("gradual", true)])
            })
            // Who writes how much wants some of it.
            .unwrap_or(raw.mode.is_none() && raw.overprovisioning.is_some());
        let factor = self.value(&raw.overprovisioning, load_factor);
        if let (false, Some(_), Some(written)) = (gradual, factor, &raw.overprovisioning) {
            let refusal = Refusal::new("belongs to `mode: gradual` only");
            self.refuse(written, refusal.hint("remove it, or write that mode"));
        }
        let default = || LoadFactor::new(Failover::DEFAULT_OVERPROVISIONING);
        match factor.or_else(default) {
            Some(overprovisioning) if gradual => Failover::Gradual { overprovisioning },
            _ => Failover::Whole,
        }
    }
}

/// Zero turns it off.
pub(super) fn slow_start(written: &Written) -> Result<Duration, Refusal> {
    match written.text() {
        "0" | "none" => Ok(Duration::ZERO),
        _ => duration(written),
    }
}

/// As any of `names`; else what was probably meant, in this project's words or in another's.
fn named<'n>(
    refusal: Refusal,
    text: &str,
    names: impl Iterator<Item = &'n str>,
    elsewhere: &[(&str, &'n str)],
) -> Refusal {
    let lower = text.to_ascii_lowercase();
    let other = elsewhere.iter().find(|(name, _)| *name == lower);
    refusal.did_you_mean(other.map(|(_, name)| *name).or_else(|| closest(text, names)))
}

fn strategy_name(written: &Written) -> Result<Name, Refusal> {
    let text = written.text();
    one_of(text, NAMES).map_err(|refusal| {
        let rule = Refusal::new(refusal.rule);
        named(rule, text, NAMES.iter().map(|(name, _)| *name), &NAMES_ELSEWHERE)
    })
}

pub(super) fn hash_key(written: &Written) -> Result<HashKey, Refusal> {
    let text = written.text().trim();
    let (kind, name) = text
        .split_once(|c: char| c.is_ascii_whitespace())
        .map_or((text, ""), |(kind, name)| (kind, name.trim()));
    let form = |what: &str| {
        let refusal = Refusal::new(format!("must be `{kind} NAME` with the name of {what}"));
        refusal.hint(format!("write for example `{kind} user`"))
    };
    let is_token = !name.is_empty() && name.bytes().all(is_token_byte);
    match kind {
        "client" if name.is_empty() => Ok(HashKey::Client),
        "uri" if name.is_empty() => Ok(HashKey::Uri),
        "header" if is_token => Ok(HashKey::Header(name.to_ascii_lowercase().into())),
        "cookie" if is_token => Ok(HashKey::Cookie(name.into())),
        "query" if !name.is_empty() && name.bytes().all(is_query_byte) => Ok(HashKey::Query(name.into())),
        "header" => Err(form("a header")),
        "cookie" => Err(form("a cookie")),
        "query" => Err(form("a query parameter")),
        _ => {
            let kinds = ["client", "uri", "header", "cookie", "query"];
            Err(named(
                Refusal::new(KEY_FORMS),
                kind,
                kinds.into_iter(),
                &KEYS_ELSEWHERE,
            ))
        }
    }
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// As a name stands in a query, percent signs included.
fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"&=#".contains(&byte)
}

fn bounded_load(written: &Written) -> Result<Option<LoadFactor>, Refusal> {
    match written.text() {
        "none" => Ok(None),
        _ => load_factor(written).map(Some).map_err(|refusal| {
            let rule = format!("{}, or none", refusal.rule);
            Refusal { rule, ..refusal }
        }),
    }
}

/// `1.25` or `125%`.
fn load_factor(written: &Written) -> Result<LoadFactor, Refusal> {
    let text = written.text();
    let (digits, unit) = match text.strip_suffix('%') {
        Some(digits) => (digits, 100.0),
        None => (text, 1.0),
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = digits.parse::<f64>().ok().filter(|_| is_number);
    let refused = || {
        let refusal = Refusal::new("must be a factor from 1.01 to 10, such as 1.25 or 125%");
        let as_percent = number.filter(|number| unit == 1.0 && (101.0..=1000.0).contains(number));
        refusal.did_you_mean(as_percent.map(|number| format!("{number}%")))
    };
    number
        .and_then(|number| LoadFactor::new(number / unit))
        .ok_or_else(refused)
}
