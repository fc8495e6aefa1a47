//! What is said to clients that run elsewhere, and what they answer: a line of JSON each. Between the answers come the lines of
//! their ledger.

use std::time::Duration;

use nova_platform::components::ComponentId;
use nova_platform::explained::explained;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{Clients, ClientsError, Outcomes, Request, Stuck};
use crate::record::{Begin, Line, StoreReport};
use crate::store::Store;

/// What clients are asked for, after the [`Request`] that they begin with. The end of what is said gives the run up, as
/// [`Order::GiveUp`] does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// See [`super::Run::begin`].
    Begin(Begin),
    /// See [`super::Run::switch`].
    Switch {
        /// Whose leader.
        component: ComponentId,
        /// Who leads now.
        leader: String,
    },
    /// See [`super::Run::again`].
    Again,
    /// See [`super::Run::end`].
    End,
    /// See [`super::Clients::tidy`]; nothing is answered any more.
    GiveUp,
}

/// What clients answer to each of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Every client writes; also the answer to the request.
    Done,
    /// The fault begins, in Unix milliseconds.
    Begun(u64),
    /// What came of the run. The entries are in the ledger.
    Ended {
        /// See [`Outcomes::stores`].
        stores: Vec<StoreReport>,
        /// See [`Outcomes::stays`].
        stays: Vec<String>,
    },
    /// Not every client of these stores was acknowledged in time.
    Stuck {
        /// See [`Stuck::stores`].
        stores: Vec<Store>,
        /// See [`Stuck::within`], in seconds.
        seconds: u64,
    },
    /// It could not be done.
    Failed(String),
}

impl From<ClientsError> for Answer {
    fn from(error: ClientsError) -> Self {
        match error {
            ClientsError::Stuck(Stuck { stores, within }) => Self::Stuck {
                stores,
                seconds: within.as_secs(),
            },
            other => Self::Failed(explained(&other)),
        }
    }
}

impl Answer {
    /// What was done; or why it was not, as the clients there know it.
    ///
    /// # Errors
    /// When it was not done.
    pub fn done(self) -> Result<Self, ClientsError> {
        match self {
            Self::Stuck { stores, seconds } => Err(ClientsError::Stuck(Stuck {
                stores,
                within: Duration::from_secs(seconds),
            })),
            Self::Failed(why) => Err(ClientsError::Told(why)),
            Self::Done | Self::Begun(_) | Self::Ended { .. } => Ok(self),
        }
    }
}

/// A line that clients say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Said {
    /// An answer.
    Answer {
        /// To the order before it.
        answer: Box<Answer>,
    },
    /// A line of the ledger.
    Line(Line),
}

/// Serves a run: starts the clients, does what is ordered, and answers. A run whose orders end before their last one is given up.
///
/// # Errors
/// When an answer cannot be said.
pub async fn serve<E>(
    clients: &dyn Clients,
    request: Request,
    orders: &mut mpsc::Receiver<Order>,
    mut say: impl FnMut(Answer) -> Result<(), E> + Send,
) -> Result<(), E> {
    let served = async {
        let Some(started) = unless_given_up(orders, clients.start(request)).await else {
            return Ok(());
        };
        let mut run = match started {
            Ok(run) => run,
            Err(why) => return say(why.into()),
        };
        say(Answer::Done)?;
        while let Some(order) = orders.recv().await {
            let done = match order {
                Order::Begin(begin) => {
                    let begun = unless_given_up(orders, run.begin(begin)).await;
                    begun.map(|begun| begun.map(Answer::Begun))
                }
                Order::Switch { component, leader } => {
                    let switched = unless_given_up(orders, run.switch(&component, &leader)).await;
                    switched.map(|switched| switched.map(|()| Answer::Done))
                }
                Order::Again => {
                    let again = unless_given_up(orders, run.again()).await;
                    again.map(|again| again.map(|()| Answer::Done))
                }
                Order::End => {
                    let ended = run.end().await.map(|outcomes| {
                        let Outcomes { stores, stays, .. } = outcomes;
                        Answer::Ended { stores, stays }
                    });
                    return say(ended.unwrap_or_else(Answer::from));
                }
                Order::GiveUp => break,
            };
            match done {
                Some(answer) => say(answer.unwrap_or_else(Answer::from))?,
                None => break,
            }
        }
        Ok(())
    };
    let served = served.await;
    clients.tidy().await;
    served
}

