//! Bytes of clients and backends as a line may hold them: no control character reaches a terminal or ends a line, whatever the
//! format, and nothing is mistaken for what stands around it.

use std::fmt::Write as _;

/// Whether a byte can stand as it is, within quotes, in every format.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        plain[byte] = !matches!(byte as u8, b'"' | b'\\');
        byte += 1;
    }
    plain
};

fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| PLAIN[*byte as usize])
}

/// Within the quotes of a JSON string (RFC 8259 section 7). All beyond ASCII is escaped, too: so no character turns the direction of
/// a text, and bytes that are no UTF-8 become U+FFFD.
#[inline]
pub(in crate::telemetry) fn json(bytes: &[u8], out: &mut Vec<u8>) {
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        json_slowly(bytes, out);
    }
}

#[cold]
fn json_slowly(bytes: &[u8], out: &mut Vec<u8>) {
    let mut text = String::with_capacity(bytes.len() + 16);
    for letter in String::from_utf8_lossy(bytes).chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            ' '..='~' => text.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    // Writing to memory cannot fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    out.extend_from_slice(text.as_bytes());
}

/// In a pattern: quotes, backslashes and all but printable ASCII as `\x` and two digits, as nginx has it.
#[inline]
pub(super) fn plain(bytes: &[u8], out: &mut Vec<u8>) {
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        plain_slowly(bytes, out);
    }
}

#[cold]
fn plain_slowly(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if PLAIN[*byte as usize] {
            out.push(*byte);
        } else {
            let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\x");
            out.extend_from_slice(&digits);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn escaped(how: fn(&[u8], &mut Vec<u8>), bytes: &[u8]) -> String {
        let mut out = Vec::new();
        how(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_not_plain_is_escaped_in_each_format() {
        for (bytes, in_json, in_pattern) in [
            (&b"/a b"[..], "/a b", "/a b"),
            (b"\"\\", "\\\"\\\\", "\\x22\\x5C"),
            (b"\n\x1b[2J\x7f", "\\u000a\\u001b[2J\\u007f", "\\x0A\\x1B[2J\\x7F"),
            (
                "\u{e9}\u{202e}".as_bytes(),
                "\\u00e9\\u202e",
                "\\xC3\\xA9\\xE2\\x80\\xAE",
            ),
            ("\u{1f600}".as_bytes(), "\\ud83d\\ude00", "\\xF0\\x9F\\x98\\x80"),
            (b"\xff", "\\ufffd", "\\xFF"),
        ] {
            assert_eq!(escaped(json, bytes), in_json);
            assert_eq!(escaped(plain, bytes), in_pattern);
        }
    }

    proptest! {
        #[test]
        fn a_line_stays_a_line_and_json_says_what_it_was(bytes: Vec<u8>) {
            let said = format!("\"{}\"", escaped(json, &bytes));
            prop_assert!(said.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            let read: String = serde_json::from_str(&said).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes).into_owned());
            let said = escaped(plain, &bytes);
            prop_assert!(said.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"'));
        }
    }
}
