//! The issuer's published keys: fetched ahead of need, and at once when a token names an unknown one.

use std::time::Duration;

use anyhow::{Context, bail};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::JwkSet;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::TokenVerifier;
use crate::Client;
use crate::backoff::Backoff;
use crate::config::{CallsConfig, IdentityConfig};

/// Strangers can make up key ids: however many do, the issuer is asked at most this often.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a request with an unknown key waits for such a fetch.
const WAIT: Duration = Duration::from_secs(2);
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The issuer, and when it was asked last.
pub(super) struct Remote {
    config: IdentityConfig,
    client: Client,
    last: Mutex<Option<Instant>>,
}

impl Remote {
    pub(super) fn new(config: &IdentityConfig, calls: &CallsConfig) -> anyhow::Result<Self> {
        Ok(Self {
            config: config.clone(),
            client: Client::new("identity", &config.jwks_url, calls)?,
            last: Mutex::new(None),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Fetches for ever. Keys stay in use when a later fetch fails.
    pub(super) async fn keep_keys(&self, verifier: &TokenVerifier) {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        loop {
            let pause = if self.update(verifier, &mut *self.last.lock().await).await {
                backoff.reset();
                self.config.refresh
            } else {
                backoff.next_pause().min(self.config.refresh)
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Fetches for a token with an unknown key, unless that was done a moment ago.
    pub(super) async fn fetch_for_unknown(&self, verifier: &TokenVerifier) {
        let fetching = async {
            let mut last = self.last.lock().await;
            if last.is_none_or(|last| last.elapsed() >= PATIENCE) {
                self.update(verifier, &mut last).await;
            }
        };
        // A fetch that takes longer is given up: the request is refused, and the background one goes on.
        let _ = timeout(WAIT, fetching).await;
    }

    async fn update(&self, verifier: &TokenVerifier, last: &mut Option<Instant>) -> bool {
        *last = Some(Instant::now());
        let state = &verifier.inner.state;
        match fetch(&self.client)
            .await
            .with_context(|| format!("cannot fetch {}", self.config.jwks_url))
        {
            Ok(keys) => {
                verifier.set_keys(keys);
                state.set_up();
                true
            }
            Err(error) => {
                state.set_down(&format!("{error:#}"));
                false
            }
        }
    }
}

async fn fetch(client: &Client) -> anyhow::Result<Vec<(String, DecodingKey)>> {
    let answer = client.get("").send().await?.success()?;
    let set: JwkSet = answer.json().context("not a set of keys")?;
    let mut keys = Vec::new();
    for jwk in &set.keys {
        // Keys of other kinds are for others.
        if let (Some(kid), Ok(key)) = (&jwk.common.key_id, DecodingKey::from_jwk(jwk))
            && matches!(jwk.algorithm, jsonwebtoken::jwk::AlgorithmParameters::EllipticCurve(_))
        {
            keys.push((kid.clone(), key));
        }
    }
    if keys.is_empty() {
        bail!("no ES256 key");
    }
    Ok(keys)
}
