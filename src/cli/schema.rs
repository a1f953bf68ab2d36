//! `simple-lb schema`: the configuration's settings, for editors and for the reference.

use clap::Args as ClapArgs;
use lb_core::config;

use super::{
    exit,
    output::{json as print_json, line},
};

/// `simple-lb schema`
#[derive(Debug, ClapArgs)]
pub(super) struct SchemaArgs {
    /// Print the reference of all settings instead, as Markdown
    #[arg(long)]
    reference: bool,
}

pub(super) fn schema(args: &SchemaArgs) -> u8 {
    if args.reference {
        line(config::reference().trim_end());
    } else {
        print_json(&config::schema());
    }
    exit::DONE
}
