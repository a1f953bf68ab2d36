//! What a connection sends: answers in one write, and bodies of any length of which it holds nothing.

use bytes::BufMut as _;
use tokio::io::AsyncWriteExt as _;

use super::{Connection, End};
use crate::{
    answer::{Fields, Head, Length, write_head},
    request::Request,
};

/// The byte at this offset of what `/bytes` and `/drip` send: its period is a prime, so that a body whose blocks were
/// lost, repeated or swapped is told from the true one.
pub const fn body_byte(offset: u64) -> u8 {
    b'!' + (offset % 89) as u8
}

/// A block of [`body_byte`]s, a multiple of its period.
const PATTERN_LENGTH: usize = 89 * 736;
static PATTERN: [u8; PATTERN_LENGTH] = {
    let mut pattern = [0; PATTERN_LENGTH];
    let mut offset = 0;
    while offset < PATTERN_LENGTH {
        pattern[offset] = body_byte(offset as u64);
        offset += 1;
    }
    pattern
};

impl Connection {
    pub(crate) fn server_name(&self) -> &str {
        &self.shared.name
    }

    /// Sends a whole answer in one write.
    pub(crate) async fn reply(
        &mut self,
        request: &Request,
        status: u16,
        fields: Fields<'_>,
        body: &[u8],
    ) -> Result<(), End> {
        self.output.clear();
        let head = Head {
            status,
            fields,
            length: Length::Exact(body.len() as u64),
        };
        write_head(&mut self.output, &self.shared.header_name, Some(request), &head);
        if !request.is_head {
            self.output.put_slice(body);
        }
        Ok(self.stream.write_all(&self.output).await?)
    }

    pub(crate) async fn send_head(&mut self, request: &Request, head: &Head<'_>) -> Result<(), End> {
        self.output.clear();
        write_head(&mut self.output, &self.shared.header_name, Some(request), head);
        Ok(self.stream.write_all(&self.output).await?)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), End> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Sends `count` bytes of the pattern, as one chunk if `chunked`.
    pub(crate) async fn send_pattern_piece(
        &mut self,
        offset: u64,
        count: u64,
        chunked: bool,
    ) -> Result<(), End> {
        if !chunked || count == 0 {
            return self.send_pattern(offset, count).await;
        }
        self.send(format!("{count:x}\r\n").as_bytes()).await?;
        self.send_pattern(offset, count).await?;
        self.send(b"\r\n").await
    }

    /// Sends `count` bytes of the pattern from this offset, holding none of them.
    pub(crate) async fn send_pattern(&mut self, mut offset: u64, count: u64) -> Result<(), End> {
        let end = offset + count;
        while offset < end {
            let start = (offset % PATTERN_LENGTH as u64) as usize;
            let length = usize::try_from(end - offset)
                .unwrap_or(usize::MAX)
                .min(PATTERN_LENGTH - start);
            self.send(&PATTERN[start..start + length]).await?;
            offset += length as u64;
        }
        Ok(())
    }
}
