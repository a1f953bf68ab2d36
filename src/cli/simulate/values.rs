//! Single values of `simulate`'s arguments. Errors are one line that says what to write instead.

use std::time::Duration;

use lb_core::config::{self, MAX_DURATION, PoolConfig, StrategyConfig, parse_duration};

/// How many requests come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rate {
    /// So many a second.
    PerSecond(f64),
    /// That part of what the pool manages.
    Capacity(f64),
}

/// What `--strategy` names, in its order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Strategies {
    /// All that make sense for the pool.
    All,
    /// These.
    Named(Vec<StrategyConfig>),
}

impl Strategies {
    /// Those to compare for a pool. What it is configured with keeps its options. A strategy that fills one backend
    /// before it takes the next has nothing to compare without a limit; it must be asked for.
    pub(super) fn of(&self, pool: &PoolConfig) -> Vec<StrategyConfig> {
        let limited = pool
            .backends
            .iter()
            .any(|backend| backend.max_connections.is_some());
        let wanted = match self {
            Self::Named(wanted) => wanted.clone(),
            Self::All => StrategyConfig::every()
                .into_iter()
                .filter(|strategy| limited || !strategy.algorithm().fills_up() || pool.strategy == *strategy)
                .collect(),
        };
        let as_configured = |strategy: StrategyConfig| {
            if strategy.name() == pool.strategy.name() {
                pool.strategy.clone()
            } else {
                strategy
            }
        };
        wanted.into_iter().map(as_configured).collect()
    }
}

/// More requests a second than that come to nobody.
const MOST_PER_SECOND: f64 = 1e9;
/// A load beyond this says nothing but that it is too much.
const MOST_PERCENT: f64 = 1000.0;
/// The highest factor of slowness or load.
const MOST_TIMES: f64 = 1e6;

/// `all`, or names with commas between them.
pub(super) fn strategies(text: &str) -> Result<Strategies, String> {
    if text == "all" {
        return Ok(Strategies::All);
    }
    let mut named: Vec<StrategyConfig> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let strategy = strategy(name)?;
        if !named.contains(&strategy) {
            named.push(strategy);
        }
    }
    Ok(Strategies::Named(named))
}

/// By the rules of the configuration, so that whatever is a strategy there is one here.
fn strategy(name: &str) -> Result<StrategyConfig, String> {
    let known = || {
        StrategyConfig::every()
            .iter()
            .map(StrategyConfig::name)
            .collect::<Vec<_>>()
            .join(",")
    };
    let refused = |hint: Option<String>| {
        let hint = hint.unwrap_or_else(|| format!("write all, or some of {}", known()));
        format!("there is no strategy {name:?}; {hint}")
    };
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_$".contains(c));
    if !is_name {
        return Err(refused(None));
    }
    let text = format!("port: 0\nstrategy: \"{name}\"\nbackends: [\"http://b1\"]\n");
    let config = config::load(&text, "--strategy", &|_| None);
    let hint = |error: config::ConfigError| error.problems.into_iter().find_map(|problem| problem.hint);
    let pool = config.map(|mut config| config.pools.remove(config::DEFAULT_POOL));
    match pool {
        Ok(Some(pool)) => Ok(pool.strategy),
        Ok(None) => Err(refused(None)),
        Err(error) => Err(refused(hint(error))),
    }
}

/// `2000/s`, `120000/m`, `2000` (a second), `60%`.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let refused = || {
        "write requests a second, such as 2000/s, or a part of what the pool manages, such as 60%".to_owned()
    };
    if text.ends_with('%') {
        let part = percent(text, MOST_PERCENT).map_err(|_| refused())?;
        return if part > 0.0 {
            Ok(Rate::Capacity(part))
        } else {
            Err("must be above 0%".to_owned())
        };
    }
    let (number, seconds) = match text.split_once('/') {
        None => (text, 1.0),
        Some((number, "s")) => (number, 1.0),
        Some((number, "m")) => (number, 60.0),
        Some((number, "h")) => (number, 3600.0),
        Some(_) => return Err(refused()),
    };
    let rate = positive(number).ok_or_else(refused)? / seconds;
    if rate > MOST_PER_SECOND {
        return Err(format!("must be at most {MOST_PER_SECOND}/s"));
    }
    Ok(Rate::PerSecond(rate))
}

