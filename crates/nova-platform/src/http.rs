//! Small HTTP exchanges with members: bounded in size, no proxy, errors in one line with the root cause.

use reqwest::{Client, Method, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::endpoints::HostPort;
use crate::explained::root_cause;

/// A larger answer than this is nothing that a check waits for.
const LARGEST_ANSWER: usize = 8 << 20;
/// Characters of an unexpected answer that an error shows.
const SHOWN: usize = 200;

/// Keeps one idle connection a member.
#[derive(Clone)]
pub(crate) struct Http(Client);

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    asked: String,
}

impl Http {
    pub(crate) fn new() -> Self {
        let client = Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(1)
            .redirect(reqwest::redirect::Policy::none());
        // Only a TLS backend could fail to initialise, and there is none.
        Self(client.build().unwrap_or_default())
    }

    pub(crate) async fn get(&self, address: &HostPort, path: &str) -> Result<Answer, String> {
        send("GET", address, path, self.0.get(format!("http://{address}{path}"))).await
    }

    pub(crate) async fn post(&self, address: &HostPort, path: &str, body: &Value) -> Result<Answer, String> {
        send(
            "POST",
            address,
            path,
            self.0.post(format!("http://{address}{path}")).json(body),
        )
        .await
    }
}

impl Http {
    pub(crate) async fn patch(
        &self,
        address: &HostPort,
        path: &str,
        body: &Value,
        login: (&str, &str),
    ) -> Result<Answer, String> {
        self.send_as(Method::PATCH, address, path, body, login).await
    }

    pub(crate) async fn post_as(
        &self,
        address: &HostPort,
        path: &str,
        body: &Value,
        login: (&str, &str),
    ) -> Result<Answer, String> {
        self.send_as(Method::POST, address, path, body, login).await
    }

    async fn send_as(
        &self,
        method: Method,
        address: &HostPort,
        path: &str,
        body: &Value,
        (user, password): (&str, &str),
    ) -> Result<Answer, String> {
        let request = self
            .0
            .request(method.clone(), format!("http://{address}{path}"))
            .basic_auth(user, Some(password))
            .json(body);
        send(method.as_str(), address, path, request).await
    }
}

impl Answer {
    /// The body as JSON, if the status is 200.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        if self.status != 200 {
            return Err(self.unexpected());
        }
        serde_json::from_str(&self.body)
            .map_err(|error| format!("{} answered what is not understood: {error}", self.asked))
    }

    /// Says what came back instead of what was expected.
    pub(crate) fn unexpected(&self) -> String {
        match shown(&self.body) {
            body if body.is_empty() => format!("{} answered {}", self.asked, self.status),
            body => format!("{} answered {}: {body}", self.asked, self.status),
        }
    }
}

async fn send(method: &str, address: &HostPort, path: &str, request: RequestBuilder) -> Result<Answer, String> {
    let asked = format!("{method} http://{address}{path}");
    let failed = |error: reqwest::Error| format!("{asked}: {}", root_cause(&error));
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(format!("{asked}: the answer is larger than {LARGEST_ANSWER} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
        asked,
    })
}

/// The begin of a text on one line.
fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn long_answers_are_cut_between_characters() {
        assert_eq!(shown("a\n  b\t"), "a b");
        let cut = shown(&"ä".repeat(300));
        assert_eq!(cut.chars().count(), 203);
    }
}
