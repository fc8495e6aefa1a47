//! Says over HTTP whether what runs in this container is fit for use, from the first process. The kubelet could start a program that
//! asks ([`crate::probe`] is one), but to start one in a container is work for four others: six members that were asked every three
//! seconds so took a tenth of a processor.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::error::StartError;

/// Where it says so; anything else is not found.
pub const PATH: &str = "/ready";
/// Longest wait for a part of a question, and for its asker to take the answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Of a question. A kubelet's has some 150 bytes.
const LONGEST_QUESTION: usize = 4096;

/// Answers at this port of every address, one asker after the other: 200 when `ask` finds it ready, otherwise 503 with the reason.
/// Returns where that is.
///
/// # Errors
/// When the port is taken.
pub fn serve(port: u16, ask: impl Fn() -> Result<(), StartError> + Send + 'static) -> io::Result<SocketAddr> {
    let every = [
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    ];
    let listener = TcpListener::bind(&every[..])?;
    let at = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming() {
            match stream {
                // An asker that goes away has no answer, and needs none.
                Ok(stream) => drop(answer(stream, &ask)),
                Err(_) => thread::sleep(PATIENCE),
            }
        }
    });
    Ok(at)
}

fn answer(mut stream: TcpStream, ask: &impl Fn() -> Result<(), StartError>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (status, said) = if is_asked(&mut stream)? {
        match ask() {
            Ok(()) => ("200 OK", "ready".to_owned()),
            Err(error) => ("503 Service Unavailable", error.to_string()),
        }
    } else {
        ("404 Not Found", format!("there is GET {PATH} only"))
    };
    let length = said.len() + 1;
    let head = "content-type: text/plain; charset=utf-8\r\nconnection: close";
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{said}\n"
    )
}

/// Reads a question to the end of its head, and says whether it is the one that has an answer.
fn is_asked(stream: &mut TcpStream) -> io::Result<bool> {
    let mut question = Vec::new();
    let mut part = [0; 512];
    while !question.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut part)?;
        if length == 0 || question.len() + length > LONGEST_QUESTION {
            return Ok(false);
        }
        question.extend_from_slice(&part[..length]);
    }
    Ok(question.starts_with(format!("GET {PATH} ").as_bytes()))
}

#[cfg(test)]
mod tests;
