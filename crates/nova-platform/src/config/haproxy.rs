//! HAProxy: two TCP doors to PostgreSQL, which ask Patroni who leads, and one HTTP door a public service. Each door has connections of
//! its own.

mod bulkheads;
mod door;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::{Site, members};
use crate::topology::Kind;
use bulkheads::Bulkheads;

pub use crate::components::HEALTH_PORT;

/// A SYN that is lost is repeated after a second, so waiting longer than this brings nothing but at another member. A server that is
/// ending takes none.
const MEMBER_CONNECTS_WITHIN: Duration = Duration::from_millis(200);

/// Of a server: one that refuses a connection is out until its next check succeeds.
const OUT_WHEN_REFUSED: &str = "observe layer4 error-limit 1 on-error mark-down";

/// Which doors there are.
#[derive(Debug, Clone, Copy)]
pub struct Doors<'a> {
    /// The address that all of them listen on; `*` for every one.
    pub bind: &'a str,
    /// How the members of services are found, each of which has a door at its own port.
    pub services: Services<'a>,
    /// Port on which `GET /health` says that HAProxy itself is up; none where nobody asks.
    pub health_port: Option<u16>,
    /// Path of the administrator's socket; relative to the working directory, or of 107 bytes at most.
    pub admin_socket: &'a str,
}

/// How the members of services are found.
#[derive(Debug, Clone, Copy)]
pub enum Services<'a> {
    /// Each is met where the [`Site`] says.
    Known,
    /// By names that are asked for again and again, since members come and go: one entry a service. A service without one has
    /// a door that leads nowhere.
    Discovered(&'a BTreeMap<String, Discovery>),
}

/// The names of a service whose members come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Resolves to one address for each member that is ready, as far as the DNS knows: an answer may be half a minute old.
    pub members: String,
    /// The most addresses that are used at a time.
    pub slots: u16,
    /// Resolves to one address that stays, and leads to some member that is ready.
    pub any_member: String,
}

/// `haproxy.cfg`. Where members are met by name, a name is asked for again and again, and the last known address stays for as
/// long as there is no other answer.
#[must_use]
pub fn config(site: &dyn Site, doors: &Doors<'_>) -> String {
    let mut text = preamble(site, doors);
    if let Some(port) = doors.health_port {
        text.push_str(&health(doors, port));
    }
    text.push_str(&postgres(site, doors));
    for (name, service) in site.spec().public_services() {
        text.push_str(&door::door(site, doors, name, service));
    }
    text
}

fn preamble(site: &dyn Site, doors: &Doors<'_>) -> String {
    let discovers = matches!(doors.services, Services::Discovered(_));
    let mut stores = members(site.spec(), Kind::Postgres).into_iter();
    let by_name = discovers || stores.any(|member| site.host(&member).parse::<IpAddr>().is_err());
    let spec = &site.spec().gateway;
    let interval = spec.check_interval.as_millis();
    // A backend in doubt is asked again sooner, so that two failed checks cost little more than one.
    let in_doubt = (interval / 3).max(50);
    let (resolvers, resolved) = if by_name { (RESOLVERS, RESOLVED) } else { ("", "") };
    let member_resolvers = if discovers { MEMBER_RESOLVERS } else { "" };
    format!(
        "\
global
    # The sum of what the doors accept: none of them can use up another one's.
    maxconn {maxconn}
    nbthread 2
    log stdout format raw daemon notice
    # The path of a socket is limited to 107 bytes.
    stats socket unix@{socket} mode 600 level admin
    stats timeout 5s
    # A soft stop (SIGUSR1) lets what runs come to its end; the services' pools would hold it up for as long as they live.
    hard-stop-after 10s
    spread-checks 0
{resolvers}{member_resolvers}
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
        maxconn = Bulkheads::of(site.spec()).global(),
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

/// Members of services come and go with their addresses, so the DNS is asked every second, and an address that it names no more
/// is dropped. Not at once: a member that ends still serves, and HAProxy's own checks see its end sooner and better. A DNS that
/// fails (also by an answer of its own, `other`) says nothing about members.
const MEMBER_RESOLVERS: &str = "
resolvers members
    parse-resolv-conf
    accepted_payload_size 8192
    resolve_retries 3
    timeout resolve 1s
    timeout retry 1s
    hold valid 1s
    hold nx 30s
    hold obsolete 30s
    hold other 1h
    hold refused 1h
    hold timeout 1h
";

/// It starts without an address, too, and gets one as soon as there is an answer.
const RESOLVED: &str = " resolvers system init-addr last,libc,none";

fn health(doors: &Doors<'_>, port: u16) -> String {
    format!(
        "
frontend health
    mode http
    bind {bind}:{port}
    maxconn {maxconn}
    timeout client 5s
    timeout http-request 5s
    monitor-uri /health
",
        bind = doors.bind,
        maxconn = bulkheads::HEALTH,
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
    maxconn {maxconn}
    timeout client 1h
    option clitcpka
    default_backend postgres-primary

frontend postgres-replicas
    mode tcp
    bind {bind}:{replicas}
    maxconn {maxconn}
    timeout client 1h
    option clitcpka
    use_backend postgres-replicas if {{ nbsrv(postgres-replicas) gt 0 }}
    default_backend postgres-primary
",
        bind = doors.bind,
        maxconn = Bulkheads::of(spec).postgres,
        primary = spec.gateway.primary_port,
        replicas = spec.gateway.replicas_port,
    );
    let rarely = spec.gateway.check_interval.as_millis() * 3;
    let replicas = format!(
        "    # A read can go to another server, so a refused connection says enough. Each check is work for a Patroni that may be failing over.
    default-server inter {rarely}ms downinter {rarely}ms {OUT_WHEN_REFUSED}
"
    );
    for (name, uri, checks) in [
        ("postgres-primary", "/primary", ""),
        ("postgres-replicas", "/replica?lag=16MB", replicas.as_str()),
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
{checks}",
            connect = MEMBER_CONNECTS_WITHIN.as_millis(),
        );
        servers(&mut text);
    }
    text
}
