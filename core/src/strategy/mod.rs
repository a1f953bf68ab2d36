//! Selection algorithms, one file each, over a slice of candidates. They know no pool, no backend and no clock.

mod deadline;
mod round_robin;
mod smooth;

pub use round_robin::Schedule;
