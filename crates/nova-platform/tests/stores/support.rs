//! Real stores for one test: started on free ports, ended with the test however it ends, nothing left behind.

pub(crate) mod etcd;
pub(crate) mod gateway;
pub(crate) mod patroni;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod redis;

use std::net::TcpListener;

use nova_platform::endpoints::{Endpoints, HostPort};
use nova_platform::secrets::Secrets;
use nova_platform::spec::Spec;

/// The platform as shipped.
pub(crate) fn spec() -> Spec {
    nova_platform::load::load(None).unwrap().spec
}

pub(crate) fn secrets() -> Secrets {
    Secrets::generate(&spec()).unwrap()
}

/// An address that nobody listens on.
pub(crate) fn nowhere() -> HostPort {
    HostPort::new("127.0.0.1", free_port())
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A platform of which nothing runs.
pub(crate) fn no_endpoints() -> Endpoints {
    Endpoints {
        stores: Vec::new(),
        primary: nowhere(),
        replicas: nowhere(),
        services: std::collections::BTreeMap::new(),
    }
}
