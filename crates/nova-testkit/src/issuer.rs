//! An issuer of tokens of accounts and services, with its published keys.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use nova_service::config::{CredentialsConfig, IdentityConfig, SecretFile};
use nova_service::{ACCESS_TOKEN_TYPE, AccessClaims, Audience, SERVICE_TOKEN_TYPE, Scope, ServiceClaims};
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use uuid::Uuid;

const AUDIENCE: &str = "nova";
/// Of a service's token, in seconds.
const SERVICE_TOKEN_LIFE: i64 = 300;
/// The secret of every service.
const CLIENT_SECRET: &str = "a service's secret, for tests only";

/// Signs tokens, and serves the keys to verify them and a token endpoint for services, while the test's runtime lives.
pub struct TestIssuer {
    signer: Arc<Signer>,
    public: Vec<u8>,
    published: Published,
}

struct Signer {
    url: String,
    kid: String,
    key: EncodingKey,
    service_tokens: AtomicU32,
}

/// The set of keys that is served; `None` answers 503.
type Published = Arc<Mutex<Option<Value>>>;

impl TestIssuer {
    /// Makes a key and serves it.
    pub async fn start() -> Self {
        Self::start_with(Router::new()).await
    }

    /// Likewise, and serves these routes beside it, as the auth-service of a test.
    pub async fn start_with(routes: Router) -> Self {
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
        let signer = Arc::new(Signer {
            url,
            kid,
            key: EncodingKey::from_ec_der(pkcs8.as_ref()),
            service_tokens: AtomicU32::new(0),
        });
        let keys = Router::new()
            .route("/.well-known/jwks.json", get(serve))
            .with_state(published.clone());
        let tokens = Router::new()
            .route("/api/v1/auth/token", post(give))
            .with_state(signer.clone());
        let router = routes.merge(keys).merge(tokens);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            signer,
            public,
            published,
        }
    }

    /// What a service is told to accept this issuer's tokens.
    pub fn config(&self) -> IdentityConfig {
        IdentityConfig {
            issuer: self.signer.url.clone(),
            audience: AUDIENCE.to_owned(),
            jwks_url: format!("{}/.well-known/jwks.json", self.signer.url),
            refresh: std::time::Duration::from_secs(30),
        }
    }

    /// What a service is told to get its own tokens here.
    pub fn credentials(&self) -> CredentialsConfig {
        CredentialsConfig {
            auth_service_url: self.signer.url.clone(),
            client_secret: SecretFile::from_text(CLIENT_SECRET),
        }
    }

    /// How many tokens services were given.
    pub fn service_tokens_given(&self) -> u32 {
        self.signer.service_tokens.load(Ordering::Relaxed)
    }

    /// The `iss` of the tokens.
    pub fn issuer(&self) -> &str {
        &self.signer.url
    }

    /// The key's id and the key, for a verifier that does not fetch.
    pub fn decoding_key(&self) -> (String, DecodingKey) {
        (self.signer.kid.clone(), DecodingKey::from_ec_der(&self.public))
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
        let keys = json!({ "keys": [jwk(&self.signer.kid, &self.public), jwk(&other.signer.kid, &other.public)] });
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
            iss: self.signer.url.clone(),
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

    /// A valid token of the service of this name, for `S`.
    pub fn service_token<S: Scope>(&self, name: &str) -> String {
        self.signer.service_token(name, S::AUDIENCE, S::NAME)
    }

    /// A service token whose claims the test has changed.
    pub fn service_token_with<S: Scope>(&self, name: &str, change: impl FnOnce(&mut ServiceClaims)) -> String {
        let mut claims = self.signer.service_claims(name, S::AUDIENCE, S::NAME);
        change(&mut claims);
        self.sign(&self.signer.service_header(), &claims)
    }

    /// The header of a valid token, for tests that change it.
    pub fn header(&self) -> Header {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(ACCESS_TOKEN_TYPE.to_owned());
        header.kid = Some(self.signer.kid.clone());
        header
    }

    /// Signs whatever the test wants signed.
    pub fn sign(&self, header: &Header, claims: &impl Serialize) -> String {
        encode(header, claims, &self.signer.key).expect("a token can be signed")
    }
}

impl Signer {
    fn service_header(&self) -> Header {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(SERVICE_TOKEN_TYPE.to_owned());
        header.kid = Some(self.kid.clone());
        header
    }

    fn service_claims(&self, name: &str, audience: &str, scope: &str) -> ServiceClaims {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        ServiceClaims {
            iss: self.url.clone(),
            aud: Audience::One(audience.to_owned()),
            scope: scope.to_owned(),
            sub: name.to_owned(),
            iat: now,
            exp: now + SERVICE_TOKEN_LIFE,
            jti: Uuid::now_v7(),
        }
    }

    fn service_token(&self, name: &str, audience: &str, scope: &str) -> String {
        let claims = self.service_claims(name, audience, scope);
        encode(&self.service_header(), &claims, &self.key).expect("a token can be signed")
    }
}

impl std::fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestIssuer")
            .field("url", &self.signer.url)
            .finish_non_exhaustive()
    }
}

async fn serve(State(published): State<Published>) -> Result<axum::Json<Value>, StatusCode> {
    let set = published.lock().unwrap_or_else(PoisonError::into_inner).clone();
    set.map(axum::Json).ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// The token endpoint: whoever knows the secret is whom it says it is.
async fn give(
    State(signer): State<Arc<Signer>>,
    headers: HeaderMap,
    body: String,
) -> Result<axum::Json<Value>, StatusCode> {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let decoded = basic
        .and_then(|text| text.strip_prefix("Basic "))
        .and_then(|text| BASE64_STANDARD.decode(text).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((name, CLIENT_SECRET)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
        return Err(StatusCode::UNAUTHORIZED);
    };
    let asked = body
        .strip_prefix("grant_type=client_credentials&audience=")
        .and_then(|rest| rest.split_once("&scope="));
    let Some((audience, scope)) = asked else {
        return Err(StatusCode::BAD_REQUEST);
    };
    signer.service_tokens.fetch_add(1, Ordering::Relaxed);
    let token = signer.service_token(name, audience, scope);
    Ok(axum::Json(
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": SERVICE_TOKEN_LIFE }),
    ))
}

/// An uncompressed point is 4, x, y.
fn jwk(kid: &str, public: &[u8]) -> Value {
    let (x, y) = public[1..].split_at(32);
    let text = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": text(x), "y": text(y) })
}
