//! HAProxy: two TCP doors to PostgreSQL, which ask Patroni who leads, and where wanted one HTTP door a service.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::service::OPERATIONS_OFFSET;
use super::{Site, members};
use crate::spec::ServiceSpec;
use crate::topology::{self, Kind};

/// A SYN that is lost is repeated after a second, so waiting longer than this brings nothing but at another member.
const MEMBER_CONNECTS_WITHIN: Duration = Duration::from_millis(200);
const UNAVAILABLE: &str = "dependency_unavailable";

/// Which doors there are.
#[derive(Debug, Clone, Copy)]
pub struct Doors<'a> {
    /// The address that all of them listen on; `*` for every one.
    pub bind: &'a str,
    /// Whether services are met here, each at its own port.
    pub services: bool,
    /// Port on which `GET /health` says that HAProxy itself is up; none where nobody asks.
    pub health_port: Option<u16>,
    /// Path of the administrator's socket; relative to the working directory, or of 107 bytes at most.
    pub admin_socket: &'a str,
}

/// `haproxy.cfg`. Where members are met by name, a name is asked for again and again, and the last known address stays for as
/// long as there is no other answer.
#[must_use]
pub fn config(site: &dyn Site, doors: &Doors<'_>) -> String {
    let by_name = members(site.spec(), Kind::Postgres)
        .iter()
        .any(|member| site.host(member).parse::<IpAddr>().is_err());
    let mut text = preamble(site, doors, by_name);
    if let Some(port) = doors.health_port {
        text.push_str(&health(doors, port));
    }
    text.push_str(&postgres(site, doors));
    if doors.services {
        for (name, service) in &site.spec().services {
            text.push_str(&door(site, doors, name, service));
        }
    }
    text
}

fn preamble(site: &dyn Site, doors: &Doors<'_>, by_name: bool) -> String {
    let spec = &site.spec().gateway;
    let interval = spec.check_interval.as_millis();
    // A backend in doubt is asked again sooner, so that two failed checks cost little more than one.
    let in_doubt = (interval / 3).max(50);
    let (resolvers, resolved) = if by_name { (RESOLVERS, RESOLVED) } else { ("", "") };
    format!(
        "\
global
    maxconn {maxconn}
    nbthread 2
    log stdout format raw daemon notice
    # The path of a socket is limited to 107 bytes.
    stats socket unix@{socket} mode 600 level admin
    stats timeout 5s
    # A soft stop (SIGUSR1) lets what runs come to its end; the services' pools would hold it up for as long as they live.
    hard-stop-after 10s
    spread-checks 0
{resolvers}
defaults
    log global
    option dontlognull
    option dontlog-normal
    option redispatch 1
    retries 3
    timeout connect 1s
    timeout check 1s
    timeout queue 5s
    default-server inter {interval}ms fastinter {in_doubt}ms downinter {interval}ms fall 2 rise 1{resolved}
",
        maxconn = spec.max_connections,
        socket = doors.admin_socket,
    )
}

/// A server whose name does not resolve keeps its last address for a day: names here stand for addresses that hardly ever
/// change, and the default, seconds, would make an outage of DNS one of PostgreSQL.
const RESOLVERS: &str = "
resolvers system
    parse-resolv-conf
    accepted_payload_size 8192
    resolve_retries 3
    timeout resolve 1s
    timeout retry 1s
    hold valid 10s
    hold nx 1d
    hold obsolete 1d
    hold other 1d
    hold refused 1d
    hold timeout 1d
";

/// It starts without an address, too, and gets one as soon as there is an answer.
const RESOLVED: &str = " resolvers system init-addr last,libc,none";

fn health(doors: &Doors<'_>, port: u16) -> String {
    format!(
        "
frontend health
    mode http
    bind {bind}:{port}
    timeout client 5s
    timeout http-request 5s
    monitor-uri /health
",
        bind = doors.bind
    )
}

/// Replicas fall back to the leader, so that reads go on with one server left.
fn postgres(site: &dyn Site, doors: &Doors<'_>) -> String {
    let spec = site.spec();
    let servers = |text: &mut String| {
        for member in members(spec, Kind::Postgres) {
            // Sessions to a member that lost its role are cut: a pool must not stay with a demoted leader.
            let _ = writeln!(
                text,
                "    server {} {}:{} check port {} on-marked-down shutdown-sessions",
                member.name,
                site.host(&member),
                spec.postgres.port,
                spec.postgres.patroni_port
            );
        }
    };
    let mut text = format!(
        "
frontend postgres-primary
    mode tcp
    bind {bind}:{primary}
    timeout client 1h
    option clitcpka
    default_backend postgres-primary

frontend postgres-replicas
    mode tcp
    bind {bind}:{replicas}
    timeout client 1h
    option clitcpka
    use_backend postgres-replicas if {{ nbsrv(postgres-replicas) gt 0 }}
    default_backend postgres-primary
",
        bind = doors.bind,
        primary = spec.gateway.primary_port,
        replicas = spec.gateway.replicas_port,
    );
    for (name, uri) in [
        ("postgres-primary", "/primary"),
        ("postgres-replicas", "/replica?lag=16MB"),
    ] {
        let _ = write!(
            text,
            "
backend {name}
    mode tcp
    balance leastconn
    timeout connect {connect}ms
    timeout server 1h
    option srvtcpka
    # A retry waits a second when there is no other server, and there is one leader: while it changes, the client is told at
    # once, and asks again when the new one is known.
    retries 0
    option httpchk
    http-check send meth OPTIONS uri {uri}
    http-check expect status 200
",
            connect = MEMBER_CONNECTS_WITHIN.as_millis(),
        );
        servers(&mut text);
    }
    text
}

fn door(site: &dyn Site, doors: &Doors<'_>, name: &str, service: &ServiceSpec) -> String {
    let mut text = format!(
        "
frontend {name}
    mode http
    bind {bind}:{port}
    timeout client 30s
    timeout http-request 10s
    timeout http-keep-alive 30s
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
    http-error status 503 content-type application/problem+json string '{unavailable}' hdr Retry-After 1
    http-error status 504 content-type application/problem+json string '{timed_out}' hdr Retry-After 1
    default_backend {name}

backend {name}
    mode http
    balance leastconn
    # Also the pause before a retry when one member is left; it is a second at most, and members are a network's hop away.
    timeout connect {connect}ms
    timeout server 30s
    timeout tunnel 1h
    # A member that refuses a connection is out until its next check succeeds: it looks the least busy, and a request that is
    # tried elsewhere would come back to it.
    default-server observe layer4 error-limit 1 on-error mark-down
    # A request that never left is tried elsewhere, whatever it is; one that may have arrived only when repeating is harmless.
    retry-on conn-failure empty-response
    http-request disable-l7-retry unless METH_GET
    option httpchk
    http-check send meth GET uri /health/ready
    http-check expect status 200
",
        bind = doors.bind,
        port = service.port,
        connect = MEMBER_CONNECTS_WITHIN.as_millis(),
        hidden = problem(404, "Not found", "not_found", "there is no such route; /openapi.json lists those that are"),
        unavailable = problem(503, "Service Unavailable", UNAVAILABLE, &format!("no member of {name} is ready")),
        timed_out = problem(504, "Gateway Timeout", UNAVAILABLE, &format!("{name} did not answer in time")),
    );
    let component = topology::components(site.spec())
        .into_iter()
        .find(|component| component.name == name);
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

fn problem(status: u16, title: &str, code: &str, detail: &str) -> serde_json::Value {
    serde_json::json!({ "type": "about:blank", "title": title, "status": status, "code": code, "detail": detail })
}
