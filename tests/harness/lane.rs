//! Which lane carries the requests of this run. One suite holds for both; a test whose
//! expectation differs says why, and `handler_lane.rs` what is left out there.

use std::sync::OnceLock;

use lb_core::config::Lane;

/// The variable that names the lane.
pub const VARIABLE: &str = "SIMPLE_LB_TEST_LANE";

/// The lane under test: `wire` unless the variable says otherwise.
pub fn lane() -> Lane {
    static LANE: OnceLock<Lane> = OnceLock::new();
    *LANE.get_or_init(|| match std::env::var(VARIABLE).as_deref() {
        Ok("handler") => Lane::Handler,
        Ok("wire") | Err(_) => Lane::Wire,
        Ok(other) => panic!("{VARIABLE} is {other}, not wire or handler"),
    })
}

/// The configuration with the lane under test, unless it names one.
pub fn with_lane(config: &str) -> String {
    if config.lines().any(|line| line.starts_with("lane:")) {
        return config.to_owned();
    }
    let newline = if config.ends_with('\n') { "" } else { "\n" };
    format!("{config}{newline}lane: {}\n", lane())
}
