//! The little of Redis's protocol that it takes to ask a server or a Sentinel for its role. A client library would be the
//! largest part of a program whose only task is to become redis-server.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The longest answer that is believed; roles take a few hundred bytes.
const LONGEST: usize = 64 * 1024;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Text(String),
    Integer(i64),
    List(Vec<Reply>),
    Nothing,
}

impl Reply {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The value that follows a name in a flat list of names and values.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.list()
            .chunks_exact(2)
            .find(|pair| pair[0].text() == Some(name))
            .map(|pair| &pair[1])
    }
}

/// A connection that has logged in.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects and logs in; each step takes at most `patience`.
    pub(crate) fn open(host: &str, port: u16, password: &str, patience: Duration) -> io::Result<Self> {
        let address = host
            .parse()
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("{host:?} is not an address")))?;
        let stream = TcpStream::connect_timeout(&SocketAddr::new(address, port), patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let mut connection = Self(BufReader::new(stream));
        connection.ask(&["AUTH", password])?;
        Ok(connection)
    }

    /// Sends one command and reads its answer; an error answer is an error.
    pub(crate) fn ask(&mut self, command: &[&str]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(request.as_bytes())?;
        read_reply(&mut self.0.by_ref().take(LONGEST as u64), 0)
    }
}

fn read_reply(from: &mut impl BufRead, depth: usize) -> io::Result<Reply> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("not an answer of Redis: {what}"));
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let kind = line.chars().next().ok_or_else(|| broken("empty line"))?;
    let rest = line.get(kind.len_utf8()..).unwrap_or_default().trim_end();
    let number = || rest.parse::<i64>().map_err(|_| broken(rest));
    match kind {
        '+' => Ok(Reply::Text(rest.to_owned())),
        '-' => Err(io::Error::other(rest.to_owned())),
        ':' => number().map(Reply::Integer),
        '$' => match usize::try_from(number()?) {
            Err(_) => Ok(Reply::Nothing),
            Ok(length) if length > LONGEST => Err(broken("too long")),
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                from.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
        },
        '*' if depth < 4 => match usize::try_from(number()?) {
            Err(_) => Ok(Reply::Nothing),
            // No capacity is reserved: the number is the other side's claim.
            Ok(count) => (0..count)
                .map(|_| read_reply(from, depth + 1))
                .collect::<io::Result<_>>()
                .map(Reply::List),
        },
        _ => Err(broken(line.trim_end())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Reply, read_reply};

    #[test]
    fn answers_are_read() -> std::io::Result<()> {
        let reply = read_reply(&mut &b"*3\r\n$6\r\nmaster\r\n:17\r\n*0\r\n"[..], 0)?;
        assert_eq!(
            reply,
            Reply::List(vec![
                Reply::Text("master".into()),
                Reply::Integer(17),
                Reply::List(vec![])
            ])
        );
        assert_eq!(reply.field("master"), Some(&Reply::Integer(17)));
        assert_eq!(read_reply(&mut &b"$-1\r\n"[..], 0)?, Reply::Nothing);
        Ok(())
    }

    #[test]
    fn garbage_is_an_error() {
        for bytes in [
            &b""[..],
            b"\r\n",
            b"$5\r\nab",
            b"$99999999999\r\n",
            b"*9999999999\r\n",
            b"\xff\xfe\r\n",
            b":x\r\n",
            b"HTTP/1.1 400\r\n",
            b"-NOAUTH\r\n",
        ] {
            assert!(read_reply(&mut &*bytes, 0).is_err(), "{bytes:?}");
        }
    }
}
