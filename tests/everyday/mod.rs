//! Programs that people use every day do their everyday work through the balancer. Each test uses one that is installed;
//! where it is not, the test says so on the terminal and passes. `.ci/run` installs them all and sets [`REQUIRED`], so that
//! the gate never leaves one out.

use std::{
    env,
    io::{Write, stderr},
    time::Duration,
};

use crate::harness::{Finished, Place};

mod browser;
mod curl;
mod http_client;
mod load;

/// Set to `1` where a program that is not installed is a failure.
const REQUIRED: &str = "SIMPLE_LB_TEST_TOOLS";

/// No program takes longer, on a machine that is busy with other tests.
const LONGEST: Duration = Duration::from_secs(90);

/// Whether this program is there to be tested with.
pub fn is_installed(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&folders).any(|folder| folder.join(program).is_file()) {
        return true;
    }
    assert_ne!(
        env::var(REQUIRED).as_deref(),
        Ok("1"),
        "{program} is not installed, which {REQUIRED}=1 forbids"
    );
    // Past the test runner, which keeps to itself what passing tests print.
    let _told = writeln!(
        stderr(),
        "\nSKIPPED: {program} is not installed, so nothing was tested with it\n"
    );
    false
}

/// Runs a line of shell in this place, where it must succeed; what it printed.
#[track_caller]
fn run(place: &Place, line: &str) -> String {
    let mut process = place.start_shell(line);
    process.wait_within(LONGEST);
    let finished = Finished::of(process);
    assert_eq!(finished.code, 0, "{line}: {finished:?}");
    finished.stdout
}

/// The bytes of a file that a program has written.
#[track_caller]
fn read(place: &Place, name: &str) -> Vec<u8> {
    std::fs::read(place.folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
