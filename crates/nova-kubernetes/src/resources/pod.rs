//! Pod templates: what StatefulSets and Deployments have in common, and all that makes a pod safe.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    ObjectFieldSelector, PodDNSConfig, PodDNSConfigOption, PodSecurityContext, PodSpec, PodTemplateSpec,
    ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use nova_platform::spec::Spec;

use super::metadata::{self, Exception};
use super::{config_map, placement, probes, quantity};
use crate::images::Images;
use crate::profile::Amounts;
use crate::workloads::{CONFIG_DIR, DATA_DIR, MEMBER_VARIABLE, RUN_DIR, SECRETS_DIR, Workload};

/// The user and group that everything runs as; the images know them by the name `nova`.
const USER: i64 = 10001;
/// The volume of a store's member, and of the claim that a StatefulSet makes for it.
pub(super) const DATA_VOLUME: &str = "data";
/// Where a pod template says which configuration its pods were started with.
const CONFIG_ANNOTATION: &str = "nova/config";
/// Secrets are read by the owner and the group.
const SECRET_MODE: i32 = 0o440;

/// What kube-score asks of pods and does not fit ours.
pub(super) fn exceptions(workload: &Workload) -> Vec<Exception> {
    let pull = (
        "container-image-pull-policy",
        "a tag is made from the image's content, so what a node has under it is right; asking a registry again would only make \
         starts depend on it",
    );
    let own = workload.exceptions.iter().copied();
    own.chain([pull]).collect()
}

pub(super) fn template(spec: &Spec, workload: &Workload, images: &Images) -> PodTemplateSpec {
    let annotations =
        config_map::digest(workload).map(|digest| BTreeMap::from([(CONFIG_ANNOTATION.to_owned(), digest)]));
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(metadata::lasting(spec, workload)),
            annotations,
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(workload.name.clone()),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            dns_config: Some(whole_names_first()),
            termination_grace_period_seconds: Some(workload.grace.into()),
            security_context: Some(pod_security()),
            affinity: Some(placement::affinity(spec, workload)),
            topology_spread_constraints: Some(vec![placement::zones(spec, workload)]),
            tolerations: placement::tolerations(workload),
            containers: vec![container(workload, images)],
            volumes: some(volumes(workload)),
            ..PodSpec::default()
        }),
    }
}

/// By default a name with fewer than five dots is first looked for below each of three domains, for both kinds of address: six
/// questions in vain for each connection to one of ours, which are whole names with four dots.
fn whole_names_first() -> PodDNSConfig {
    let dots = PodDNSConfigOption {
        name: Some("ndots".to_owned()),
        value: Some("2".to_owned()),
    };
    PodDNSConfig {
        options: Some(vec![dots]),
        ..PodDNSConfig::default()
    }
}

fn container(workload: &Workload, images: &Images) -> Container {
    let ports = workload.ports.iter().map(|port| ContainerPort {
        name: Some(port.name.clone()),
        container_port: port.number.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    });
    let works_in_run = workload.scratch.iter().any(|scratch| scratch.path == RUN_DIR);
    Container {
        name: workload.name.clone(),
        image: Some(images.reference(&workload.image)),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(workload.command.clone()),
        working_dir: works_in_run.then(|| RUN_DIR.to_owned()),
        env: Some(environment(workload)),
        ports: some(ports.collect()),
        startup_probe: Some(probes::probe(&workload.probes.startup)),
        readiness_probe: Some(probes::probe(&workload.probes.readiness)),
        liveness_probe: Some(probes::probe(&workload.probes.liveness)),
        lifecycle: Some(probes::lifecycle(workload)),
        resources: Some(ResourceRequirements {
            requests: Some(amounts(workload.sizes.requests)),
            limits: Some(amounts(workload.sizes.limits)),
            claims: None,
        }),
        security_context: Some(container_security()),
        volume_mounts: some(mounts(workload)),
        ..Container::default()
    }
}

fn environment(workload: &Workload) -> Vec<EnvVar> {
    let variable = |name: &str, value: &str| EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    };
    let mut all = vec![
        EnvVar {
            name: MEMBER_VARIABLE.to_owned(),
            value: None,
            value_from: Some(EnvVarSource {
                field_ref: Some(ObjectFieldSelector {
                    api_version: Some("v1".to_owned()),
                    field_path: "metadata.name".to_owned(),
                }),
                ..EnvVarSource::default()
            }),
        },
        variable("LANG", "C.UTF-8"),
        variable("TZ", "UTC"),
    ];
    all.extend(workload.env.iter().map(|(name, value)| variable(name, value)));
    all
}

fn amounts(amounts: Amounts) -> BTreeMap<String, Quantity> {
    BTreeMap::from([
        ("cpu".to_owned(), quantity::millicores(amounts.cpu.into())),
        ("memory".to_owned(), quantity::bytes(amounts.memory)),
        ("ephemeral-storage".to_owned(), quantity::bytes(amounts.ephemeral)),
    ])
}

fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        // A large volume is not gone through on every start.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(runtime_default()),
        ..PodSecurityContext::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        allow_privilege_escalation: Some(false),
        privileged: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        seccomp_profile: Some(runtime_default()),
        ..SecurityContext::default()
    }
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile {
        type_: "RuntimeDefault".to_owned(),
        localhost_profile: None,
    }
}

fn mounts(workload: &Workload) -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    let mut all = Vec::new();
    if config_map::name(workload).is_some() {
        all.push(mount("config", CONFIG_DIR, true));
    }
    if workload.secret.is_some() {
        all.push(mount("secrets", SECRETS_DIR, true));
    }
    if workload.volume().is_some() {
        all.push(mount(DATA_VOLUME, DATA_DIR, false));
    }
    all.extend(
        workload
            .scratch
            .iter()
            .map(|scratch| mount(scratch.name, scratch.path, false)),
    );
    all
}

/// All but the data volume, which a StatefulSet adds.
fn volumes(workload: &Workload) -> Vec<Volume> {
    let mut all = Vec::new();
    if let Some(name) = config_map::name(workload) {
        all.push(Volume {
            name: "config".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name,
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    if let Some(secret) = &workload.secret {
        all.push(Volume {
            name: "secrets".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(secret.clone()),
                default_mode: Some(SECRET_MODE),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    all.extend(workload.scratch.iter().map(|scratch| Volume {
        name: scratch.name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: scratch.memory.then(|| "Memory".to_owned()),
            size_limit: Some(quantity::bytes(scratch.size.bytes())),
        }),
        ..Volume::default()
    }));
    all
}

/// A list that is left out when it is empty.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
