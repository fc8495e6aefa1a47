//! HAProxy: two TCP doors to PostgreSQL, which ask Patroni who leads, and one HTTP door a service.

use std::fmt::Write as _;
use std::time::Duration;

use nova_platform::endpoints::HostPort;
use nova_platform::spec::ServiceSpec;
use nova_platform::topology::{self, Kind, Member};

use super::{OPERATIONS_OFFSET, Site, address, base_plan, file};
use crate::plan::MemberPlan;

const UNAVAILABLE: &str = "dependency_unavailable";

pub(super) fn plan(site: &Site<'_>, member: &Member) -> MemberPlan {
    let spec = site.spec;
    let own = address(spec, member);
    let mut plan = base_plan(member, &site.programs.haproxy);
    plan.args = ["-db", "-f", "haproxy.cfg"].map(str::to_owned).into();
    plan.files = vec![file("haproxy.cfg", config(site, &own))];
    let doors = [spec.gateway.primary_port, spec.gateway.replicas_port];
    let ports = doors
        .into_iter()
        .chain(spec.services.values().map(|service| service.port));
    plan.ports = ports.map(|port| HostPort::new(&own, port)).collect();
    // SIGTERM ends it at once; its soft stop would wait for the services' long-lived connections to PostgreSQL.
    plan.stop_grace = Duration::from_secs(3);
    plan
}

fn config(site: &Site<'_>, own: &str) -> String {
    let mut text = preamble(site);
    text.push_str(&postgres(site, own));
    for (name, service) in &site.spec.services {
        text.push_str(&door(site, own, name, service));
    }
    text
}

fn preamble(site: &Site<'_>) -> String {
    let spec = &site.spec.gateway;
    let interval = spec.check_interval.as_millis();
    // A backend in doubt is asked again sooner, so that two failed checks cost little more than one.
    let in_doubt = (interval / 3).max(50);
    format!(
        "\
global
    maxconn {maxconn}
    nbthread 2
    log stdout format raw daemon notice
    # Relative: the path of a socket is limited to 107 bytes.
    stats socket unix@admin.sock mode 600 level admin
    stats timeout 5s
    spread-checks 0

defaults
    log global
    option dontlognull
    option dontlog-normal
    option redispatch 1
    retries 3
    timeout connect 1s
    timeout check 1s
    timeout queue 5s
    default-server inter {interval}ms fastinter {in_doubt}ms downinter {interval}ms fall 2 rise 1
",
        maxconn = spec.max_connections,
    )
}

/// Replicas fall back to the leader, so that reads go on with one server left.
fn postgres(site: &Site<'_>, own: &str) -> String {
    let spec = site.spec;
    let servers = |text: &mut String| {
        for member in site.members(Kind::Postgres) {
            let node = address(spec, &member);
            // Sessions to a member that lost its role are cut: a pool must not stay with a demoted leader.
            let _ = writeln!(
                text,
                "    server {} {node}:{} check port {} on-marked-down shutdown-sessions",
                member.name, spec.postgres.port, spec.postgres.patroni_port
            );
        }
    };
    let mut text = format!(
        "
frontend postgres-primary
    mode tcp
    bind {own}:{primary}
    timeout client 1h
    option clitcpka
    default_backend postgres-primary

frontend postgres-replicas
    mode tcp
    bind {own}:{replicas}
    timeout client 1h
    option clitcpka
    use_backend postgres-replicas if {{ nbsrv(postgres-replicas) gt 0 }}
    default_backend postgres-primary
",
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
    timeout server 1h
    option srvtcpka
    option httpchk
    http-check send meth OPTIONS uri {uri}
    http-check expect status 200
"
        );
        servers(&mut text);
    }
    text
}

fn door(site: &Site<'_>, own: &str, name: &str, service: &ServiceSpec) -> String {
    let mut text = format!(
        "
frontend {name}
    mode http
    bind {own}:{port}
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
        port = service.port,
        hidden = problem(404, "Not found", "not_found", "there is no such route; /openapi.json lists those that are"),
        unavailable = problem(503, "Service Unavailable", UNAVAILABLE, &format!("no member of {name} is ready")),
        timed_out = problem(504, "Gateway Timeout", UNAVAILABLE, &format!("{name} did not answer in time")),
    );
    let component = topology::components(site.spec)
        .into_iter()
        .find(|component| component.name == name);
    for member in component.into_iter().flat_map(|component| component.members) {
        let node = address(site.spec, &member);
        let operations = service.port + OPERATIONS_OFFSET;
        let _ = writeln!(
            text,
            "    server {} {node}:{} check port {operations}",
            member.name, service.port
        );
    }
    text
}

fn problem(status: u16, title: &str, code: &str, detail: &str) -> serde_json::Value {
    serde_json::json!({ "type": "about:blank", "title": title, "status": status, "code": code, "detail": detail })
}
