//! `simple-lb status`: the running instance's backends as a table, or the whole report as JSON.

use std::{path::Path, time::Duration};

use awc::http::Method;
use lb_core::status::StatusReport;

use super::{
    commands::{ask, finish, instance},
    exit, live,
    output::{json as print_json, line},
    table,
};
use crate::control::Purpose;

/// An instance that takes longer has another problem.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn status(config: Option<&Path>, json: bool) -> u8 {
    finish(|| {
        let info = instance(config, Purpose::Read)?;
        let report: StatusReport = ask(&info, |client| async move {
            client.ask(Method::GET, "/status", TIMEOUT).await
        })?;
        if json {
            print_json(&report);
        } else {
            table::summary(&report).iter().for_each(line);
            table::backends(&report, None).iter().for_each(line);
            table::queues(&report).iter().for_each(line);
            table::routes(&report).iter().for_each(line);
            table::errors(&report).iter().for_each(line);
            live::list(&report).iter().for_each(line);
        }
        Ok(exit::DONE)
    })
}
