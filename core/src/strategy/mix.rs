//! Bits from bits: how one random number becomes several, and how bytes become a number that means the same on every
//! machine and in every version.
//!
//! Neither is proof against somebody who wants collisions: who may choose the key of a request (its path, a header)
//! may choose its backend. A secret would stop that and would make two balancers disagree about the same key; a
//! bounded load is the better remedy.

/// Mixes all bits into all bits, one to one: the finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable
/// pseudorandom number generators", OOPSLA 2014; constants of Stafford's variant 13).
pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A number for bytes: FNV-1a (Fowler, Noll, Vo) in 64 bits, whose weak high bits are then mixed.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    hash_all([bytes])
}

/// The number for bytes that come in pieces; the same as for all of them in one.
pub fn hash_all<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> u64 {
    let bytes = pieces.into_iter().flatten();
    let fnv = bytes.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    mix(fnv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_bytes_never_change() {
        // Other balancers, and this one after an update, must send the same key to the same backend.
        assert_eq!(hash_bytes(b""), mix(0xCBF2_9CE4_8422_2325));
        assert_eq!(hash_bytes(b"foobar"), mix(0x8594_4171_F739_67E8));
        assert_eq!(
            mix(0),
            0xE220_A839_7B1D_CDAF,
            "the first number of SplitMix64 from 0"
        );
    }
}
