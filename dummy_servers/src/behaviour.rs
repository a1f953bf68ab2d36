//! How a server treats requests, as people write it.

mod cell;

use std::{fmt, str::FromStr, time::Duration};

pub(crate) use self::cell::BehaviourCell;

/// The longest duration that can be asked for: an hour outlasts every timeout that a test waits for.
const LONGEST: Duration = Duration::from_secs(3600);

/// What a server does with each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers at once.
    Ok,
    /// Answers after this time; a client that closes meanwhile, even only its sending side, gets nothing.
    Slow(Duration),
    /// Answers 500.
    Fail,
    /// Reads the request and never answers, until the client closes or the server stops.
    Hang,
    /// Reads the head of the request and closes with a TCP reset, before any byte of an answer.
    Reset,
    /// Promises a longer body than it sends, then closes in order (FIN).
    Cut,
    /// Answers 500 to this share of the requests, evenly spread, the same ones in each run.
    Flaky(Percent),
}

/// A share from 0 to 100 %, in steps of a hundredth of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u16);

impl Percent {
    /// `hundredths` of a percent, 1000 for 10 %; `None` above 10000.
    pub const fn try_new(hundredths: u16) -> Option<Self> {
        if hundredths <= 10_000 {
            Some(Self(hundredths))
        } else {
            None
        }
    }

    /// Whether the event with this number (from 0) is one of the share: an error accumulator in closed form, so that
    /// of any 10 events in a row 10 % are exactly 1, whichever thread counts.
    pub(crate) fn takes(self, number: u64) -> bool {
        let share = u128::from(self.0);
        let before = u128::from(number) * share / 10_000;
        (u128::from(number) + 1) * share / 10_000 > before
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 100.0)
    }
}

/// A behaviour that cannot be understood; the text says which ones can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongBehaviour {
    /// No behaviour has this name.
    #[error(
        "`{0}` is no behaviour; legal are ok, slow:DURATION (slow:200ms), fail, hang, reset, cut and flaky:PERCENT% (flaky:10%)"
    )]
    Unknown(String),
    /// A duration without a number or a unit, or above an hour.
    #[error(
        "`{0}` is no duration; legal is a whole number with ms, s or m, at most 1 hour, such as 200ms, 3s or 1m"
    )]
    Duration(String),
    /// A share without a percent sign or outside 0 to 100.
    #[error("`{0}` is no share; legal is 0% to 100% with at most two decimals, such as 10% or 2.5%")]
    Percent(String),
}

/// Reads `200ms`, `3s` or `1m`.
///
/// # Errors
/// [`WrongBehaviour::Duration`] if it is something else or more than an hour.
pub fn parse_duration(text: &str) -> Result<Duration, WrongBehaviour> {
    let wrong = || WrongBehaviour::Duration(text.to_owned());
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        _ => None,
    };
    milliseconds
        .map(Duration::from_millis)
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(wrong)
}

fn parse_percent(text: &str) -> Result<Percent, WrongBehaviour> {
    let wrong = || WrongBehaviour::Percent(text.to_owned());
    let number = text.strip_suffix('%').ok_or_else(wrong)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
        return Err(wrong());
    }
    let whole: u16 = whole.parse().map_err(|_| wrong())?;
    let decimals: u16 = format!("{decimals:0<2}").parse().map_err(|_| wrong())?;
    let hundredths = whole
        .checked_mul(100)
        .and_then(|whole| whole.checked_add(decimals));
    hundredths.and_then(Percent::try_new).ok_or_else(wrong)
}

impl FromStr for Behaviour {
    type Err = WrongBehaviour;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None => match text {
                "ok" => Ok(Self::Ok),
                "fail" => Ok(Self::Fail),
                "hang" => Ok(Self::Hang),
                "reset" => Ok(Self::Reset),
                "cut" => Ok(Self::Cut),
                _ => Err(WrongBehaviour::Unknown(text.to_owned())),
            },
            Some(("slow", duration)) => parse_duration(duration).map(Self::Slow),
            Some(("flaky", share)) => parse_percent(share).map(Self::Flaky),
            Some(_) => Err(WrongBehaviour::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Slow(duration) => write!(f, "slow:{}ms", duration.as_millis()),
            Self::Fail => f.write_str("fail"),
            Self::Hang => f.write_str("hang"),
            Self::Reset => f.write_str("reset"),
            Self::Cut => f.write_str("cut"),
            Self::Flaky(share) => write!(f, "flaky:{share}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read_and_held() {
        for text in [
            "ok",
            "slow:200ms",
            "slow:3600000ms",
            "fail",
            "hang",
            "reset",
            "cut",
            "flaky:10%",
            "flaky:2.5%",
        ] {
            let behaviour: Behaviour = text.parse().unwrap();
            assert_eq!(behaviour.to_string(), text);
            assert_eq!(
                BehaviourCell::new(Some(behaviour)).get(),
                Some(behaviour),
                "{text}"
            );
        }
        assert_eq!("slow:3s".parse(), Ok(Behaviour::Slow(Duration::from_secs(3))));
        assert_eq!("slow:1m".parse(), Ok(Behaviour::Slow(Duration::from_secs(60))));
        assert_eq!(BehaviourCell::new(None).get(), None);
    }

    #[test]
    fn refuses_what_it_does_not_know_and_says_what_is_legal() {
        for text in ["", "OK", "slow", "slwo:3s", "fail:1", "ok "] {
            let error = text.parse::<Behaviour>().unwrap_err().to_string();
            assert!(
                error.contains("slow:200ms") && error.contains("flaky:10%"),
                "{text}: {error}"
            );
        }
        for text in [
            "",
            "3",
            "s",
            "-1s",
            "1.5s",
            "3sec",
            "61m",
            "99999999999999999999ms",
            "18446744073709551615m",
        ] {
            let error = format!("slow:{text}").parse::<Behaviour>().unwrap_err();
            assert_eq!(error, WrongBehaviour::Duration(text.to_owned()));
        }
        for text in [
            "", "%", "10", "101%", "100.01%", "1.234%", "-1%", "+1%", ".5%", "5.%", "700%",
        ] {
            let error = format!("flaky:{text}").parse::<Behaviour>().unwrap_err();
            assert_eq!(error, WrongBehaviour::Percent(text.to_owned()));
        }
    }

    #[test]
    fn flaky_fails_exactly_its_share_of_any_window() {
        let cell = BehaviourCell::new(Some("flaky:10%".parse().unwrap()));
        let fails: Vec<bool> = (0..100).map(|_| cell.next() == Some(Behaviour::Fail)).collect();
        for window in fails.windows(10) {
            assert_eq!(window.iter().filter(|fail| **fail).count(), 1);
        }
        let quarter = Percent::try_new(250).unwrap();
        assert_eq!((0..10_000).filter(|number| quarter.takes(*number)).count(), 250);
        assert!((0..100).all(|number| Percent(10_000).takes(number) && !Percent(0).takes(number)));
    }
}
