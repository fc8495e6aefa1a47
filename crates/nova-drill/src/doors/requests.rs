//! Reading requests to a service through the gateway, which repeats them where that is harmless. The client does not: a
//! request that fails here has failed for a user.

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Client, Door, DoorError, Site, http};
use crate::judge::Found;
use crate::record::Outcome;
use crate::store::Store;

/// See the module.
pub(super) struct Requests {
    url: String,
}

impl Requests {
    pub(super) fn new(service: &str, site: &Site<'_>) -> Result<Self, DoorError> {
        let endpoints = site.endpoints.services.get(service);
        let gateway = endpoints
            .ok_or_else(|| DoorError::NoService {
                service: service.to_owned(),
            })?
            .gateway
            .as_ref()
            .ok_or_else(|| DoorError::NotPublic {
                service: service.to_owned(),
            })?;
        // Every service has the one, and auth-service's users fetch the other before anything else.
        let path = match service {
            "auth-service" => "/.well-known/jwks.json",
            _ => "/openapi.json",
        };
        Ok(Self {
            url: format!("http://{gateway}{path}"),
        })
    }
}

impl Door for Requests {
    fn store(&self) -> Store {
        Store::Requests
    }

    fn prepare(&self, _: u32, _: u16) -> BoxFuture<'_, Result<(), DoorError>> {
        async { Ok(()) }.boxed()
    }

    fn client(&self, _: u32, _: u16) -> Result<Box<dyn Client>, DoorError> {
        Ok(Box::new(Reader {
            http: http()?,
            url: self.url.clone(),
        }))
    }

    fn found(&self, _: u32, _: u16) -> BoxFuture<'_, Result<Option<Found>, DoorError>> {
        async { Ok(None) }.boxed()
    }

    fn remove(&self, _: u32, _: u16) -> BoxFuture<'_, Result<(), DoorError>> {
        async { Ok(()) }.boxed()
    }

    fn leave(&self) -> BoxFuture<'_, Result<(), DoorError>> {
        async { Ok(()) }.boxed()
    }
}

struct Reader {
    http: reqwest::Client,
    url: String,
}

impl Client for Reader {
    fn write(&mut self, _: u64) -> BoxFuture<'_, Outcome> {
        async move {
            let answer = self.http.get(&self.url).send().await;
            let whole = match answer {
                Ok(answer) if answer.status().is_success() => answer.bytes().await.is_ok(),
                Ok(_) | Err(_) => false,
            };
            if whole { Outcome::Acknowledged } else { Outcome::Failed }
        }
        .boxed()
    }
}
