//! Clients in this process.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use nova_platform::components::ComponentId;

use super::{Clients, ClientsError, Outcomes, Request, Run, SETTLED, WARM_UP, WRITE_AGAIN};
use crate::doors::{self, Door, Site};
use crate::ledger::Ledger;
use crate::load::{Load, Rate};
use crate::now_ms;
use crate::record::{Begin, Entry, Line, StoreReport};
use crate::store::Store;
use crate::switchover;

/// See the module.
pub struct Here<'a> {
    site: &'a Site<'a>,
    ledger: &'a Ledger,
    /// Of the run that is under way.
    opened: Mutex<Option<Opened>>,
}

#[derive(Clone)]
struct Opened {
    request: Request,
    doors: Vec<Arc<dyn Door>>,
}

struct Writing<'a> {
    here: &'a Here<'a>,
    opened: Opened,
    load: Load,
    at: u64,
}

impl<'a> Here<'a> {
    /// They write to this platform, and into this ledger.
    #[must_use]
    pub fn new(site: &'a Site<'a>, ledger: &'a Ledger) -> Self {
        Self {
            site,
            ledger,
            opened: Mutex::default(),
        }
    }

    fn note(&self, opened: Option<Opened>) -> Option<Opened> {
        let mut noted = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *noted, opened)
    }

    async fn try_start(&self, request: Request) -> Result<Writing<'_>, ClientsError> {
        let open = |store: &Store| doors::open(*store, &request.service, self.site);
        let doors: Vec<Arc<dyn Door>> = request.stores.iter().map(open).collect::<Result<_, _>>()?;
        let rate = Rate {
            writers: request.writers,
            per_second: request.rate,
        };
        let opened = Opened { request, doors };
        self.note(Some(opened.clone()));
        for door in &opened.doors {
            door.prepare(opened.request.run, opened.request.writers).await?;
        }
        let load = Load::start(opened.request.run, &opened.doors, rate, self.ledger)?;
        load.progress(SETTLED, WARM_UP).await?;
        Ok(Writing {
            here: self,
            opened,
            load,
            at: now_ms(),
        })
    }
}

impl Clients for Here<'_> {
    fn start(&self, request: Request) -> BoxFuture<'_, Result<Box<dyn Run + '_>, ClientsError>> {
        async move {
            let writing = self.try_start(request).await?;
            Ok(Box::new(writing) as Box<dyn Run + '_>)
        }
        .boxed()
    }

    fn tidy(&self) -> BoxFuture<'_, Vec<String>> {
        async move {
            match self.note(None) {
                Some(opened) => opened.remove().await,
                None => Vec::new(),
            }
        }
        .boxed()
    }
}

impl Opened {
    /// Removes what was written; what stays is told.
    async fn remove(&self) -> Vec<String> {
        let mut stays = Vec::new();
        for door in &self.doors {
            let removed = door.remove(self.request.run, self.request.writers).await;
            let left = door.leave().await;
            // Nothing of it does harm.
            stays.extend(removed.and(left).err().map(|error| error.to_string()));
        }
        stays
    }
}

impl Run for Writing<'_> {
    fn begin(&mut self, begin: Begin) -> BoxFuture<'_, Result<u64, ClientsError>> {
        async move {
            self.at = now_ms();
            let begin = Begin { at: self.at, ..begin };
            self.here.ledger.append(Line::Begin { begin });
            let ledger = self.here.ledger.clone();
            // Whoever judges a drill that was killed must know whom it had hit.
            let flushed = tokio::task::spawn_blocking(move || ledger.flush()).await;
            flushed.map_err(ClientsError::Flush)??;
            Ok(self.at)
        }
        .boxed()
    }

    fn switch(&mut self, component: &ComponentId, leader: &str) -> BoxFuture<'_, Result<(), ClientsError>> {
        let (component, leader) = (component.clone(), leader.to_owned());
        async move { Ok(switchover::ask(&component, &leader, self.here.site).await?) }.boxed()
    }

    fn again(&mut self) -> BoxFuture<'_, Result<(), ClientsError>> {
        async move { Ok(self.load.progress(SETTLED, WRITE_AGAIN).await?) }.boxed()
    }

    fn end<'a>(self: Box<Self>) -> BoxFuture<'a, Result<Outcomes, ClientsError>>
    where
        Self: 'a,
    {
        async move {
            let Self { here, opened, load, at } = *self;
            let entries = load.end().await?;
            let mut stores = Vec::new();
            for door in &opened.doors {
                let found = door.found(opened.request.run, opened.request.writers).await?;
                let of_store: Vec<&Entry> = entries.iter().filter(|entry| entry.store == door.store()).collect();
                stores.push(StoreReport::of(door.store(), &of_store, found.as_ref(), at));
            }
            let stays = opened.remove().await;
            here.note(None);
            Ok(Outcomes { entries, stores, stays })
        }
        .boxed()
    }
}
