//! Two of Kafka's requests that librdkafka has no call for, spoken here: does this very broker answer (ApiVersions), and
//! who leads the controllers (DescribeQuorum). In KRaft mode the metadata that clients get names any broker as "controller".

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::endpoints::HostPort;

const API_VERSIONS: i16 = 18;
const DESCRIBE_QUORUM: i16 = 55;
/// Of both requests, the oldest version, which every broker speaks.
const VERSION: i16 = 0;
const CORRELATION: i32 = 1;
const CLIENT: &str = "nova-check";
const METADATA_TOPIC: &str = "__cluster_metadata";
/// A longer answer is none to these requests.
const LONGEST_ANSWER: usize = 1 << 20;

/// The quorum of controllers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quorum {
    /// Id of the controller that leads.
    pub(super) leader: i32,
}

/// Asks a broker for what it speaks, which it answers by itself, whatever the others do.
pub(super) async fn answers(address: &HostPort) -> Result<(), String> {
    let answer = exchange(address, &header(API_VERSIONS)).await?;
    match Rest(&answer).i32() {
        Some(CORRELATION) => Ok(()),
        _ => Err(format!("{address}: the answer to ApiVersions is not understood")),
    }
}

/// Asks a broker, which asks the leading controller.
pub(super) async fn describe(address: &HostPort) -> Result<Quorum, String> {
    let answer = exchange(address, &describe_request()).await?;
    parse(&answer).map_err(|reason| format!("{address}: {reason}"))
}

/// Sends a request, its length before it, and returns the answer without its length.
async fn exchange(address: &HostPort, request: &[u8]) -> Result<Vec<u8>, String> {
    let of = |error: std::io::Error| format!("{address}: {error}");
    let mut stream = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(of)?;
    let length = u32::try_from(request.len()).unwrap_or(u32::MAX);
    stream
        .write_all(&[&length.to_be_bytes(), request].concat())
        .await
        .map_err(of)?;
    let length = stream.read_u32().await.map_err(of)? as usize;
    if length > LONGEST_ANSWER {
        return Err(format!("{address}: an answer of {length} bytes is none of a broker"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await.map_err(of)?;
    Ok(answer)
}

/// What every request begins with (version 1), and all that ApiVersions is.
fn header(key: i16) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(key.to_be_bytes());
    header.extend(VERSION.to_be_bytes());
    header.extend(CORRELATION.to_be_bytes());
    header.extend((CLIENT.len() as u16).to_be_bytes());
    header.extend(CLIENT.as_bytes());
    header
}

/// Header (version 2, with tagged fields) and the one partition that there is.
fn describe_request() -> Vec<u8> {
    let mut body = header(DESCRIBE_QUORUM);
    body.push(0); // tagged fields of the header
    body.push(2); // one topic: compact arrays and strings count from 1
    body.push(METADATA_TOPIC.len() as u8 + 1);
    body.extend(METADATA_TOPIC.as_bytes());
    body.push(2); // one partition
    body.extend(0_i32.to_be_bytes());
    body.extend([0, 0, 0]); // tagged fields of partition, topic, request
    body
}

fn parse(answer: &[u8]) -> Result<Quorum, String> {
    let mut rest = Rest(answer);
    let fields = |rest: &mut Rest| {
        let correlation = rest.i32()?;
        rest.tags()?;
        let error = rest.i16()?;
        if error != 0 {
            return Some((correlation, error, 0, 0));
        }
        rest.varint()?; // topics
        let name = rest.varint()?.checked_sub(1)?;
        rest.skip(name)?;
        rest.varint()?; // partitions
        rest.i32()?; // its index
        Some((correlation, 0, rest.i16()?, rest.i32()?))
    };
    match fields(&mut rest) {
        Some((CORRELATION, 0, 0, leader)) if leader >= 0 => Ok(Quorum { leader }),
        Some((CORRELATION, 0, 0, _)) => Err("the controllers have no leader".to_owned()),
        Some((CORRELATION, error, inner, _)) => Err(format!(
            "DescribeQuorum was refused with error code {}",
            if error == 0 { inner } else { error }
        )),
        Some(_) | None => Err("the answer to DescribeQuorum is not understood".to_owned()),
    }
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
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

    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.skip(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Quorum, parse};

    fn answer(leader: i32, error: i16) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, 1, 0];
        bytes.extend(error.to_be_bytes());
        bytes.extend([2, 19]);
        bytes.extend(b"__cluster_metadata");
        bytes.extend([2, 0, 0, 0, 0, 0, 0]);
        bytes.extend(leader.to_be_bytes());
        bytes.extend([0; 12]);
        bytes
    }

    #[test]
    fn the_leader_is_read_from_the_answer() {
        assert_eq!(parse(&answer(3, 0)), Ok(Quorum { leader: 3 }));
        assert_eq!(parse(&answer(-1, 0)), Err("the controllers have no leader".to_owned()));
        assert_eq!(
            parse(&answer(0, 41)),
            Err("DescribeQuorum was refused with error code 41".to_owned())
        );
    }

    #[test]
    fn half_an_answer_is_refused() {
        let whole = answer(3, 0);
        for length in 0..whole.len() - 12 {
            assert!(parse(&whole[..length]).is_err(), "{length}");
        }
        assert!(parse(&[0xff; 64]).is_err());
    }
}
