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

#[test]
fn connections_to_etcd_send_at_once() {
    let spec: Spec = toml::from_str(include_str!("../../../nova.toml")).unwrap();
    let programs = doctor::inspect(&spec).programs.unwrap();
    let python = programs.patroni.with_file_name("python");
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(FILE), CONTENT).unwrap();
    let nowhere = directory.path().join("nowhere");

    assert_eq!(options(&python, directory.path()), "1 1\n");
    // The day that this is otherwise, nothing needs to run before Patroni any more.
    assert_eq!(options(&python, &nowhere), "0 1\n");
}

fn options(python: &Path, path: &Path) -> String {
    let mut command = Command::new(python);
    command
        .args(["-c", OPTIONS])
        .envs(environment(&path.display().to_string()));
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}
