//! What goes wrong, how the load changes and how long requests take, as they are typed. Which backend a trouble means is
//! found out later, when the pool is known.

use std::time::Duration;

use lb_simulation::{Change, Cold, Flap, ServiceTime, Shape, Span};

use super::values::{moment, positive, share, time, times};

/// Something that happens to a backend.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trouble {
    /// The argument it came from, to name it in errors.
    pub(super) flag: &'static str,
    /// Which backend, as typed.
    pub(super) backend: String,
    /// What.
    pub(super) what: What,
    /// When.
    pub(super) span: Span,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    /// Takes so many times longer.
    Slow(f64),
    /// Is dead.
    Dead,
    /// Stands still.
    Frozen,
    /// Fails that part of requests.
    Failing(f64),
    /// Begins slowly.
    Cold(Cold),
    /// Comes and goes.
    Flap(Flap),
}

/// A cold backend takes so many times longer at first, unless told otherwise.
const COLD_TIMES: f64 = 10.0;
/// Shorter turns of a flapping backend say nothing, and there would be many.
const SHORTEST_FLAP: Duration = Duration::from_millis(100);

/// `b2=10x@30s-60s`
pub(super) fn slow(text: &str) -> Result<Trouble, String> {
    let (backend, value, span) = backend_value(text, "b2=10x")?;
    trouble("--slow", backend, What::Slow(times(value)?), span)
}

/// `b2=20%@30s-60s`
pub(super) fn fail(text: &str) -> Result<Trouble, String> {
    let (backend, value, span) = backend_value(text, "b2=20%")?;
    trouble("--fail", backend, What::Failing(share(value)?), span)
}

/// `b2@30s-60s`
pub(super) fn kill(text: &str) -> Result<Trouble, String> {
    let (backend, span) = backend_alone(text)?;
    trouble("--kill", backend, What::Dead, span)
}

/// `b2@30s-60s`
pub(super) fn freeze(text: &str) -> Result<Trouble, String> {
    let (backend, span) = backend_alone(text)?;
    trouble("--freeze", backend, What::Frozen, span)
}

/// `b2=5s`, `b2=5s,20x`
pub(super) fn cold(text: &str) -> Result<Trouble, String> {
    let (backend, value, span) = backend_value(text, "b2=5s or b2=5s,20x")?;
    if span != Span::ALWAYS {
        return Err("a backend is cold whenever it comes back; leave the times out".to_owned());
    }
    let (lasts, factor) = match value.split_once(',') {
        Some((lasts, factor)) => (time(lasts)?, times(factor.trim())?),
        None => (time(value)?, COLD_TIMES),
    };
    trouble("--cold", backend, What::Cold(Cold { lasts, factor }), span)
}

/// `b2=10s/5s@30s-60s`, `b2=10s`
pub(super) fn flap(text: &str) -> Result<Trouble, String> {
    let (backend, value, span) = backend_value(text, "b2=10s/5s")?;
    let (up, down) = value.split_once('/').unwrap_or((value, value));
    let (up, down) = (time(up)?, time(down)?);
    if up + down < SHORTEST_FLAP {
        return Err("must take 100ms at least for a turn".to_owned());
    }
    trouble("--flap", backend, What::Flap(Flap { up, down, span }), span)
}

fn trouble(flag: &'static str, backend: &str, what: What, span: Span) -> Result<Trouble, String> {
    Ok(Trouble {
        flag,
        backend: backend.to_owned(),
        what,
        span,
    })
}

/// `x2@30s`, `x5@30s-40s`, `ramp x3@10s-60s`, `wave 50%/60s`
pub(super) fn traffic(text: &str) -> Result<Change, String> {
    if let Some(wave) = text.strip_prefix("wave ") {
        let (size, period) = wave
            .split_once('/')
            .ok_or("write how far and how often, such as `wave 50%/60s`")?;
        return Ok(Change::Wave {
            share: share(size.trim())?,
            period: time(period.trim())?,
        });
    }
    let ramp = text.strip_prefix("ramp ");
    let (factor, span) = with_span(ramp.unwrap_or(text).trim())?;
    if !factor.starts_with('x') {
        return Err(
            "write a factor and when, such as x2@30s, `ramp x3@10s-60s` or `wave 50%/60s`".to_owned(),
        );
    }
    let factor = times(factor)?;
    match (ramp, span) {
        (None, span) => Ok(Change::Step { factor, span }),
        (
            Some(_),
            Span {
                from,
                until: Some(until),
            },
        ) => Ok(Change::Ramp { factor, from, until }),
        (Some(_), _) => Err("a ramp needs its begin and its end, such as `ramp x3@10s-60s`".to_owned()),
    }
}

/// `10ms`, `lognormal 10ms sigma 0.7 tail 1%`, …
pub(super) fn service(text: &str) -> Result<ServiceTime, String> {
    let refused = || {
        "write a time such as 10ms, `constant 10ms`, `exponential 10ms`, `lognormal 10ms sigma 0.7` or \
         `pareto 10ms alpha 2.5`; and `tail 1%` after it if some take far longer"
            .to_owned()
    };
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let mut taken = |name: &str| -> Option<&str> {
        let at = words.iter().position(|word| *word == name)?;
        let value = words.get(at + 1).copied()?;
        words.drain(at..at + 2);
        Some(value)
    };
    let (tail, sigma, alpha) = (taken("tail"), taken("sigma"), taken("alpha"));
    let (shape, mean) = match words[..] {
        [mean] => ("lognormal", mean),
        [shape, mean] => (shape, mean),
        _ => return Err(refused()),
    };
    let shape = match (shape, sigma, alpha) {
        ("constant", None, None) => Shape::Constant,
        ("exponential", None, None) => Shape::Exponential,
        ("lognormal", None, None) => ServiceTime::default().shape,
        ("lognormal", Some(sigma), None) => Shape::LogNormal {
            sigma: positive(sigma)
                .filter(|&sigma| sigma <= 3.0)
                .ok_or("sigma must be above 0 and at most 3")?,
        },
        ("pareto", None, alpha) => Shape::Pareto {
            alpha: positive(alpha.unwrap_or("2.5"))
                .filter(|alpha| (1.1..=100.0).contains(alpha))
                .ok_or("alpha must be from 1.1 to 100")?,
        },
        _ => return Err(refused()),
    };
    Ok(ServiceTime {
        mean: time(mean)?,
        shape,
        tail: tail.map_or(Ok(0.0), share)?,
    })
}

