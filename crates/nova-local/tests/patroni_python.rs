//! What runs before Patroni, in Patroni's own Python.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use nova_local::doctor;
use nova_member::patroni_python::{CONTENT, FILE, environment};
use nova_platform::spec::Spec;

/// Prints whether a connection to etcd sends at once, and whether it is kept alive.
const OPTIONS: &str = "
import socket
from types import SimpleNamespace as Of
from patroni.dcs.etcd3 import Etcd3
sock = socket.socket()
Etcd3.set_socket_options(Of(ttl=20, loop_wait=5, _retry=Of(deadline=5)), sock, None)
print(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
";

/// Prints, for each leader that is read from etcd in turn, whether Patroni's round is woken.
const WATCHES: &str = "
from threading import Condition, Event, Lock
from types import SimpleNamespace as Of
from patroni.dcs.etcd3 import Etcd3WatchCanceled, KVCache
def canceled(*args, **kwargs):
    raise Etcd3WatchCanceled('of this test')
dcs = Of(event=Event(), cluster_prefix='/', ttl=20)
cache = KVCache.__new__(KVCache)
cache._dcs, cache._client, cache._leader_key, cache.condition = dcs, Of(prefix=None, watchprefix=canceled), 'leader', Condition()
cache._response_lock, cache._object_cache_lock, cache._object_cache = Lock(), Lock(), {}
cache._cluster_id = cache._raft_term = None
for name in ['one', 'one', 'two', None, 'two']:
    keys = [dict(key='leader', value=name, mod_revision='1')] if name else []
    dcs.retry = lambda *args: dict(header=dict(revision='1'), kvs=keys)
    cache._build_cache()
    print(int(dcs.event.is_set()), end='')
    dcs.event.clear()
";

#[test]
fn connections_to_etcd_send_at_once() {
    // The day that the second is otherwise, nothing needs to run before Patroni for this any more.
    assert_eq!(with_and_without(OPTIONS), ["1 1\n", "0 1\n"]);
}

#[test]
fn a_leader_that_is_read_wakes_patroni() {
    // As above.
    assert_eq!(with_and_without(WATCHES), ["10111", "00000"]);
}

/// What `script` prints with the file before it, and without.
fn with_and_without(script: &str) -> [String; 2] {
    let spec: Spec = toml::from_str(include_str!("../../../nova.toml")).unwrap();
    let programs = doctor::inspect(&spec).programs.unwrap();
    let python = programs.path("patroni").with_file_name("python");
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(FILE), CONTENT).unwrap();
    let nowhere = directory.path().join("nowhere");
    [directory.path(), &nowhere].map(|path| output(&python, path, script))
}

fn output(python: &Path, path: &Path, script: &str) -> String {
    let mut command = Command::new(python);
    command
        .args(["-c", script])
        .envs(environment(&path.display().to_string()));
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}
