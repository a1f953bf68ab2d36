//! `simple-lb schema`: the configuration's settings, for editors and for the reference, and the names of metrics.

use clap::Args as ClapArgs;
use lb_core::config;

use super::{
    exit,
    output::{json as print_json, line},
};
use crate::{admin, metrics};

/// `simple-lb schema`
#[derive(Debug, ClapArgs)]
pub(super) struct SchemaArgs {
    /// Print the reference of all settings instead, as Markdown
    #[arg(long)]
    reference: bool,

    /// Print the description of the admin API instead, as OpenAPI
    #[arg(long, conflicts_with = "reference")]
    openapi: bool,

    /// Print the names and meanings of all metrics instead, as Markdown
    #[arg(long, conflicts_with_all = ["reference", "openapi"])]
    metrics: bool,
}

pub(super) fn schema(args: &SchemaArgs) -> u8 {
    if args.reference {
        line(config::reference().trim_end());
    } else if args.openapi {
        line(admin::document());
    } else if args.metrics {
        line(metrics::document().trim_end());
    } else {
        print_json(&config::schema());
    }
    exit::DONE
}