/// Backend, value and times of `b2=10x@30s`.
fn backend_value<'a>(text: &'a str, example: &str) -> Result<(&'a str, &'a str, Span), String> {
    let (backend, value) = text
        .split_once('=')
        .filter(|(backend, _)| !backend.is_empty())
        .ok_or_else(|| format!("write the backend and what happens to it, such as {example}"))?;
    let (value, span) = with_span(value)?;
    Ok((backend, value, span))
}

/// Backend and times of `b2@30s`.
fn backend_alone(text: &str) -> Result<(&str, Span), String> {
    let (backend, span) = with_span(text)?;
    if backend.is_empty() || backend.contains('=') {
        return Err("write the backend and when, such as b2@30s or b2@30s-60s".to_owned());
    }
    Ok((backend, span))
}

/// What stands before `@30s` or `@30s-60s`, and the time.
fn with_span(text: &str) -> Result<(&str, Span), String> {
    let Some((value, times)) = text.rsplit_once('@') else {
        return Ok((text, Span::ALWAYS));
    };
    let (from, until) = match times.split_once('-') {
        Some((from, until)) => (moment(from)?, Some(moment(until)?)),
        None => (moment(times)?, None),
    };
    if until.is_some_and(|until| until <= from) {
        return Err(format!("{times:?} ends before it begins"));
    }
    Ok((value, Span { from, until }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn span(from: u32, until: Option<u32>) -> Span {
        Span {
            from: SECOND * from,
            until: until.map(|until| SECOND * until),
        }
    }

    #[test]
    fn troubles_are_a_backend_a_value_and_times() {
        let read = |trouble: Result<Trouble, String>| trouble.map(|t| (t.backend, t.what, t.span));
        let b2 = "b2".to_owned();
        assert_eq!(
            read(slow("b2=10x")),
            Ok((b2.clone(), What::Slow(10.0), Span::ALWAYS))
        );
        let url = "http://localhost:9002".to_owned();
        assert_eq!(
            read(kill("http://localhost:9002@30s-60s")),
            Ok((url, What::Dead, span(30, Some(60))))
        );
        assert_eq!(
            read(fail("b2=20%@5s")),
            Ok((b2.clone(), What::Failing(0.2), span(5, None)))
        );
        assert_eq!(read(freeze("b2")), Ok((b2.clone(), What::Frozen, Span::ALWAYS)));
        let warm = Cold {
            lasts: SECOND * 5,
            factor: 20.0,
        };
        assert_eq!(
            read(cold("b2=5s,20x")),
            Ok((b2.clone(), What::Cold(warm), Span::ALWAYS))
        );
        let flapping = Flap {
            up: SECOND * 10,
            down: SECOND * 5,
            span: span(1, None),
        };
        assert_eq!(
            read(flap("b2=10s/5s@1s")),
            Ok((b2, What::Flap(flapping), span(1, None)))
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let wrong = [
            slow("b2"),
            slow("=10x"),
            slow("b2=fast"),
            kill("b2@60s-30s"),
            kill("b2=5"),
            kill("@5s"),
            fail("b2=120%"),
        ];
        for trouble in wrong
            .into_iter()
            .chain([cold("b2=5s@10s"), flap("b2=1ms"), flap("b2=10s/0s")])
        {
            assert!(trouble.is_err(), "{trouble:?}");
        }
        for change in [
            "2@30s",
            "x2@",
            "ramp x2@30s",
            "wave 50%",
            "x0@5s",
            "wave 150%/5s",
            "x2@5s-1s",
        ] {
            assert!(traffic(change).is_err(), "{change}");
        }
        for time in [
            "",
            "fast",
            "10",
            "constant",
            "constant 10ms sigma 1",
            "lognormal 10ms sigma 9",
            "pareto 10ms alpha 1",
            "10ms tail",
        ] {
            assert!(service(time).is_err(), "{time}");
        }
    }

    #[test]
    fn traffic_steps_ramps_and_waves() {
        let step = Change::Step {
            factor: 2.0,
            span: span(30, None),
        };
        assert_eq!(traffic("x2@30s"), Ok(step));
        let ramp = Change::Ramp {
            factor: 3.0,
            from: SECOND * 10,
            until: SECOND * 60,
        };
        assert_eq!(traffic("ramp x3@10s-60s"), Ok(ramp));
        let wave = Change::Wave {
            share: 0.5,
            period: SECOND * 60,
        };
        assert_eq!(traffic("wave 50%/1m"), Ok(wave));
    }

    #[test]
    fn service_times() {
        let default = ServiceTime::default();
        assert_eq!(service("10ms"), Ok(default));
        assert_eq!(service("lognormal 10ms sigma 0.7"), Ok(default));
        let written = service("pareto 2ms alpha 1.5 tail 1%");
        let expected = ServiceTime {
            mean: Duration::from_millis(2),
            shape: Shape::Pareto { alpha: 1.5 },
            tail: 0.01,
        };
        assert_eq!(written, Ok(expected));
    }
}
