//! The chunked coding as a state machine over bytes that come in any pieces (RFC 9112 section 7.1).
//!
//! The grammar is taken by the letter, extensions included: readers that stop at different places of a size line are the
//! newest way to smuggle. So no bare LF, no `0x`, no sign, no open quote at the end of a line, and in requests no white space
//! outside of quotes: the grammar has it as "bad", which no sender may write and each reader is to take out (RFC 9110 section
//! 5.6.3). In answers, where old servers pad their sizes with it, it is cut out. Data is skipped, never looked at.

use crate::{
    BodyError,
    bytes::{QUOTED, TOKEN, VALUE, is},
    fields::LARGEST_LENGTH,
    rules::{LONGEST, Name},
};
use std::ops::Range;

/// Digits of a chunk size: 16 hold any 64-bit number; more would only be zeros in front.
const MOST_DIGITS: u8 = 16;
/// Bytes of a size line with its extensions: signatures in use take 90.
const LONGEST_LINE: u16 = 4096;
/// Bytes of all trailers together.
const TRAILER_BYTES: u16 = 8192;
/// Trailer lines.
const TRAILER_LINES: u8 = 64;
/// One more than the longest known name, so that a name cut short never equals one.
const NAME_BYTES: usize = LONGEST + 1;

/// How strictly a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// For bytes that go on as they are: whatever nobody should send is refused.
    Strict,
    /// A request's, some lines of which can be left out.
    Request,
    /// An answer's: the same, and white space in size lines is cut out.
    Answer,
}

/// What becomes of a byte on its way through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Passes,
    /// It is left out.
    Cut,
    /// It belongs to a trailer line, of which nothing is known before its end.
    Held,
    /// It ends a trailer line.
    EndsLine,
    /// A zero in front of a size's other digits, or the only digit: it passes if no digit follows.
    Zero,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// First digit of a size.
    SizeStart,
    /// Behind a digit.
    Size,
    /// Behind white space behind a size.
    AfterSize,
    /// Behind `;`.
    ExtensionStart,
    ExtensionName,
    /// Behind white space behind a name: `=`, `;` or the end.
    AfterName,
    /// Behind `=`.
    ValueStart,
    ValueToken,
    Quoted,
    /// Behind a backslash.
    Escaped,
    /// Behind the closing quote, or white space behind a value: `;` or the end.
    AfterValue,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// Start of a trailer line, or of the empty line.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

/// Where in a chunked body we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    reading: Reading,
    at: At,
    /// The chunk's size so far, then what is left of its data.
    size: u64,
    digits: u8,
    /// Bytes of this size line, or of all trailers.
    length: u16,
    trailers: u8,
    /// Bytes of the trailer name so far, at most `NAME_BYTES`.
    name_length: u8,
    name: [u8; NAME_BYTES],
}

