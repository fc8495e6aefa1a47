//! An issuer of access tokens, with its published keys.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use nova_service::config::IdentityConfig;
use nova_service::{ACCESS_TOKEN_TYPE, AccessClaims, Audience};
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use uuid::Uuid;

const AUDIENCE: &str = "nova";

/// Signs tokens and serves the keys to verify them, while the test's runtime lives.
pub struct TestIssuer {
    url: String,
    kid: String,
    key: EncodingKey,
    public: Vec<u8>,
    published: Published,
}

/// The set of keys that is served; `None` answers 503.
type Published = Arc<Mutex<Option<Value>>>;

impl TestIssuer {
    /// Makes a key and serves it.
    pub async fn start() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key can be made");
        let pkcs8 = pair.to_pkcs8v1().expect("a key can be written");
        let public = pair.public_key().as_ref().to_vec();
        let kid = Uuid::new_v4().to_string();
        let set = json!({ "keys": [jwk(&kid, &public)] });
        let published: Published = Arc::new(Mutex::new(Some(set)));
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("no free port on 127.0.0.1");
        let url = format!(
            "http://{}",
            listener.local_addr().expect("a bound socket has an address")
        );
        let router = Router::new()
            .route("/.well-known/jwks.json", get(serve))
            .with_state(published.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            kid,
            key: EncodingKey::from_ec_der(pkcs8.as_ref()),
            public,
            published,
        }
    }

    /// What a service is told to accept this issuer's tokens.
    pub fn config(&self) -> IdentityConfig {
        IdentityConfig {
            issuer: self.url.clone(),
            audience: AUDIENCE.to_owned(),
            jwks_url: format!("{}/.well-known/jwks.json", self.url),
            refresh: std::time::Duration::from_secs(30),
        }
    }

    /// The `iss` of the tokens.
    pub fn issuer(&self) -> &str {
        &self.url
    }

    /// The key's id and the key, for a verifier that does not fetch.
    pub fn decoding_key(&self) -> (String, DecodingKey) {
        (self.kid.clone(), DecodingKey::from_ec_der(&self.public))
    }

    /// The public key as an uncompressed point.
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// Stops answering, as if the issuer were down.
    pub fn go_down(&self) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Publishes this and another issuer's key instead, as a rotation does.
    pub fn publish_also(&self, other: &Self) {
        let keys = json!({ "keys": [jwk(&self.kid, &self.public), jwk(&other.kid, &other.public)] });
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }

    /// A valid token of a new session of this account.
    pub fn token(&self, account: Uuid) -> String {
        self.token_with(account, |_| {})
    }

    /// A token whose claims the test has changed.
    pub fn token_with(&self, account: Uuid, change: impl FnOnce(&mut AccessClaims)) -> String {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let mut claims = AccessClaims {
            iss: self.url.clone(),
            aud: Audience::One(AUDIENCE.to_owned()),
            sub: account,
            sid: Uuid::now_v7(),
            iat: now,
            exp: now + 900,
            jti: Uuid::now_v7(),
        };
        change(&mut claims);
        self.sign(&self.header(), &claims)
    }

    /// The header of a valid token, for tests that change it.
    pub fn header(&self) -> Header {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(ACCESS_TOKEN_TYPE.to_owned());
        header.kid = Some(self.kid.clone());
        header
    }

    /// Signs whatever the test wants signed.
    pub fn sign(&self, header: &Header, claims: &impl Serialize) -> String {
        encode(header, claims, &self.key).expect("a token can be signed")
    }
}

impl std::fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestIssuer")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

async fn serve(State(published): State<Published>) -> Result<axum::Json<Value>, axum::http::StatusCode> {
    let set = published.lock().unwrap_or_else(PoisonError::into_inner).clone();
    set.map(axum::Json).ok_or(axum::http::StatusCode::SERVICE_UNAVAILABLE)
}

/// An uncompressed point is 4, x, y.
fn jwk(kid: &str, public: &[u8]) -> Value {
    let (x, y) = public[1..].split_at(32);
    let text = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": text(x), "y": text(y) })
}
