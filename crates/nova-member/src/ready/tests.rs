//! What an asker is told.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// What is said to this, and then nothing more.
fn said(port: u16, question: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(question.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn it_is_asked_each_time() {
    let ready = Arc::new(AtomicBool::new(false));
    let is_ready = ready.clone();
    let ask = move || match is_ready.load(Ordering::SeqCst) {
        true => Ok(()),
        false => Err(StartError::NoRole("too early".to_owned())),
    };
    let port = serve(0, ask).unwrap().port();
    let kubelet = "GET /ready HTTP/1.1\r\nHost: 10.0.0.1:7379\r\nUser-Agent: kube-probe/1.36\r\n\r\n";
    let told = said(port, kubelet);
    assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
    assert!(told.ends_with("\r\n\r\nfound no role in time: too early\n"), "{told}");
    ready.store(true, Ordering::SeqCst);
    assert!(said(port, kubelet).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn strange_questions_are_answered_and_do_not_keep_others_waiting_for_ever() {
    let port = serve(0, || Ok(())).unwrap().port();
    let silent = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    assert!(said(port, "GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert!(said(port, "POST /ready HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    drop(silent);
    assert!(said(port, "GET /ready HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let port = serve(0, || Ok(())).unwrap().port();
    assert_eq!(serve(port, || Ok(())).unwrap_err().kind(), io::ErrorKind::AddrInUse);
}
