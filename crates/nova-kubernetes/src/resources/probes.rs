//! Probes, and what happens before a container ends.

use k8s_openapi::api::core::v1::{
    ExecAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::workloads::{self, Ask, Workload};

pub(super) fn probe(probe: &workloads::Probe) -> Probe {
    let port = |number: u16| IntOrString::Int(number.into());
    let mut made = Probe {
        period_seconds: Some(probe.period.into()),
        timeout_seconds: Some(probe.timeout.into()),
        failure_threshold: Some(probe.failures.into()),
        success_threshold: Some(1),
        ..Probe::default()
    };
    match &probe.ask {
        Ask::Http(path, number) => {
            made.http_get = Some(HTTPGetAction {
                path: Some((*path).to_owned()),
                port: port(*number),
                scheme: Some("HTTP".to_owned()),
                ..HTTPGetAction::default()
            });
        }
        Ask::Tcp(number) => {
            made.tcp_socket = Some(TCPSocketAction {
                port: port(*number),
                host: None,
            });
        }
        Ask::Exec(command) => {
            made.exec = Some(ExecAction {
                command: Some(command.clone()),
            });
        }
    }
    made
}

/// A pod leaves the endpoints when it begins to end, but not at once everywhere: it goes on serving for a moment.
pub(super) fn lifecycle(workload: &Workload) -> Lifecycle {
    Lifecycle {
        pre_stop: Some(LifecycleHandler {
            sleep: Some(SleepAction {
                seconds: workload.linger.into(),
            }),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    }
}
