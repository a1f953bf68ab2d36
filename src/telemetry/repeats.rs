//! A logger that lets libraries say a thing once. A library that meets the same error again and again, such as a
//! framework that is out of file descriptors, writes a line each time; one a minute tells as much.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use log::{Log, Metadata, Record};

/// How long a library's line is not repeated.
const PAUSE: Duration = Duration::from_secs(60);

/// A logger in front of another.
pub(super) struct WithoutRepeats<L> {
    inner: L,
    /// Beginnings of targets whose lines may repeat: our own.
    own: &'static [&'static str],
    last: Mutex<Option<(String, Instant)>>,
}

impl<L> WithoutRepeats<L> {
    pub(super) fn new(inner: L, own: &'static [&'static str]) -> Self {
        Self {
            inner,
            own,
            last: Mutex::default(),
        }
    }

    /// Whether a library has said this a moment ago.
    fn is_repeated(&self, text: String, now: Instant) -> bool {
        // Whoever panicked while it held the lock has left a value behind that is as good as any.
        let mut last = self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let repeated = last
            .as_ref()
            .is_some_and(|(said, at)| *said == text && now.saturating_duration_since(*at) < PAUSE);
        if !repeated {
            *last = Some((text, now));
        }
        repeated
    }
}

impl<L: Log> Log for WithoutRepeats<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let own = self.own.iter().any(|own| record.target().starts_with(own));
        if own
            || (self.inner.enabled(record.metadata())
                && !self.is_repeated(record.args().to_string(), Instant::now()))
        {
            self.inner.log(record);
        }
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_not_repeated_for_a_minute_but_another_is_said() {
        struct Nowhere;
        let logger = WithoutRepeats::new(Nowhere, &[]);
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let repeated = |text: &str, after| logger.is_repeated(text.to_owned(), start + second * after);
        assert!(!repeated("no files left", 0));
        assert!(repeated("no files left", 1) && repeated("no files left", 59));
        assert!(!repeated("no files left", 60));
        assert!(!repeated("another error", 61));
        assert!(!repeated("no files left", 62));
    }
}
