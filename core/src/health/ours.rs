//! What is nobody's fault but the balancer's own, and therefore says nothing of a backend.

use std::io;

/// Whether the process (EMFILE) or the machine (ENFILE) has no file descriptor left.
pub fn is_out_of_files(error: &io::Error) -> bool {
    // The numbers of every Unix.
    matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_our_own_want_of_descriptors_from_a_backends_refusal() {
        let ours = |code| is_out_of_files(&io::Error::from_raw_os_error(code));
        assert!(ours(23) && ours(24));
        assert!(!ours(111) && !is_out_of_files(&io::ErrorKind::TimedOut.into()));
    }
}
