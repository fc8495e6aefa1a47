//! Settings of calls between services, as variables of a service's process.

use nova_platform::spec::{CallsSpec, ServiceSpec};

/// The platform's settings, one variable each, and `NOVA_CALLS` with what differs for single dependencies:
/// `DEPENDENCY.SETTING=VALUE`, separated by commas and sorted. Without differences there is no such variable.
pub(super) fn environment(platform: &CallsSpec, service: &ServiceSpec) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = platform
        .settings()
        .into_iter()
        .map(|(flag, value)| (format!("NOVA_{}", flag.replace('-', "_").to_ascii_uppercase()), value))
        .collect();
    let mut differences: Vec<String> = service
        .calls
        .iter()
        .flat_map(|(dependency, own)| {
            let settings = own.settings().into_iter();
            settings.map(move |(flag, value)| format!("{dependency}.{flag}={value}"))
        })
        .collect();
    if !differences.is_empty() {
        differences.sort();
        variables.push(("NOVA_CALLS".to_owned(), differences.join(",")));
    }
    variables
}
