//! A sink that writes a line of JSON for each request: what the tests read to see that each request ends once, with what it
//! should say. Compiled where debug assertions are, and used where [`VARIABLE`] names a file.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use serde_json::json;

use super::record::{Needs, RecordSink, RequestFacts};

/// The variable that names the file.
pub(super) const VARIABLE: &str = "SIMPLE_LB_TEST_RECORDS";

struct RecordLines {
    file: File,
    next: AtomicU64,
}

/// The sink, if somebody asks for it.
pub(super) fn from_environment() -> Option<Arc<dyn RecordSink>> {
    let path = std::env::var_os(VARIABLE)?;
    let file = OpenOptions::new().create(true).append(true).open(path).ok()?;
    Some(Arc::new(RecordLines {
        file,
        next: AtomicU64::new(0),
    }))
}

impl RecordSink for RecordLines {
    fn needs(&self) -> Needs {
        Needs {
            target: true,
            ..Needs::default()
        }
    }

    fn ended(&self, worker: usize, facts: &RequestFacts) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let target = facts.target.as_ref();
        let micros = |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let line = json!({
            "pid": std::process::id(),
            "number": self.next.fetch_add(1, Relaxed),
            "worker": worker,
            "id": facts.id.as_ref().map(|id| id.as_str().to_owned()),
            "peer": facts.peer.to_string(),
            "version": facts.version.map(|version| format!("{version:?}")),
            "tunnel": facts.tunnel,
            "method": target.map(|target| text(target.method())),
            "host": target.map(|target| text(target.authority())),
            "path": target.map(|target| text(target.path())),
            "route": facts.route.as_ref().map(|route| route.when.to_string()),
            "pool": facts.pool.as_ref().map(|pool| pool.to_string()),
            "backend": facts.backend.as_ref().map(|backend| backend.url().to_string()),
            "attempts": facts.attempts,
            "retried": facts.retried.map(|retried| format!("{retried:?}")),
            "responder": format!("{:?}", facts.responder),
            "status": facts.status,
            "received": facts.received,
            "sent": facts.sent,
            "queued": micros(facts.times.queued),
            "connect": facts.times.connect.map(micros),
            "first_byte": facts.times.first_byte.map(micros),
            "total": micros(facts.times.total),
            "end": format!("{:?}", facts.end),
            "fault": facts.fault.map(|fault| format!("{fault:?}")),
        });
        // A test that misses a line says so.
        let _written = (&self.file).write_all(format!("{line}\n").as_bytes());
    }
}
