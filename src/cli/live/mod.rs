//! `simple-lb drain`, `maintenance`, `undrain` and `weight`: changes of single backends beside the file.

mod args;
mod list;
mod members;
mod wait;
mod words;

use std::{path::Path, time::Duration};

use lb_core::status::LiveReport;

pub(super) use self::{
    args::{
        DRAIN_EXAMPLES, LiveCommand, MAINTENANCE_EXAMPLES, OutArgs, Target, UNDRAIN_EXAMPLES,
        WEIGHT_EXAMPLES, WeightArgs, lasts,
    },
    list::list,
    members::{ADD_EXAMPLES, AddArgs, REMOVE_EXAMPLES, add, remove},
};

use super::{
    commands::{ask, finish, instance},
    exit,
    output::{error_line, json as print_json, line},
};
use crate::control::Purpose;

/// Longer than the instance itself waits for its registry.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where the instance takes live changes.
const PATH: &str = "/live";

pub(super) fn change(command: &LiveCommand, config: Option<&Path>, json: bool) -> u8 {
    finish(|| {
        let info = instance(config, Purpose::Change)?;
        let request = &command.request;
        let report: LiveReport = ask(&info, |client| async move {
            client.tell(PATH, request, TIMEOUT).await
        })?;
        if !report.applied {
            if json {
                print_json(&report);
            } else {
                report.problems.iter().for_each(error_line);
            }
            return Ok(exit::FAILED);
        }
        if !json {
            words::changed(command, &report).iter().for_each(line);
            let warnings = report.warnings.iter();
            warnings.for_each(|warning| error_line(format_args!("warning: {warning}")));
        }
        if command.wait {
            return ask(&info, |client| wait::until_drained(client, command, json));
        }
        if json {
            print_json(&report);
        }
        Ok(exit::DONE)
    })
}
