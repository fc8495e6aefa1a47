//! One command at a time changes a platform: a Lease in the cluster, renewed while the command works. One whose holder died is
//! taken over when nobody renewed it for its whole duration.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{DeleteParams, PostParams, Preconditions};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{KubernetesError, KubernetesTarget};
use crate::names::{Area, MANAGER};

/// The Lease, in [`Area::System`].
const LEASE: &str = "nova-deploy";
/// Silence after which a holder counts as dead.
const DURATION: Duration = Duration::from_secs(15);
/// Pause between two renewals.
const RENEW: Duration = Duration::from_secs(4);
/// Pause between two looks at somebody else's lock.
const LOOK: Duration = Duration::from_secs(1);

/// Held while a command works on a platform; [`DeployLock::release`] it at the end.
pub struct DeployLock {
    api: Api<Lease>,
    uid: Option<String>,
    renewal: tokio::task::JoinHandle<()>,
    lost: CancellationToken,
}

impl DeployLock {
    /// Cancelled when somebody else took the lock over: nothing more may be changed then.
    #[must_use]
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Gives the lock back. When that fails it ends by itself.
    pub async fn release(self) {
        self.renewal.abort();
        if self.lost.is_cancelled() {
            return;
        }
        let mine = DeleteParams {
            preconditions: Some(Preconditions {
                uid: self.uid.clone(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        if let Err(error) = self.api.delete(LEASE, &mine).await {
            tracing::debug!(error = super::explain(&error), "the lock was not given back");
        }
    }
}

impl KubernetesTarget {
    /// Takes the lock of a platform; makes the namespace that it stands in when the platform is new. `what` names the command.
    ///
    /// # Errors
    /// When another command works on the platform, a namespace is not ours, or the API server refuses.
    pub async fn lock(&self, what: &str) -> Result<DeployLock, KubernetesError> {
        self.own_namespaces().await?;
        self.apply_namespace(Area::System).await?;
        self.take_lock(what).await
    }

    /// The same, for a platform that is there already.
    ///
    /// # Errors
    /// [`KubernetesError::NotDeployed`], and as [`KubernetesTarget::lock`].
    pub async fn lock_existing(&self, what: &str) -> Result<DeployLock, KubernetesError> {
        let lock = self.lock_if_there(what).await?;
        lock.ok_or_else(|| KubernetesError::NotDeployed(self.spec.platform.name.clone()))
    }

    /// The same; `None` where the namespace that the lock stands in is gone, as after a removal that left something behind.
    ///
    /// # Errors
    /// As [`KubernetesTarget::lock`].
    pub async fn lock_if_there(&self, what: &str) -> Result<Option<DeployLock>, KubernetesError> {
        if !self
            .own_namespaces()
            .await?
            .contains(&Area::System.namespace(&self.spec))
        {
            return Ok(None);
        }
        self.take_lock(what).await.map(Some)
    }

    async fn take_lock(&self, what: &str) -> Result<DeployLock, KubernetesError> {
        let namespace = Area::System.namespace(&self.spec);
        let object = format!("Lease {namespace}/{LEASE}");
        let api: Api<Lease> = Api::namespaced(self.client().clone(), &namespace);
        let failed = |error: &kube::Error| KubernetesError::api("lock", &object, error);
        let holder = holder(what);
        let mut wanted = Lease {
            metadata: ObjectMeta {
                name: Some(LEASE.to_owned()),
                labels: serde_json::from_value(self.labels(LEASE)).ok(),
                ..ObjectMeta::default()
            },
            spec: Some(spec(&holder, Timestamp::now())),
        };
        let mut watched: Option<(Option<String>, Instant)> = None;
        let lease = loop {
            wanted.metadata.resource_version = None;
            match api.create(&post(), &wanted).await {
                Ok(lease) => break lease,
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(failed(&error)),
            }
            let Some(other) = api.get_opt(LEASE).await.map_err(|error| failed(&error))? else {
                continue;
            };
            // Clocks differ between machines: the silence is measured here, by whether the object changes.
            let version = other.metadata.resource_version.clone();
            match &watched {
                Some((seen, since)) if *seen == version => {
                    if since.elapsed() >= DURATION {
                        wanted.metadata.resource_version = version;
                        match api.replace(LEASE, &post(), &wanted).await {
                            Ok(lease) => break lease,
                            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => watched = None,
                            Err(error) => return Err(failed(&error)),
                        }
                    }
                }
                Some(_) => return Err(locked(&other)),
                None => {
                    tracing::warn!("{}: waiting whether it still works", locked(&other));
                    watched = Some((version, Instant::now()));
                }
            }
            tokio::time::sleep(LOOK).await;
        };
        let lost = CancellationToken::new();
        Ok(DeployLock {
            renewal: tokio::spawn(renew(api.clone(), lease.clone(), lost.clone())),
            api,
            uid: lease.metadata.uid,
            lost,
        })
    }
}

/// Renews until it is ended, or finds the lock in other hands.
async fn renew(api: Api<Lease>, mut lease: Lease, lost: CancellationToken) {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(RENEW).await;
        if let Some(spec) = &mut lease.spec {
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match api.replace(LEASE, &post(), &lease).await {
            Ok(written) => {
                lease = written;
                renewed = Instant::now();
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => break,
            // The API server may be away for a moment.
            Err(_) if renewed.elapsed() < DURATION => {}
            Err(_) => break,
        }
    }
    lost.cancel();
}

fn post() -> PostParams {
    PostParams {
        dry_run: false,
        field_manager: Some(MANAGER.to_owned()),
    }
}

fn spec(holder: &str, now: Timestamp) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        acquire_time: Some(MicroTime(now)),
        renew_time: Some(MicroTime(now)),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        ..LeaseSpec::default()
    }
}

fn locked(lease: &Lease) -> KubernetesError {
    let spec = lease.spec.clone().unwrap_or_default();
    KubernetesError::Locked {
        holder: spec.holder_identity.unwrap_or_else(|| "somebody".to_owned()),
        since: spec
            .acquire_time
            .map_or_else(|| "an unknown time".to_owned(), |time| time.0.to_string()),
    }
}

/// "nova deploy on laptop (process 4711)".
fn holder(what: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() {
        "an unnamed machine"
    } else {
        host.trim()
    };
    format!("nova {what} on {host} (process {})", std::process::id())
}
