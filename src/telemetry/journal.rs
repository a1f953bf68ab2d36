//! Lines for the journal, which has a time and a priority of its own for each: sd-daemon(3).

use std::io;

use log::Level;

/// Whether what is written to stderr goes into the journal. `JOURNAL_STREAM` is inherited by programs whose stderr leads elsewhere, so
/// device and inode have to agree: systemd.exec(5).
pub fn stderr_is_the_journal() -> bool {
    std::env::var("JOURNAL_STREAM").is_ok_and(|named| {
        rustix::fs::fstat(io::stderr()).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
    })
}

/// A text with its priority before each of its lines.
pub fn prefixed(level: Level, text: &str) -> String {
    let priority = match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    let lines = text.lines().map(|line| format!("<{priority}>{line}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_priority() {
        assert_eq!(prefixed(Level::Error, "a: b"), "<3>a: b");
        assert_eq!(prefixed(Level::Warn, "a\n  b\n"), "<4>a\n<4>  b");
        assert_eq!(prefixed(Level::Info, "a"), "<6>a");
        assert_eq!(prefixed(Level::Trace, "a"), "<7>a");
    }
}
