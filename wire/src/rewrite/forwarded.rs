//! `Forwarded`, read as far as it takes to append to it (RFC 7239 section 4).

use crate::bytes::{QUOTED, TOKEN, VALUE, is, run, trim};

/// Whether a value is a list of elements, whose pairs are a token, `=`, and a token or a quoted string. What stands behind
/// such a list is an element of its own; behind an open quote it would be a part of somebody else's. White space around `;`
/// and empty pairs and elements are taken as they are.
pub(super) fn is_well_formed(value: &[u8]) -> bool {
    let mut rest = trim(value);
    loop {
        let name = run(rest, TOKEN);
        if name > 0 {
            let Some(value) = rest[name..].strip_prefix(b"=") else {
                return false;
            };
            let Some(length) = value_length(value) else {
                return false;
            };
            rest = trim(&value[length..]);
        }
        rest = match rest {
            [] => return true,
            [b';' | b',', behind @ ..] => trim(behind),
            _ => return false,
        };
    }
}

/// Length of the token or the quoted string at the start of `value`.
fn value_length(value: &[u8]) -> Option<usize> {
    if value.first() != Some(&b'"') {
        return Some(run(value, TOKEN)).filter(|length| *length > 0);
    }
    let mut at = 1;
    loop {
        at += run(&value[at..], QUOTED);
        match value[at..] {
            [b'"', ..] => return Some(at + 1),
            [b'\\', escaped, ..] if is(escaped, VALUE) => at += 2,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7239_4_lists_of_elements() {
        for value in [
            "",
            "for=192.0.2.60;proto=http;by=203.0.113.43",
            "For=\"[2001:db8:cafe::17]:4711\"",
            "for=192.0.2.43, for=198.51.100.17",
            "for=_hidden, for=_SEVKISEK",
            "for=a ; proto=http ,\tfor=\"b\\\"c,;d\"",
            ",for=a;;proto=http,,",
        ] {
            assert!(is_well_formed(value.as_bytes()), "{value:?}");
        }
        for value in [
            "for=\"unbalanced",
            "for=\"a\\",
            "for=\"a\\\"",
            "for=a\"b",
            "for=\"a\"b",
            "for",
            "for=",
            "=a",
            "for=a b",
            "for =a",
            "for= a",
            "for=[::1]",
            "for=a:80",
            "for=\"a\", \"",
            "\u{e9}=a",
        ] {
            assert!(!is_well_formed(value.as_bytes()), "{value:?}");
        }
    }
}
