//! What the other members say.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::Settings;
use crate::address::HostPort;
use crate::etcd_api::{At, Cluster, Listed, Peer, ask_peer};

/// Longest wait for a part of a question, and for its asker to take the answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What another member says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing, or nothing that is understood.
    Silent,
    /// It has no data, and is described with these members.
    Empty(Vec<String>),
    /// It reaches no quorum; what its data say of the cluster.
    Alone(Vec<Listed>),
    /// It is one of a quorum, which knows the cluster so.
    Serves(HostPort, Cluster),
}

/// All others, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View(pub(super) Vec<(String, Seen)>);

impl View {
    /// Asks all of them at once.
    pub(super) fn ask(settings: &Settings) -> Self {
        thread::scope(|scope| {
            let asked: Vec<_> = settings
                .others()
                .map(|host| {
                    let (client, peer) = (settings.client(host), settings.peer(host));
                    (host.member.clone(), scope.spawn(move || ask(client, &peer)))
                })
                .collect();
            let seen = asked
                .into_iter()
                .map(|(member, asked)| (member, asked.join().unwrap_or(Seen::Silent)));
            Self(seen.collect())
        })
    }

    /// Each cluster that has a quorum, and one of its members. There should be one at most.
    pub(super) fn serving(&self) -> Vec<(&HostPort, &Cluster)> {
        let mut found: Vec<(&HostPort, &Cluster)> = Vec::new();
        for (_, seen) in &self.0 {
            if let Seen::Serves(at, cluster) = seen
                && !found.iter().any(|(_, known)| known.id == cluster.id)
            {
                found.push((at, cluster));
            }
        }
        found
    }
}

fn ask(client: HostPort, peer: &HostPort) -> Seen {
    if let Ok(cluster) = At(&client).cluster() {
        return Seen::Serves(client, cluster);
    }
    match ask_peer(peer) {
        Ok(Peer::Empty(members)) => Seen::Empty(members),
        Ok(Peer::Etcd(members)) => Seen::Alone(members),
        Err(_) => Seen::Silent,
    }
}

/// Tells the others, at the port that etcd will meet them at, that there are no data here. It ends when this process becomes etcd. `None`
/// when the port cannot be had: then nothing is told, and the others wait.
pub(super) fn answer_as_empty(settings: &Settings) -> Option<()> {
    let listener = TcpListener::bind((settings.start.bind.as_str(), settings.members.peer_port)).ok()?;
    let said = json!({ "empty": settings.names() }).to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            match stream {
                // An asker that goes away has no answer, and needs none.
                Ok(stream) => drop(answer(stream, &said)),
                Err(_) => thread::sleep(PATIENCE),
            }
        }
    });
    Some(())
}

fn answer(mut stream: TcpStream, said: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // Whatever is asked, there is one answer; but who is answered before it has asked may miss it.
    let mut asked = [0; 1024];
    let _ = stream.read(&mut asked)?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{said}", said.len())
}
