//! Stand-in for the chassis's client, of the same shape.
#![allow(missing_docs, reason = "a stand-in")]

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::config::CallsConfig;
use crate::http::Problem;

#[derive(Clone, Debug)]
pub struct Client {
    dependency: &'static str,
    base: String,
    timeout: Duration,
    inner: reqwest::Client,
}

pub struct CallBuilder {
    dependency: &'static str,
    request: reqwest::RequestBuilder,
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    dependency: &'static str,
}

#[derive(Debug, Error)]
pub enum CallError {
    #[error("{dependency} failed")]
    Failed {
        dependency: &'static str,
        #[source]
        source: reqwest::Error,
    },
    #[error("{dependency} answered {status}")]
    Status {
        dependency: &'static str,
        status: StatusCode,
    },
    #[error("{dependency} answered nonsense")]
    Body {
        dependency: &'static str,
        #[source]
        source: serde_json::Error,
    },
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Failed { dependency, .. }
            | CallError::Status { dependency, .. }
            | CallError::Body { dependency, .. } => Self::dependency_unavailable(dependency),
        }
    }
}

impl Client {
    pub fn new(dependency: &'static str, base_url: &str, settings: &CallsConfig) -> anyhow::Result<Self> {
        let inner = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(1))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            dependency,
            base: base_url.trim_end_matches('/').to_owned(),
            timeout: settings.timeout,
            inner,
        })
    }

    pub fn get(&self, path: &str) -> CallBuilder {
        self.call(Method::GET, path)
    }

    pub fn put(&self, path: &str) -> CallBuilder {
        self.call(Method::PUT, path)
    }

    pub fn post(&self, path: &str) -> CallBuilder {
        self.call(Method::POST, path)
    }

    pub fn delete(&self, path: &str) -> CallBuilder {
        self.call(Method::DELETE, path)
    }

    fn call(&self, method: Method, path: &str) -> CallBuilder {
        CallBuilder {
            dependency: self.dependency,
            request: self
                .inner
                .request(method, format!("{}{path}", self.base))
                .timeout(self.timeout),
        }
    }
}

impl CallBuilder {
    fn map(self, change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder) -> Self {
        Self {
            request: change(self.request),
            ..self
        }
    }

    pub fn bearer(self, token: &str) -> Self {
        self.map(|request| request.bearer_auth(token))
    }

    pub fn idempotency_key(self, key: &str) -> Self {
        self.map(|request| request.header("idempotency-key", key))
    }

    pub fn json<T: Serialize>(self, body: &T) -> Self {
        self.map(|request| request.json(body))
    }

    pub fn body(self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.map(|request| request.header(header::CONTENT_TYPE, content_type).body(body.into()))
    }

    pub fn header(self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => self.map(|request| request.header(name, value)),
            _ => self,
        }
    }

    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|request| request.timeout(timeout))
    }

    pub async fn send(self) -> Result<Answer, CallError> {
        let dependency = self.dependency;
        let failed = |source| CallError::Failed { dependency, source };
        let response = self.request.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(failed)?;
        Ok(Answer {
            status,
            headers,
            body,
            dependency,
        })
    }
}

impl Answer {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|source| CallError::Body {
            dependency: self.dependency,
            source,
        })
    }

    pub fn success(self) -> Result<Self, CallError> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(CallError::Status {
                dependency: self.dependency,
                status: self.status,
            })
        }
    }
}
