//! What the log says of a pool while no backend is up.

use super::{Member, Pool};
use crate::config::AllDown;

impl Pool {
    /// What requests meet while no backend is up; `None` while one is.
    pub fn trouble(&self) -> Option<String> {
        if self.members().iter().any(|member| member.health.is_up()) {
            return None;
        }
        let tries = self.config().all_down == AllDown::Try;
        let may_be_tried = |member: &&Member| tries && member.health.may_be_tried();
        let what = match self.members().iter().filter(may_be_tried).count() {
            0 => "requests are answered with 503 until one is".to_owned(),
            1 => "requests are tried at the one that is not".to_owned(),
            some => format!("requests are tried at the {some} that are not"),
        };
        Some(format!("no backend of pool {} is up: {what}", self.name()))
    }
}
