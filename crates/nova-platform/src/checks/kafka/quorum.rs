//! Two of Kafka's requests that librdkafka has no call for: does this very broker answer (ApiVersions), and who leads the
//! controllers (DescribeQuorum). In KRaft mode the metadata that clients get names any broker as "controller".

use crate::endpoints::HostPort;
use crate::kafka_wire::{Answer, Request, exchange};

const API_VERSIONS: i16 = 18;
const DESCRIBE_QUORUM: i16 = 55;
/// Of both requests, the oldest version, which every broker speaks.
const VERSION: i16 = 0;
const METADATA_TOPIC: &str = "__cluster_metadata";

/// The quorum of controllers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quorum {
    /// Id of the controller that leads.
    pub(super) leader: i32,
}

/// Asks a broker for what it speaks, which it answers by itself, whatever the others do.
pub(super) async fn answers(address: &HostPort) -> Result<(), String> {
    let answer = exchange(address, &Request::plain(API_VERSIONS, VERSION)).await?;
    match Answer::plain(&answer) {
        Some(_) => Ok(()),
        None => Err(format!("{address}: the answer to ApiVersions is not understood")),
    }
}

/// Asks a broker, which asks the leading controller.
pub(super) async fn describe(address: &HostPort) -> Result<Quorum, String> {
    // The one topic, and its one partition.
    let request = Request::flexible(DESCRIBE_QUORUM, VERSION)
        .each(&[METADATA_TOPIC], |request, topic| {
            let partitions = request
                .text(topic)
                .each(&[0], |request, index| request.i32(*index).end());
            partitions.end()
        })
        .end();
    let answer = exchange(address, &request).await?;
    parse(&answer).map_err(|reason| format!("{address}: {reason}"))
}

fn parse(answer: &[u8]) -> Result<Quorum, String> {
    let fields = || {
        let mut rest = Answer::flexible(answer)?;
        let error = rest.i16()?;
        if error != 0 {
            return Some((error, -1));
        }
        rest.count()?; // topics
        rest.text()?; // its name
        rest.count()?; // partitions
        rest.i32()?; // its index
        Some((rest.i16()?, rest.i32()?))
    };
    match fields() {
        Some((0, leader)) if leader >= 0 => Ok(Quorum { leader }),
        Some((0, _)) => Err("the controllers have no leader".to_owned()),
        Some((error, _)) => Err(format!("DescribeQuorum was refused with error code {error}")),
        None => Err("the answer to DescribeQuorum is not understood".to_owned()),
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
