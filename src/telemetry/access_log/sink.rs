//! Which requests have a line, and the worker's side of writing it.

use std::{cell::RefCell, time::Duration};

use lb_core::{
    attempts::Fault,
    config::{AccessLogConfig, Lane},
};

use super::{line::LineFormat, output::Output};
use crate::telemetry::record::{Needs, RecordSink, RequestEnd, RequestFacts, Responder};

/// A line of usual length has room without growing.
const LINE: usize = 1024;

/// A line that grew larger is not kept.
const KEPT: usize = 16 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(LINE));
}

/// Writes lines.
pub(super) struct AccessLogSink {
    output: Output,
    format: LineFormat,
    /// Of requests that are like any other.
    share: f64,
    slow: Option<Duration>,
}

impl AccessLogSink {
    pub(super) fn new(config: &AccessLogConfig, output: &Output, lane: Lane) -> Self {
        Self {
            output: output.clone(),
            format: LineFormat::new(&config.format, lane),
            share: config.sample.as_fraction(),
            slow: config.slow,
        }
    }

    fn is_written(&self, facts: &RequestFacts) -> bool {
        self.share >= 1.0 || is_worth_it(facts, self.slow) || fastrand::f64() < self.share
    }
}

/// Whether a request is written whatever the share is: somebody may look for it.
fn is_worth_it(facts: &RequestFacts, slow: Option<Duration>) -> bool {
    let failed = facts.status.is_none_or(|status| status >= 500) || facts.end != RequestEnd::Complete;
    let ours = facts.fault == Some(Fault::Balancer)
        || (facts.responder == Responder::Balancer && facts.fault.is_some());
    // A tunnel lasts as long as somebody wants it to.
    let took = match facts.tunnel {
        true => facts.times.first_byte.unwrap_or_default(),
        false => facts.times.total,
    };
    failed || ours || slow.is_some_and(|slow| took >= slow)
}

impl RecordSink for AccessLogSink {
    fn needs(&self) -> Needs {
        self.format.needs()
    }

    fn ended(&self, _worker: usize, facts: &RequestFacts) {
        if !self.is_written(facts) {
            return;
        }
        BUFFER.with_borrow_mut(|line| {
            line.clear();
            self.format.write(facts, line);
            self.output.put(line);
            line.shrink_to(KEPT);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::access_log::line::facts;

    #[test]
    fn what_went_wrong_or_was_slow_is_always_written() {
        let slow = Some(Duration::from_millis(100));
        let worth = |change: fn(&mut RequestFacts)| {
            let mut facts = facts();
            change(&mut facts);
            is_worth_it(&facts, slow)
        };
        assert!(!worth(|_| ()));
        assert!(!worth(|facts| facts.status = Some(404)), "a backend's");
        assert!(!worth(|facts| {
            (facts.tunnel, facts.times.total) = (true, Duration::from_secs(60));
        }));
        assert!(worth(|facts| facts.status = Some(500)));
        assert!(worth(|facts| facts.status = None));
        assert!(worth(|facts| facts.end = RequestEnd::ClientGone));
        assert!(worth(|facts| facts.times.total = Duration::from_millis(100)));
        assert!(worth(|facts| {
            facts.status = Some(404);
            (facts.responder, facts.fault) = (Responder::Balancer, Some(Fault::Client));
        }));
        assert!(worth(|facts| {
            (facts.tunnel, facts.times.first_byte) = (true, Some(Duration::from_secs(1)));
        }));
    }
}