/// `10ms`, `0.5ms`, `250us`, `1m30s`; longer than 0.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let simple = units.iter().find_map(|(unit, seconds)| {
        let number = positive(text.strip_suffix(unit)?)?;
        Some(number * seconds)
    });
    let duration = match simple {
        Some(seconds) if seconds <= MAX_DURATION.as_secs_f64() => Duration::from_secs_f64(seconds),
        _ => parse_duration(text)
            .map_err(|_| format!("{text:?} is no time such as 250us, 10ms, 5s or 1m30s"))?,
    };
    if duration.is_zero() {
        return Err("must be longer than 0s".to_owned());
    }
    Ok(duration)
}

/// The same, and 0 as well.
pub(super) fn moment(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") {
        Ok(Duration::ZERO)
    } else {
        time(text)
    }
}

/// `20%` as 0.2.
pub(super) fn share(text: &str) -> Result<f64, String> {
    percent(text, 100.0)
}

/// `10x`, `x10` or `10`.
pub(super) fn times(text: &str) -> Result<f64, String> {
    let number = text
        .strip_prefix('x')
        .or_else(|| text.strip_suffix('x'))
        .unwrap_or(text);
    let refused = || format!("{text:?} is no factor such as 10x or 0.5x");
    positive(number)
        .filter(|&times| times <= MOST_TIMES)
        .ok_or_else(refused)
}

/// Above 0 and finite.
pub(super) fn positive(text: &str) -> Option<f64> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let number = text.parse::<f64>().ok().filter(|_| plain)?;
    (number > 0.0 && number.is_finite()).then_some(number)
}

fn percent(text: &str, most: f64) -> Result<f64, String> {
    let refused = || format!("{text:?} is no percentage from 0% to {most}%");
    let digits = text.strip_suffix('%').ok_or_else(refused)?;
    let number = if digits.trim_matches('0').is_empty() && digits.contains('0') {
        Some(0.0)
    } else {
        positive(digits)
    };
    number
        .filter(|&number| number <= most)
        .map(|number| number / 100.0)
        .ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        assert_eq!(rate("2000/s"), Ok(Rate::PerSecond(2000.0)));
        assert_eq!(rate("120000/m"), Ok(Rate::PerSecond(2000.0)));
        assert_eq!(rate("0.5"), Ok(Rate::PerSecond(0.5)));
        assert_eq!(rate("60%"), Ok(Rate::Capacity(0.6)));
        for wrong in [
            "",
            "0",
            "0%",
            "-5/s",
            "5/d",
            "1e9",
            "inf",
            "NaN",
            "5 /s",
            "2000%",
            "9999999999",
        ] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments() {
        let parsed = ["10ms", "0.5ms", "250us", "1.5s", "1m30s", "2h"]
            .map(|text| time(text).map(|time| time.as_micros()));
        let micros = [10_000, 500, 250, 1_500_000, 90_000_000, 7_200_000_000].map(Ok);
        assert_eq!(parsed, micros);
        for wrong in ["", "10", "0s", "-1s", "1e3s", "ms", "999999999999999s"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(moment("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn shares_and_factors() {
        assert_eq!(
            [share("20%"), share("0%"), share("0.1%")],
            [Ok(0.2), Ok(0.0), Ok(0.001)]
        );
        assert!(share("101%").is_err() && share("20").is_err() && share("%").is_err());
        assert_eq!(
            [times("10x"), times("x2"), times("1.5")],
            [Ok(10.0), Ok(2.0), Ok(1.5)]
        );
        assert!(times("0").is_err() && times("x").is_err() && times("-2x").is_err());
    }

    #[test]
    fn strategies_have_their_names_of_the_file() {
        assert_eq!(strategies("all"), Ok(Strategies::All));
        for strategy in StrategyConfig::every() {
            let named = strategies(strategy.name());
            assert_eq!(named, Ok(Strategies::Named(vec![strategy])));
        }
        let Ok(Strategies::Named(named)) = strategies("weighted, round-robin,intelligent") else {
            unreachable!("all three are in the file");
        };
        let names: Vec<&str> = named.iter().map(StrategyConfig::name).collect();
        assert_eq!(names, ["round-robin", "intelligent"]);
    }

    #[test]
    fn an_unknown_strategy_is_refused_with_those_there_are() {
        let refusal = strategies("round-robin,best").err().unwrap_or_default();
        assert!(
            refusal.contains("\"best\"") && refusal.contains("round-robin,random"),
            "{refusal}"
        );
        let elsewhere = strategies("p2c").err().unwrap_or_default();
        assert!(elsewhere.contains("power-of-two"), "{elsewhere}");
        assert!(strategies("hash, ]").is_err());
    }
}
