//! The issuer's published keys: fetched ahead of need, and at once when a token names an unknown one.

use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::JwkSet;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::TokenVerifier;
use crate::backoff::Backoff;
use crate::config::IdentityConfig;
use crate::telemetry::context;

/// Strangers can make up key ids: however many do, the issuer is asked at most this often.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a request with an unknown key waits for such a fetch.
const WAIT: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(3);
const LARGEST: usize = 64 * 1024;
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The issuer, and when it was asked last.
pub(super) struct Remote {
    config: IdentityConfig,
    client: reqwest::Client,
    last: Mutex<Option<Instant>>,
}

impl Remote {
    pub(super) fn new(config: &IdentityConfig) -> Self {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(1))
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()
            .unwrap_or_default();
        Self {
            config: config.clone(),
            client,
            last: Mutex::new(None),
        }
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
        let fetched = match timeout(DEADLINE, fetch(&self.client, &self.config.jwks_url)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(anyhow!("{} did not answer in time", self.config.jwks_url)),
        };
        let state = &verifier.inner.state;
        match fetched {
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

async fn fetch(client: &reqwest::Client, url: &str) -> anyhow::Result<Vec<(String, DecodingKey)>> {
    let mut headers = axum::http::HeaderMap::new();
    context::inject(&mut headers);
    let mut response = client
        .get(url)
        .headers(headers)
        .send()
        .await
        .with_context(|| format!("cannot fetch {url}"))?;
    ensure!(response.status().is_success(), "{url} answered {}", response.status());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.with_context(|| format!("cannot read {url}"))? {
        ensure!(
            body.len() + chunk.len() <= LARGEST,
            "{url} is larger than {LARGEST} bytes"
        );
        body.extend_from_slice(&chunk);
    }
    let set: JwkSet = serde_json::from_slice(&body).with_context(|| format!("{url} is not a set of keys"))?;
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
        bail!("{url} holds no ES256 key");
    }
    Ok(keys)
}
