//! What probes and requests both need of sockets, whichever of them opens the connection.

mod staggered;
mod timeout;

pub use staggered::Staggered;
pub use timeout::timeout;
