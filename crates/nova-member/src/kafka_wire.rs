//! The little of Kafka's wire protocol that is spoken here, for requests that librdkafka has no call for.
//!
//! Written after <https://kafka.apache.org/protocol>: sizes and numbers are big-endian; a *flexible* version of a request has
//! compact texts and arrays, whose length counts from 1 with 0 for none, and tagged fields wherever a structure ends.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Each connection carries one request, and the answer must be to it.
const CORRELATION: i32 = 1;
const CLIENT: &str = "nova";
/// A longer answer, in bytes, is none to these requests.
pub const LONGEST_ANSWER: usize = 1 << 20;

/// A request, written field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request(Vec<u8>);

impl Request {
    /// With the header of versions that are not flexible (version 1).
    #[must_use]
    pub fn plain(key: i16, version: i16) -> Self {
        let mut header = Vec::new();
        header.extend(key.to_be_bytes());
        header.extend(version.to_be_bytes());
        header.extend(CORRELATION.to_be_bytes());
        header.extend((CLIENT.len() as u16).to_be_bytes());
        header.extend(CLIENT.as_bytes());
        Self(header)
    }

    /// With the header of flexible versions (version 2).
    #[must_use]
    pub fn flexible(key: i16, version: i16) -> Self {
        Self::plain(key, version).end()
    }

    /// A byte.
    #[must_use]
    pub fn i8(mut self, value: i8) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Four bytes.
    #[must_use]
    pub fn i32(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Eight bytes.
    #[must_use]
    pub fn i64(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// A compact text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        let mut counted = self.count(text.len());
        counted.0.extend(text.as_bytes());
        counted
    }

    /// The length of a compact array, whose elements follow.
    #[must_use]
    pub fn count(mut self, elements: usize) -> Self {
        let mut rest = elements + 1;
        while rest > 0x7f {
            self.0.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
        self
    }

    /// Writes every element of a compact array.
    #[must_use]
    pub fn each<T>(self, elements: &[T], write: impl Fn(Self, &T) -> Self) -> Self {
        elements.iter().fold(self.count(elements.len()), write)
    }

    /// The end of a structure: no tagged fields.
    #[must_use]
    pub fn end(mut self) -> Self {
        self.0.push(0);
        self
    }

    /// As it is sent: its length, then the request.
    #[must_use]
    pub fn framed(&self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes(), self.0.as_slice()].concat()
    }
}

/// Sends a request on a connection of its own and returns the answer without its length. Waits for at most `reach` for the connection, and
/// `patience` for each part of the answer.
///
/// # Errors
/// When the broker cannot be reached, is silent, or hangs up.
pub fn ask(address: SocketAddr, request: &Request, reach: Duration, patience: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, reach)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(&request.framed())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST_ANSWER {
        return Err(io::Error::other(format!(
            "an answer of {length} bytes is none of a broker"
        )));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// What of an answer is not read yet. Every reading gives `None` where the answer ends too early.
#[derive(Debug)]
pub struct Answer<'a>(&'a [u8]);

impl<'a> Answer<'a> {
    /// The answer behind its header of versions that are not flexible (version 0); `None` when it is to another request.
    #[must_use]
    pub fn plain(bytes: &'a [u8]) -> Option<Self> {
        let mut answer = Self(bytes);
        (answer.i32()? == CORRELATION).then_some(answer)
    }

    /// The answer behind its header of flexible versions (version 1).
    #[must_use]
    pub fn flexible(bytes: &'a [u8]) -> Option<Self> {
        let mut answer = Self::plain(bytes)?;
        answer.tags()?;
        Some(answer)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    /// A byte.
    pub fn i8(&mut self) -> Option<i8> {
        self.take().map(i8::from_be_bytes)
    }

    /// Two bytes.
    pub fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    /// Four bytes.
    pub fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    /// The length of a compact array; one that is absent has no elements.
    pub fn count(&mut self) -> Option<usize> {
        self.varint().map(|length| length.saturating_sub(1))
    }

    /// A compact text; one that is absent is empty.
    pub fn text(&mut self) -> Option<String> {
        let length = self.count()?;
        self.bytes(length)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Tagged fields, which say nothing that is needed here.
    pub fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.bytes(length)?;
        }
        Some(())
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0_usize;
        for shift in (0..35).step_by(7) {
            let [byte] = self.take()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Request};

    #[test]
    fn a_request_is_written_as_the_protocol_says() {
        let Request(bytes) = Request::flexible(45, 0)
            .i32(1000)
            .each(&["t"], |topic, name| topic.text(name).i8(-1).end())
            .end();
        let header = [&[0, 45, 0, 0, 0, 0, 0, 1, 0, 4], "nova".as_bytes(), &[0]].concat();
        assert_eq!(
            bytes,
            [header.as_slice(), &[0, 0, 3, 232, 2, 2, b't', 255, 0, 0]].concat()
        );
    }

    #[test]
    fn lengths_of_more_than_a_byte_are_read_as_they_were_written() {
        let long = "x".repeat(300);
        let Request(bytes) = Request::plain(0, 0).text(&long);
        let mut answer = Answer(&bytes[14..]);
        assert_eq!(answer.text(), Some(long));
        assert_eq!(answer.i16(), None);
    }

    #[test]
    fn an_answer_to_another_request_or_half_a_one_is_none() {
        assert!(Answer::plain(&[0, 0, 0, 2]).is_none());
        assert!(Answer::flexible(&[0, 0, 0, 1]).is_none());
        // A tagged field, then an absent text.
        let bytes = [0, 0, 0, 1, 1, 5, 2, 9, 9, 0];
        assert_eq!(
            Answer::flexible(&bytes).and_then(|mut answer| answer.text()),
            Some(String::new())
        );
        assert!(Answer::flexible(&bytes[..7]).is_none());
    }
}
