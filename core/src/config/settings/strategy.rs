//! `strategy` and `failover`: how a pool chooses. Options belong to their name, so a pool that says something says all of it.

use std::time::Duration;

use super::{
    Checker, Place, Setting, Settings, Shape,
    field::{At, Leaf, Type, lens, mapping, read_part},
    forms::{Form, OrNone, Single, TIMEOUT, Words},
    shape::Kind,
};
use crate::config::{
    fields::Fields,
    model::{Failover, HashConfig, HashKey, LeastTimeConfig, LoadFactor, StrategyConfig},
    problem::Refusal,
    suggest::closest,
    written::Written,
};

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

/// A strategy as it is written.
#[derive(Debug, Clone, PartialEq)]
struct WrittenStrategy {
    /// With default options; `None`: nothing can be said about options.
    name: Option<StrategyConfig>,
    key: HashKey,
    bounded_load: Option<LoadFactor>,
    decay: Duration,
}

impl Settings for WrittenStrategy {
    const SHORT: Option<&'static str> = Some("name");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "name",
            &Leaf(lens!(WrittenStrategy, name), &STRATEGY_NAME),
            "Which strategy chooses. `weighted` is `round-robin`; `intelligent` is `least-time`.",
        )
        .default_is("round-robin")
        .example("name: hash")
        .required()
        .on_routes(),
        Setting::new(
            "key",
            &Leaf(lens!(WrittenStrategy, key), &HASH_KEY),
            "For `hash`: the part of a request that decides where it goes. Requests without it are sent by chance.",
        )
        .example("key: header X-User")
        .on_routes(),
        Setting::new(
            "bounded_load",
            &Leaf(
                lens!(WrittenStrategy, bounded_load),
                &OrNone {
                    form: FACTOR,
                    expects: "a factor or none",
                },
            ),
            "For `hash`: no backend holds more than so many times its share of the requests in flight.",
        )
        .on_routes(),
        Setting::new(
            "decay",
            &Leaf(lens!(WrittenStrategy, decay), &TIMEOUT),
            "For `least-time` and `intelligent`: how long latencies are remembered.",
        )
        .on_routes(),
    ];

    fn judge(&mut self, own: &Fields<'_>, checker: &mut Checker<'_>) {
        let Some(name) = &self.name else { return };
        let is_hash = matches!(name, StrategyConfig::Hash(_));
        let is_timed = matches!(name, StrategyConfig::LeastTime(_));
        for (option, owner, belongs) in [
            ("key", "hash", is_hash),
            ("bounded_load", "hash", is_hash),
            ("decay", "least-time", is_timed),
        ] {
            if !belongs {
                let refusal = Refusal::new(format!("is an option of the strategy {owner} only"));
                checker.refuse_setting(own, option, refusal.hint("remove it, or name that strategy"));
            }
        }
    }
}

const STRATEGY_NAME: Form<Option<StrategyConfig>> = Form {
    expects: "the name of a strategy",
    kinds: || vec![Kind::Words(StrategyConfig::names())],
    parse: |written| {
        let text = written.text();
        StrategyConfig::named(text).map(Some).ok_or_else(|| {
            let names = StrategyConfig::names();
            let refusal = Refusal::new(format!("must be one of {}", names.join(", ")));
            meant(refusal, text, names.into_iter(), &NAMES_ELSEWHERE)
        })
    },
    show: |name| name.as_ref().map_or(String::new(), |name| name.name().to_owned()),
};

/// How a pool chooses.
pub(in crate::config) struct Strategy;

impl Type<StrategyConfig> for Strategy {
    fn expects(&self) -> &'static str {
        "the name of a strategy or a mapping"
    }

    fn shape(&self) -> Shape {
        Shape::Mapping(mapping(&none_written(), Place::Top))
    }

    fn read(&self, (own, key): At<'_>, checker: &mut Checker<'_>) -> Option<StrategyConfig> {
        own.node(key)?;
        let mut written = none_written();
        read_part(&mut written, (own, key), checker);
        Some(match written.name.unwrap_or(StrategyConfig::RoundRobin) {
            StrategyConfig::LeastTime(options) => StrategyConfig::LeastTime(LeastTimeConfig {
                decay: written.decay,
                ..options
            }),
            StrategyConfig::Hash(_) => StrategyConfig::Hash(HashConfig {
                key: written.key,
                bounded_load: written.bounded_load,
            }),
            other => other,
        })
    }

    fn show(&self, value: &StrategyConfig) -> String {
        value.to_string()
    }

    fn is_same(&self, a: &StrategyConfig, b: &StrategyConfig) -> bool {
        a == b
    }
}