impl Chunked {
    pub(super) fn new(reading: Reading) -> Self {
        Self {
            reading,
            at: At::SizeStart,
            size: 0,
            digits: 0,
            length: 0,
            trailers: 0,
            name_length: 0,
            name: [0; NAME_BYTES],
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Goes to the end of the next run of data, of the body, or of `bytes`: bytes consumed, and the data among them.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Result<(usize, Range<usize>), BodyError> {
        let mut consumed = 0;
        while consumed < bytes.len() && !self.is_done() {
            let data = self.skip_data(bytes.len() - consumed);
            if data > 0 {
                return Ok((consumed + data, consumed..consumed + data));
            }
            self.byte(bytes[consumed])?;
            consumed += 1;
        }
        Ok((consumed, consumed..consumed))
    }

    /// How many of the next `there` bytes are data, which is skipped; 0 where there is framing to be read.
    #[inline]
    pub(super) fn skip_data(&mut self, there: usize) -> usize {
        if self.at != At::Data {
            return 0;
        }
        let take = usize::try_from(self.size).unwrap_or(usize::MAX).min(there);
        self.size -= take as u64;
        if self.size == 0 {
            self.at = At::DataCr;
        }
        take
    }

    /// Reads a byte that is no data.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) -> Result<Fate, BodyError> {
        self.at = match self.at {
            At::SizeStart | At::Size => return self.size_byte(byte),
            At::TrailerStart | At::TrailerName | At::TrailerValue => return self.trailer_byte(byte),
            At::DataCr if byte == b'\r' => At::DataLf,
            At::DataLf if byte == b'\n' => {
                self.size = 0;
                self.digits = 0;
                self.length = 0;
                At::SizeStart
            }
            At::SizeLf if byte == b'\n' && self.size > 0 => At::Data,
            At::SizeLf if byte == b'\n' => {
                self.length = 0;
                At::TrailerStart
            }
            At::TrailerLf if byte == b'\n' => {
                self.name_length = 0;
                self.at = At::TrailerStart;
                return Ok(Fate::EndsLine);
            }
            At::LastLf if byte == b'\n' => At::Done,
            At::DataCr | At::DataLf | At::SizeLf | At::TrailerLf | At::LastLf => {
                return Err(BodyError::LineEnding);
            }
            extension => {
                self.count(LONGEST_LINE, BodyError::ChunkLineTooLong)?;
                if matches!(byte, b' ' | b'\t')
                    && let Some(behind) = self.behind_space(byte)
                {
                    self.at = behind;
                    return Ok(Fate::Cut);
                }
                next_in_extension(extension, byte)?
            }
        };
        Ok(Fate::Passes)
    }

    /// Where white space that may be cut out leads to.
    #[cold]
    fn behind_space(&self, byte: u8) -> Option<At> {
        if self.reading != Reading::Answer || !matches!(byte, b' ' | b'\t') {
            return None;
        }
        match self.at {
            At::Size | At::AfterSize => Some(At::AfterSize),
            At::ExtensionName | At::AfterName => Some(At::AfterName),
            At::ValueToken | At::AfterValue => Some(At::AfterValue),
            at @ (At::ExtensionStart | At::ValueStart) => Some(at),
            _ => None,
        }
    }

    #[inline]
    fn size_byte(&mut self, byte: u8) -> Result<Fate, BodyError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ if self.at == At::SizeStart => return Err(BodyError::ChunkSize),
            b'\r' => {
                self.at = At::SizeLf;
                return Ok(Fate::Passes);
            }
            b';' => {
                self.at = At::ExtensionStart;
                return Ok(Fate::Passes);
            }
            b'\n' => return Err(BodyError::LineEnding),
            _ => {
                self.at = self.behind_space(byte).ok_or(BodyError::ChunkSize)?;
                return Ok(Fate::Cut);
            }
        };
        self.digits += 1;
        // At most a sixteenth of the largest number before another digit comes.
        if self.digits > MOST_DIGITS || self.size > LARGEST_LENGTH >> 4 {
            return Err(BodyError::ChunkSize);
        }
        self.size = self.size << 4 | u64::from(digit);
        self.at = At::Size;
        Ok(match self.size {
            0 => Fate::Zero,
            _ => Fate::Passes,
        })
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<Fate, BodyError> {
        self.count(TRAILER_BYTES, BodyError::TrailersTooLarge)?;
        self.at = match (self.at, byte) {
            (At::TrailerStart, b'\r') => At::LastLf,
            (At::TrailerStart | At::TrailerName, b'\n') | (At::TrailerValue, b'\n') => {
                return Err(BodyError::LineEnding);
            }
            (At::TrailerStart | At::TrailerName, _) if is(byte, TOKEN) => {
                if let Some(place) = self.name.get_mut(usize::from(self.name_length)) {
                    *place = byte;
                    self.name_length += 1;
                }
                At::TrailerName
            }
            (At::TrailerName, b':') => {
                self.trailers += 1;
                if self.trailers > TRAILER_LINES {
                    return Err(BodyError::TrailersTooLarge);
                }
                let name = Name::classify(&self.name[..usize::from(self.name_length)]);
                let refused = match self.reading {
                    Reading::Strict => !name.is_free(),
                    Reading::Request => name.is_refused_as_trailer(),
                    Reading::Answer => false,
                };
                if refused {
                    return Err(BodyError::TrailerForbidden);
                }
                At::TrailerValue
            }
            (At::TrailerValue, b'\r') => At::TrailerLf,
            (At::TrailerValue, _) if is(byte, VALUE) => At::TrailerValue,
            _ => return Err(BodyError::Trailer),
        };
        Ok(match self.at {
            At::LastLf => Fate::Passes,
            _ => Fate::Held,
        })
    }

    fn count(&mut self, most: u16, error: BodyError) -> Result<(), BodyError> {
        self.length += 1;
        if self.length > most { Err(error) } else { Ok(()) }
    }
}

/// `*( ";" name [ "=" ( token / quoted-string ) ] )`, RFC 9112 section 7.1.1 without its bad white space, which has been cut
/// out where it may be there.
fn next_in_extension(at: At, byte: u8) -> Result<At, BodyError> {
    Ok(match (at, byte) {
        (At::ExtensionStart | At::ExtensionName, _) if is(byte, TOKEN) => At::ExtensionName,
        (At::ExtensionName | At::AfterName, b'=') => At::ValueStart,
        (At::AfterSize | At::ExtensionName | At::AfterName | At::ValueToken | At::AfterValue, b';') => {
            At::ExtensionStart
        }
        (At::AfterSize | At::ExtensionName | At::AfterName | At::ValueToken | At::AfterValue, b'\r') => {
            At::SizeLf
        }
        (At::ValueStart, b'"') => At::Quoted,
        (At::ValueStart | At::ValueToken, _) if is(byte, TOKEN) => At::ValueToken,
        (At::Quoted, b'"') => At::AfterValue,
        (At::Quoted, b'\\') => At::Escaped,
        (At::Quoted, _) if is(byte, QUOTED) => At::Quoted,
        (At::Escaped, _) if is(byte, VALUE) => At::Quoted,
        _ if byte == b'\n' => return Err(BodyError::LineEnding),
        (At::AfterSize, _) => return Err(BodyError::ChunkSize),
        _ => return Err(BodyError::ChunkExtension),
    })
}