/// `None` when the orders end meanwhile, or one comes before its turn.
async fn unless_given_up<T>(orders: &mut mpsc::Receiver<Order>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        _ = orders.recv() => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use futures::FutureExt;
    use futures::future::BoxFuture;
    use nova_platform::components::ComponentId;
    use tokio::sync::mpsc;

    use super::{Answer, Order, Said, serve};
    use crate::clients::{Clients, ClientsError, Outcomes, Request, Run, Stuck};
    use crate::record::{Begin, Line};
    use crate::store::Store;

    /// Clients that write down what is asked of them.
    #[derive(Default)]
    struct Fake(Mutex<Vec<String>>);

    struct FakeRun<'a>(&'a Fake);

    impl Fake {
        fn note(&self, what: &str) {
            self.0.lock().unwrap().push(what.to_owned());
        }

        fn noted(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    impl Clients for Fake {
        fn start(&self, request: Request) -> BoxFuture<'_, Result<Box<dyn Run + '_>, ClientsError>> {
            self.note(&format!("start {}", request.run));
            async { Ok(Box::new(FakeRun(self)) as Box<dyn Run + '_>) }.boxed()
        }

        fn tidy(&self) -> BoxFuture<'_, Vec<String>> {
            self.note("tidy");
            async { Vec::new() }.boxed()
        }
    }

    impl Run for FakeRun<'_> {
        fn begin(&mut self, begin: Begin) -> BoxFuture<'_, Result<u64, ClientsError>> {
            async move { Ok(begin.at + 1) }.boxed()
        }

        fn switch(&mut self, component: &ComponentId, leader: &str) -> BoxFuture<'_, Result<(), ClientsError>> {
            let refused = format!("{leader} keeps {component}");
            async move { Err(ClientsError::Told(refused)) }.boxed()
        }

        /// Nobody is ever acknowledged again.
        fn again(&mut self) -> BoxFuture<'_, Result<(), ClientsError>> {
            std::future::pending().boxed()
        }

        fn end<'a>(self: Box<Self>) -> BoxFuture<'a, Result<Outcomes, ClientsError>>
        where
            Self: 'a,
        {
            self.0.note("end");
            async { Ok(Outcomes::default()) }.boxed()
        }
    }

    fn request() -> Request {
        Request {
            run: 7,
            stores: Vec::new(),
            service: String::new(),
            writers: 1,
            rate: None,
        }
    }

    fn begin() -> Begin {
        let text = r#"{"run":7,"component":"redis","fault":"kill","members":[],"at":41}"#;
        serde_json::from_str(text).unwrap()
    }

    async fn served(fake: &Fake, all: Vec<Order>) -> Vec<Answer> {
        let (sender, mut orders) = mpsc::channel(1);
        let (answered, mut answers) = mpsc::unbounded_channel();
        let say = |answer| answered.send(answer);
        let ask = async {
            let mut heard = vec![answers.recv().await.unwrap()];
            for order in all {
                let last = order == Order::Again;
                sender.send(order).await.unwrap();
                if !last {
                    heard.push(answers.recv().await.unwrap());
                }
            }
            // Whoever ordered is gone.
            drop(sender);
            heard
        };
        let (done, heard) = tokio::join!(serve(fake, request(), &mut orders, say), ask);
        done.unwrap();
        heard
    }

    #[tokio::test]
    async fn each_order_has_its_answer_and_nothing_stays() {
        let fake = Fake::default();
        let switch = Order::Switch {
            component: ComponentId::Redis,
            leader: "redis-1".to_owned(),
        };
        let heard = served(&fake, vec![Order::Begin(begin()), switch, Order::End]).await;
        let ended = Answer::Ended {
            stores: Vec::new(),
            stays: Vec::new(),
        };
        let refused = Answer::Failed("redis-1 keeps redis".to_owned());
        assert_eq!(heard, [Answer::Done, Answer::Begun(42), refused, ended]);
        assert_eq!(fake.noted(), ["start 7", "end", "tidy"]);
    }

    #[tokio::test]
    async fn a_run_whose_orders_end_is_given_up_whatever_it_waits_for() {
        let fake = Fake::default();
        served(&fake, vec![Order::Begin(begin()), Order::Again]).await;
        assert_eq!(fake.noted(), ["start 7", "tidy"]);
    }

    #[test]
    fn who_was_not_acknowledged_is_known_on_the_other_side_as_well() {
        let stuck = Stuck {
            stores: vec![Store::Kafka, Store::Posts],
            within: Duration::from_secs(120),
        };
        let text = serde_json::to_string(&Answer::from(ClientsError::Stuck(stuck.clone()))).unwrap();
        let heard = serde_json::from_str::<Answer>(&text).unwrap().done();
        assert!(
            matches!(heard, Err(ClientsError::Stuck(told)) if told == stuck),
            "{text}"
        );
    }

    #[test]
    fn answers_and_lines_of_the_ledger_are_told_apart() {
        let said = [
            Said::Answer {
                answer: Box::new(Answer::Begun(3)),
            },
            Said::Answer {
                answer: Box::new(Answer::Done),
            },
            Said::Line(Line::Begin { begin: begin() }),
        ];
        for said in said {
            let text = serde_json::to_string(&said).unwrap();
            assert_eq!(serde_json::from_str::<Said>(&text).unwrap(), said, "{text}");
        }
    }
}