fn none_written() -> WrittenStrategy {
    WrittenStrategy {
        name: None,
        key: HashKey::Client,
        bounded_load: None,
        decay: LeastTimeConfig::DEFAULT_DECAY,
    }
}

/// A failover as it is written.
#[derive(Debug, Clone, PartialEq, Default)]
struct WrittenFailover {
    is_gradual: bool,
    overprovisioning: Option<LoadFactor>,
}

impl Settings for WrittenFailover {
    const SHORT: Option<&'static str> = Some("mode");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "mode",
            &Leaf(
                lens!(WrittenFailover, is_gradual),
                &Words("whole or gradual", &[("whole", false), ("gradual", true)]),
            ),
            "`whole`: when no backend of a higher priority is left; `gradual`: as soon as those above are too few, for the part that they lack.",
        ),
        Setting::new(
            "overprovisioning",
            &Leaf(
                lens!(WrittenFailover, overprovisioning),
                &Form {
                    expects: "a factor",
                    kinds: || FACTOR.kinds(),
                    parse: |written| FACTOR.parse(written).map(Some),
                    show: |factor| factor.map_or("1.4".to_owned(), |factor| factor.to_string()),
                },
            ),
            "For `gradual`: the healthy capacity of higher priorities counts that many times, so that the first failures move nothing.",
        ),
    ];

    fn judge(&mut self, own: &Fields<'_>, checker: &mut Checker<'_>) {
        // A factor without a mode means that mode.
        self.is_gradual |= !own.is_written("mode") && own.is_written("overprovisioning");
        if !self.is_gradual && self.overprovisioning.is_some() {
            let refusal = Refusal::new("belongs to `mode: gradual` only");
            checker.refuse_setting(
                own,
                "overprovisioning",
                refusal.hint("remove it, or write that mode"),
            );
        }
    }
}

/// When backends of a lower priority serve.
pub(super) struct FailoverMode;

impl Type<Failover> for FailoverMode {
    fn expects(&self) -> &'static str {
        "whole, gradual or a mapping"
    }

    fn shape(&self) -> Shape {
        Shape::Mapping(mapping(&WrittenFailover::default(), Place::Top))
    }

    fn read(&self, (own, key): At<'_>, checker: &mut Checker<'_>) -> Option<Failover> {
        own.node(key)?;
        let mut written = WrittenFailover::default();
        read_part(&mut written, (own, key), checker);
        let default = || LoadFactor::new(Failover::DEFAULT_OVERPROVISIONING);
        Some(match written.overprovisioning.or_else(default) {
            Some(overprovisioning) if written.is_gradual => Failover::Gradual { overprovisioning },
            _ => Failover::Whole,
        })
    }

    fn show(&self, value: &Failover) -> String {
        value.to_string()
    }

    fn is_same(&self, a: &Failover, b: &Failover) -> bool {
        a == b
    }
}

/// As any of `names`; else what was probably meant, in this project's words or in another's.
fn meant<'n>(
    refusal: Refusal,
    text: &str,
    names: impl Iterator<Item = &'n str>,
    elsewhere: &[(&str, &'n str)],
) -> Refusal {
    let lower = text.to_ascii_lowercase();
    let other = elsewhere.iter().find(|(name, _)| *name == lower);
    refusal.did_you_mean(other.map(|(_, name)| *name).or_else(|| closest(text, names)))
}

/// The part of a request that decides.
pub(in crate::config) const HASH_KEY: Form<HashKey> = Form {
    expects: "a part of the request, such as client",
    kinds: || {
        let what = "`client`, `uri`, `header NAME`, `cookie NAME` or `query NAME`";
        vec![Kind::Text(
            what,
            "^\\s*(client|uri|(header|cookie)\\s+[A-Za-z0-9!#$%&'*+.^_`|~-]+|query\\s+[^\\s&=#]+)\\s*$",
        )]
    },
    parse: hash_key,
    show: |key| key.to_string(),
};

fn hash_key(written: &Written) -> Result<HashKey, Refusal> {
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
            let refusal = Refusal::new("must be client, uri, header NAME, cookie NAME or query NAME");
            let kinds = ["client", "uri", "header", "cookie", "query"];
            Err(meant(refusal, kind, kinds.into_iter(), &KEYS_ELSEWHERE))
        }
    }
}

/// `tchar` of RFC 9110, section 5.6.2.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// As a name stands in a query, percent signs included.
fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"&=#".contains(&byte)
}

/// `1.25` or `125%`.
const FACTOR: Form<LoadFactor> = Form {
    expects: "a factor",
    kinds: || {
        vec![Kind::Number {
            range: "a factor from 1.01 to 10, such as `1.25` or `125%`",
            least: 1.01,
            most: 10.0,
            percent: true,
        }]
    },
    parse: load_factor,
    show: |factor| factor.to_string(),
};

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
