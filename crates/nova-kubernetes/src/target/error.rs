//! Why the cluster did not do what was asked, in words a person can act on.

use kube::core::Status;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// There is no way to any cluster.
    #[error("cannot read the kubeconfig: {0}; set KUBECONFIG, or create a cluster first (`kind create cluster`)")]
    Kubeconfig(String),
    /// The named context does not exist.
    #[error("the kubeconfig has no context {wanted:?}: it has {known}; set [kubernetes] context")]
    Context {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The API server did not answer at all.
    #[error(
        "the API server {server} (context {context}) does not answer: {why}; is the cluster running, and this the right context?"
    )]
    Silent {
        /// Its URL.
        server: String,
        /// The context that names it.
        context: String,
        /// What happened.
        why: String,
    },
    /// The user may not do that.
    #[error("no permission to {action} {object}: {why}; ask whoever runs the cluster, or use another user")]
    Forbidden {
        /// Such as "list".
        action: &'static str,
        /// Such as "the nodes".
        object: String,
        /// The API server's words.
        why: String,
    },
    /// A request was refused.
    #[error("cannot {action} {object}: {why}")]
    Api {
        /// Such as "apply".
        action: &'static str,
        /// Such as "StatefulSet nova-redis/redis".
        object: String,
        /// The API server's words.
        why: String,
    },
    /// etcd would have fewer members.
    #[error(
        "etcd has {live} members in the cluster and {wanted} in nova.toml: on Kubernetes its members cannot leave yet, and without that those \
         that stay would wait for them with their votes. Nothing was changed; set [etcd] members to {live} again"
    )]
    EtcdShrinks {
        /// Pods that there are.
        live: u64,
        /// Pods that there would be.
        wanted: u64,
    },
    /// Someone else owns fields that the description sets.
    #[error("cannot apply {object}: {conflict}")]
    Conflict {
        /// Which object.
        object: String,
        /// Which fields, whose they are, and the two ways out.
        conflict: String,
    },
    /// A namespace of this name is somebody else's.
    #[error(
        "the namespace {namespace} exists and is not Nova's platform {platform}: nothing was applied; \
         give the platform another name ([platform] name), or delete the namespace"
    )]
    Foreign {
        /// Which one.
        namespace: String,
        /// Our platform.
        platform: String,
    },
    /// Another command works on the platform.
    #[error(
        "{holder} works on this platform (since {since}): wait until it ends; \
         if it died, its lock ends by itself within 20 s and `./nova deploy` goes on"
    )]
    Locked {
        /// Who.
        holder: String,
        /// Since when.
        since: String,
    },
    /// Our lock was taken over.
    #[error("the lock of this deploy was lost to {0}: nothing more is applied; run `./nova deploy` again")]
    LockLost(String),
    /// Data without its passwords.
    #[error(
        "the volumes of platform {platform} are there ({example}) and their passwords are not: the Secret {secret} is gone. \
         New passwords would not open the old data: restore the Secret from a backup, or delete the data with `./nova cleanup --data`"
    )]
    SecretsLost {
        /// Which platform.
        platform: String,
        /// One of the volumes.
        example: String,
        /// The missing Secret.
        secret: String,
    },
    /// What the Secret holds cannot be used.
    #[error("the Secret {secret} cannot be used: {why}")]
    Secrets {
        /// Which one.
        secret: String,
        /// What is wrong with it.
        why: String,
    },
    /// The operator's own credentials.
    #[error("[kubernetes.credentials]: {0}")]
    Credentials(String),
    /// Nothing is there.
    #[error("nothing of platform {0} is in this cluster: `./nova deploy --target kubernetes` brings it up")]
    NotDeployed(String),
    /// No such member.
    #[error("platform {platform} has no member {member:?} in this cluster")]
    NoMember {
        /// Which platform.
        platform: String,
        /// What was asked for.
        member: String,
    },
    /// Not done by this target.
    #[error("cannot {0} on this target")]
    Unsupported(String),
    /// What nova keeps in the cluster is damaged.
    #[error("the inventory {0} is damaged: {1}; delete it and run `./nova deploy`, which writes it anew")]
    Inventory(String, String),
}

impl KubernetesError {
    /// A request that failed, about this object.
    pub(crate) fn api(action: &'static str, object: impl ToString, error: &kube::Error) -> Self {
        let (object, why) = (object.to_string(), explain(error));
        // Quotas and Pod Security refuse with the same status; only the authorizer names the user.
        if matches!(error, kube::Error::Api(status) if status.code == 403) && why.contains("is forbidden: User ") {
            return Self::Forbidden { action, object, why };
        }
        Self::Api { action, object, why }
    }
}

/// A client's error in the API server's own words, or with its causes when the server said nothing.
#[must_use]
pub fn explain(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return words(status);
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn words(status: &Status) -> String {
    if status.message.is_empty() {
        format!("{} ({})", status.reason, status.code)
    } else {
        status.message.clone()
    }
}
