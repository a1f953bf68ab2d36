//! Random bytes of the system, for keys.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// That many.
///
/// # Errors
/// Where the system has none to give.
pub(crate) fn random<const COUNT: usize>() -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    let mut filled = 0;
    while filled < COUNT {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(bytes)
}
