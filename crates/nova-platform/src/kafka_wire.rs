//! Requests in Kafka's own protocol, for which librdkafka has no call.

use nova_member::kafka_wire::LONGEST_ANSWER;
pub use nova_member::kafka_wire::{Answer, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::endpoints::HostPort;

/// Sends a request, its length before it, and returns the answer without its length. Has no time limit of its own.
///
/// # Errors
/// When the broker cannot be reached, or hangs up; the text names it.
pub async fn exchange(address: &HostPort, request: &Request) -> Result<Vec<u8>, String> {
    let of = |error: std::io::Error| format!("{address}: {error}");
    let mut stream = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(of)?;
    stream.write_all(&request.framed()).await.map_err(of)?;
    let length = stream.read_u32().await.map_err(of)? as usize;
    if length > LONGEST_ANSWER {
        return Err(format!("{address}: an answer of {length} bytes is none of a broker"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await.map_err(of)?;
    Ok(answer)
}
