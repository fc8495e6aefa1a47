use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{HandOverError, Patronis, is_left_out};
use crate::address::Address;

/// A Patroni's REST API: what it answers to `/switchover`, and whether it leads.
struct Patroni {
    address: Address,
    leads: Arc<AtomicBool>,
}

impl Patroni {
    /// `switched` is called when it is asked for a switchover, and says what it answers.
    fn start(member: &str, switched: impl Fn(&str) -> u16 + Send + 'static) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let leads = Arc::new(AtomicBool::new(false));
        let (port, leading) = (listener.local_addr()?.port(), Arc::clone(&leads));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &leading, &switched);
            }
        });
        let address = Address {
            member: member.to_owned(),
            host: "127.0.0.1".to_owned(),
            port,
        };
        Ok(Self { address, leads })
    }
}

fn answer(stream: TcpStream, leads: &AtomicBool, switched: &dyn Fn(&str) -> u16) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let code = match first.split(' ').nth(1) {
        Some("/switchover") => switched(&String::from_utf8_lossy(&body)),
        Some("/primary") if leads.load(Ordering::SeqCst) => 200,
        _ => 503,
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {code} X\r\nContent-Length: 3\r\nConnection: close\r\n\r\nwhy"
    )
}

fn patronis(leader: &Patroni, others: &[&Patroni]) -> Patronis {
    Patronis {
        leader: leader.address.clone(),
        others: others.iter().map(|other| other.address.clone()).collect(),
        password: "secret".to_owned(),
    }
}

#[test]
fn who_follows_and_is_in_no_quorum_yet_is_waited_for() {
    let follows = json!({ "role": "replica", "state": "running", "replication_state": "streaming" });
    assert!(is_left_out(&follows));
    for (key, value, waited_for) in [
        ("state", json!("starting"), true),
        ("quorum_standby", json!(true), false),
        ("state", json!("stopped"), false),
        ("role", json!("primary"), false),
        ("tags", json!({ "nosync": true }), false),
    ] {
        let mut said = follows.clone();
        said[key] = value;
        assert_eq!(is_left_out(&said), waited_for, "{said}");
    }
}

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn it_is_done_when_another_one_says_that_it_leads() -> std::io::Result<()> {
    let (second, third) = (
        Patroni::start("postgres-2", |_| 503)?,
        Patroni::start("postgres-3", |_| 503)?,
    );
    let next = Arc::clone(&third.leads);
    let first = Patroni::start("postgres-1", move |asked| {
        assert_eq!(
            serde_json::from_str(asked).ok(),
            Some(json!({ "leader": "postgres-1" }))
        );
        next.store(true, Ordering::SeqCst);
        // Patroni looks once a second whether it is done; nobody waits for that.
        thread::sleep(LIMIT);
        200
    })?;
    let switched = patronis(&first, &[&second, &third]).switch(LIMIT);
    assert_eq!(switched.ok().as_deref(), Some("postgres-3"));
    Ok(())
}

#[test]
fn a_refusal_is_told_and_not_waited_for() -> std::io::Result<()> {
    let (first, second) = (
        Patroni::start("postgres-1", |_| 412)?,
        Patroni::start("postgres-2", |_| 503)?,
    );
    let refused = patronis(&first, &[&second]).switch(LIMIT).err();
    let told = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("412") && told.ends_with("why"), "{told}");
    Ok(())
}

#[test]
fn others_who_are_gone_are_not_waited_for() -> std::io::Result<()> {
    let first = Patroni::start("postgres-1", |_| {
        thread::sleep(LIMIT);
        200
    })?;
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut asked = patronis(&first, &[]);
    assert!(matches!(asked.switch(LIMIT), Err(HandOverError::NoSuccessor)));
    asked.others.push(Address {
        member: "postgres-2".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: gone,
    });
    assert!(matches!(asked.switch(LIMIT), Err(HandOverError::NoSuccessor)));
    Ok(())
}
