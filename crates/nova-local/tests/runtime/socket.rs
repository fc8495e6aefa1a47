//! Whatever is written to the supervisor's socket does no harm.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nova_platform::target::RunState;

use crate::support::Home;

fn say(home: &Home, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(home.layout.supervisor_socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The supervisor may hang up before it has read everything.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn garbage_is_refused_and_the_supervisor_works_on() {
    let home = Home::new();
    home.supervise().await;
    let before = home.ensure(&home.member("redis-1", "exec sleep 600")).await;
    let mode = std::fs::metadata(home.layout.supervisor_socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let refused = "\"response\":\"refused\"";
    assert!(say(&home, b"\xff\xfe\x00\n").contains(refused));
    assert!(say(&home, b"{\"request\":\"list\"").contains(refused));
    assert!(say(&home, b"{\"request\":\"explode\"}\n").contains(refused));
    assert!(say(&home, b"[[[[[[[[[[\n").contains(refused));
    assert!(say(&home, "[".repeat(200_000).as_bytes()).contains(refused));
    assert_eq!(say(&home, b""), "");
    say(&home, &vec![b'a'; 3 << 20]);
    let idle: Vec<UnixStream> = (0..32)
        .map(|_| UnixStream::connect(home.layout.supervisor_socket()).unwrap())
        .collect();
    let answers = say(&home, b"{\"request\":\"list\"}\n{\"request\":\"list\"}\n");
    assert_eq!(answers.lines().count(), 2, "{answers}");
    drop(idle);

    let after = home.report("redis-1").await;
    assert_eq!((after.state, after.pid), (RunState::Running, before.pid));
}
