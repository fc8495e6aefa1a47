//! The HTTP door of one service. It repeats what is harmless to repeat, at another member, when one is lost.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::bulkheads::Bulkheads;
use super::{Discovery, Doors, MEMBER_CONNECTS_WITHIN, OUT_WHEN_REFUSED, Services};
use crate::config::Site;
use crate::config::service::OPERATIONS_OFFSET;
use crate::spec::ServiceSpec;
use crate::topology;

/// Retries of a request where the number of members is not known: ten over three nodes are four on one.
const MEMBERS_TRIED: u16 = 5;
const UNAVAILABLE: &str = "dependency_unavailable";

/// The frontend and the backend of one service.
pub(super) fn door(site: &dyn Site, doors: &Doors<'_>, name: &str, service: &ServiceSpec) -> String {
    let servers = match doors.services {
        Services::Known => known(site, name, service),
        Services::Discovered(all) => all
            .get(name)
            .map_or_else(String::new, |discovery| discovered(name, service, discovery)),
    };
    let shares = Bulkheads::of(site.spec());
    format!(
        "
frontend {name}
    mode http
    bind {bind}:{port}
    maxconn {maxconn}
    timeout client 30s
    # For all of a request, its body too: a member sees only what has arrived, or filled a buffer (16 KiB).
    timeout http-request 10s
    option http-buffer-request
    timeout http-keep-alive 30s
    # No one client fills the door. IPv6 clients have a /64 each.
    stick-table type ipv6 size 100k expire 1m store conn_cur
    tcp-request connection track-sc0 src,ipmask(32,64)
    tcp-request connection reject if {{ sc0_conn_cur gt {client} }}
    # What the client claims about its address counts for nothing.
    http-request del-header X-Forwarded-For
    http-request del-header Forwarded
    option forwardfor
    # What services offer each other is not there for anyone else. Services come through this door too, so it looks at the kind
    # of the token, unverified; what protects is that the service verifies the token.
    acl internal path_beg /api/v1/internal/
    acl of_service http_auth_bearer,jwt_header_query('$.typ') -m str nova-service+jwt
    http-request return status 404 content-type application/problem+json string '{hidden}' if internal !of_service
    # Errors of the gateway look like those of the services behind it.
    http-error status 400 content-type application/problem+json string '{bad}'
    http-error status 408 content-type application/problem+json string '{late}'
    http-error status 502 content-type application/problem+json string '{lost}'
    http-error status 503 content-type application/problem+json string '{unavailable}' hdr Retry-After 1
    http-error status 504 content-type application/problem+json string '{timed_out}' hdr Retry-After 1
    default_backend {name}

backend {name}
    mode http
    # In turn: a member that fails at once looks the least busy, and whoever goes by that sends it everything.
    balance roundrobin
{source}    # Also the pause before a retry when one member is left; it is a second at most, and members are a network's hop away.
    timeout connect {connect}ms
    timeout server 30s
    timeout tunnel 1h
    # A member that refuses a connection is out until its next check succeeds: each request of its turn would have to be tried
    # elsewhere.
    default-server {OUT_WHEN_REFUSED}
    # A request that never left is tried elsewhere, whatever it is; one that may have arrived, or that a member cannot serve now
    # while another one may, only when repeating is harmless. Not when everyone is busy: repeating adds to that.
    retry-on conn-failure empty-response 503
    http-request disable-l7-retry unless METH_GET
    http-request disable-l7-retry if {{ be_conn gt {client} }}
    option httpchk
    http-check send meth GET uri /health/ready
    http-check expect status 200
{servers}",
        bind = doors.bind,
        port = service.port,
        maxconn = shares.service,
        client = shares.client,
        source = source(doors),
        connect = MEMBER_CONNECTS_WITHIN.as_millis(),
        hidden = problem(404, "Not found", "not_found", "there is no such route; /openapi.json lists those that are"),
        bad = problem(400, "Bad Request", "bad_request", "this is not HTTP as the gateway understands it"),
        late = problem(408, "Request Timeout", "request_timeout", "the request did not arrive in time; nothing was done"),
        lost = problem(502, "Bad Gateway", "outcome_unknown", &format!("a member of {name} was lost before it answered; a write may have happened")),
        unavailable = problem(503, "Service Unavailable", UNAVAILABLE, &format!("no member of {name} is ready")),
        timed_out = problem(504, "Gateway Timeout", UNAVAILABLE, &format!("{name} did not answer in time")),
    )
}

/// Members know the gateway by its address, from which it connects: what it says of a client is believed. Where it listens on all
/// addresses it has one of its own.
fn source(doors: &Doors<'_>) -> String {
    match doors.bind.parse::<IpAddr>() {
        Ok(address) if !address.is_unspecified() => format!("    source {address}\n"),
        _ => String::new(),
    }
}

fn known(site: &dyn Site, name: &str, service: &ServiceSpec) -> String {
    let mut text = String::new();
    let component = topology::components(site.spec())
        .into_iter()
        .find(|component| component.id.as_str() == name);
    for member in component.into_iter().flat_map(|component| component.members) {
        let host = site.host(&member);
        let operations = service.port + OPERATIONS_OFFSET;
        let _ = writeln!(
            text,
            "    server {} {host}:{} check port {operations}",
            member.name, service.port
        );
    }
    text
}

/// A slot without an address is in maintenance and costs nothing. One that gets an address is used before its first check, which
/// is why only members that are ready may be named (`init-state` exists from HAProxy 3.1 on).
fn discovered(name: &str, service: &ServiceSpec, discovery: &Discovery) -> String {
    let Discovery {
        members,
        slots,
        any_member,
    } = discovery;
    let (port, operations) = (service.port, service.port + OPERATIONS_OFFSET);
    format!(
        "    # Members that are lost together, with their node, each cost a try; and a retry goes to the last resort only when no other
    # member is up.
    retries {MEMBERS_TRIED}
    server-template {name}- {slots} {members}:{port} check port {operations} resolvers members resolve-prefer ipv4 init-addr none
    # The last resort, when no member that the DNS has told of is up: its answers may be older than every member. Behind this one
    # address are several members, and one may be dead while others serve: a refusal makes it be checked, five checks take it out.
    server {name} {any_member}:{port} check port {operations} fall 5 on-error fastinter backup
",
    )
}

fn problem(status: u16, title: &str, code: &str, detail: &str) -> serde_json::Value {
    serde_json::json!({ "type": "about:blank", "title": title, "status": status, "code": code, "detail": detail })
}
