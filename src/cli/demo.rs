//! placeholder
use super::args::DemoArgs;
pub(super) fn demo(args: &DemoArgs) -> u8 { let _ = (args.port, args.seconds); 0 }
