//! Follows the key file: what is written there takes effect within seconds, without a restart.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use nova_service::TokenVerifier;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{KeyRing, Timing};

/// The ring in force, and the file that it comes from.
#[derive(Clone)]
pub struct KeyFile {
    path: PathBuf,
    timing: Timing,
    verifier: TokenVerifier,
    ring: watch::Sender<Arc<KeyRing>>,
}

impl KeyFile {
    /// Reads the file for the first time. A service that cannot sign is of no use, so this may fail.
    pub fn open(path: PathBuf, timing: Timing, verifier: TokenVerifier) -> anyhow::Result<Self> {
        let content = std::fs::read(&path).with_context(|| {
            format!(
                "cannot read the signing keys {} (NOVA_AUTH_SIGNING_KEYS_FILE)",
                path.display()
            )
        })?;
        let ring = KeyRing::parse(&content, timing).with_context(|| format!("in {}", path.display()))?;
        let file = Self {
            path,
            timing,
            verifier,
            ring: watch::Sender::new(Arc::new(ring)),
        };
        file.renew_verifier()?;
        Ok(file)
    }

    /// The ring in force.
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.borrow().clone()
    }

    /// Lets our own verifier take what the published keys signed, and nothing else: a key is retired by time alone, also while
    /// nobody changes the file.
    fn renew_verifier(&self) -> anyhow::Result<()> {
        let keys = self.ring().decoding_keys(OffsetDateTime::now_utc())?;
        self.verifier.set_keys(keys);
        Ok(())
    }

    /// Reads the file again and again. Content that makes no sense leaves the ring in force as it is: a slip of the hand
    /// must not log everyone out.
    pub async fn follow(self, every: Duration) {
        let mut last_problem = String::new();
        loop {
            tokio::time::sleep(every).await;
            match self.reload().await {
                Ok(true) => {
                    let kids: Vec<_> = self.ring().keys().map(|key| key.kid().to_owned()).collect();
                    tracing::info!(?kids, "signing keys changed");
                    last_problem.clear();
                }
                Ok(false) => last_problem.clear(),
                Err(error) => {
                    let problem = format!("{error:#}");
                    if problem != last_problem {
                        tracing::error!(error = %problem, "signing keys not reloaded, the old ones stay in force");
                        last_problem = problem;
                    }
                }
            }
        }
    }

    async fn reload(&self) -> anyhow::Result<bool> {
        let content = match tokio::fs::read(&self.path).await {
            Ok(content) => content,
            Err(error) => {
                // Keys are retired in any case.
                self.renew_verifier()?;
                return Err(error).with_context(|| format!("cannot read {}", self.path.display()));
            }
        };
        if self.ring().is_from(&content) {
            self.renew_verifier()?;
            return Ok(false);
        }
        let ring = KeyRing::parse(&content, self.timing).with_context(|| format!("in {}", self.path.display()))?;
        self.ring.send_replace(Arc::new(ring));
        self.renew_verifier()?;
        Ok(true)
    }
}
