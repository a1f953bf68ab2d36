//! What reached a server: counters that cost an atomic addition, and on request the heads themselves.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Recorded heads that are kept: enough to look at a test's requests, and a bound for a server that runs for days.
pub(crate) const KEPT: usize = 256;

/// The head of a request as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// The method, such as `GET`.
    pub method: String,
    /// The request target, raw, with its query.
    pub path: String,
    /// `HTTP/1.0` or `HTTP/1.1`.
    pub version: &'static str,
    /// Name and value of each header line in the order and the case in which they came; bytes that are not UTF-8
    /// are replaced.
    pub headers: Vec<(String, String)>,
}

impl RecordedRequest {
    /// The first value of the header with this name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The counters of one server. Nothing is ordered by them, so `Relaxed` suffices everywhere: a client that has read
/// its answer finds its request counted, since the addition comes before the write.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    hits: AtomicU64,
    probes: AtomicU64,
    connections_open: AtomicU64,
    connections_total: AtomicU64,
    recording: AtomicBool,
    recorded: Mutex<VecDeque<Arc<RecordedRequest>>>,
}

impl Hits {
    pub(crate) fn count(&self, is_probe: bool) {
        let counter = if is_probe { &self.probes } else { &self.hits };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    pub(crate) fn probes(&self) -> u64 {
        self.probes.load(Ordering::Relaxed)
    }

    pub(crate) fn connection_opened(&self) {
        self.connections_open.fetch_add(1, Ordering::Relaxed);
        self.connections_total.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_closed(&self) {
        self.connections_open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn connections_open(&self) -> u64 {
        self.connections_open.load(Ordering::Relaxed)
    }

    pub(crate) fn connections_total(&self) -> u64 {
        self.connections_total.load(Ordering::Relaxed)
    }

    pub(crate) fn set_recording(&self, on: bool) {
        self.recording.store(on, Ordering::Relaxed);
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.recording.load(Ordering::Relaxed)
    }

    pub(crate) fn record(&self, request: &Arc<RecordedRequest>) {
        let mut recorded = self.lock();
        if recorded.len() == KEPT {
            recorded.pop_front();
        }
        recorded.push_back(Arc::clone(request));
    }

    pub(crate) fn recorded(&self) -> Vec<RecordedRequest> {
        self.lock()
            .iter()
            .map(|request| RecordedRequest::clone(request))
            .collect()
    }

    pub(crate) fn last_recorded(&self) -> Option<RecordedRequest> {
        self.lock().back().map(|request| RecordedRequest::clone(request))
    }

    /// A panic elsewhere leaves the list whole, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<RecordedRequest>>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(path: usize) -> Arc<RecordedRequest> {
        Arc::new(RecordedRequest {
            method: "GET".to_owned(),
            path: format!("/{path}"),
            version: "HTTP/1.1",
            headers: vec![
                ("Host".to_owned(), "a".to_owned()),
                ("host".to_owned(), "b".to_owned()),
            ],
        })
    }

    #[test]
    fn keeps_the_newest_requests_in_order() {
        let hits = Hits::default();
        (0..KEPT + 3).for_each(|path| hits.record(&request(path)));
        let recorded = hits.recorded();
        assert_eq!(recorded.len(), KEPT);
        assert_eq!(recorded[0].path, "/3");
        assert_eq!(hits.last_recorded().unwrap().path, format!("/{}", KEPT + 2));
    }

    #[test]
    fn finds_a_header_in_any_case() {
        assert_eq!(request(1).header("HOST"), Some("a"));
        assert_eq!(request(1).header("Cookie"), None);
    }
}
