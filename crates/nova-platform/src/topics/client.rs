//! Kafka's administrator, for topics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::task::spawn_blocking;

use super::Wanted;
use super::compare::{Difference, Found, differences};
use crate::endpoints::MemberEndpoint;

/// See the module.
pub(super) struct Topics {
    /// `None` only while being dropped.
    admin: Option<Arc<AdminClient<DefaultClientContext>>>,
    limit: Duration,
}

impl Topics {
    pub(super) fn new(members: &[MemberEndpoint], limit: Duration) -> Result<Self, String> {
        let bootstrap: Vec<_> = members.iter().map(|member| member.address.to_string()).collect();
        let mut config = ClientConfig::new();
        config
            .set("client.id", "nova-topics")
            .set("bootstrap.servers", bootstrap.join(","))
            .set("broker.address.family", "v4")
            .set("enable.metrics.push", "false")
            .set("socket.connection.setup.timeout.ms", "1000")
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "200")
            .set_log_level(RDKafkaLogLevel::Emerg);
        let admin: AdminClient<DefaultClientContext> = config
            .create()
            .map_err(|error: KafkaError| format!("the Kafka admin client could not start: {error}"))?;
        Ok(Self {
            admin: Some(Arc::new(admin)),
            limit,
        })
    }

    /// Where the topics that there are differ from these.
    pub(super) async fn differences(&self, wanted: &[Wanted]) -> Result<Vec<Difference>, String> {
        let mut found = self.partitions().await?;
        found.retain(|name, _| wanted.iter().any(|wanted| wanted.name == *name));
        let names: Vec<ResourceSpecifier<'_>> = wanted
            .iter()
            .filter(|wanted| found.contains_key(&wanted.name))
            .map(|wanted| ResourceSpecifier::Topic(&wanted.name))
            .collect();
        let told = match names.is_empty() {
            true => Vec::new(),
            false => {
                let told = self.admin()?.describe_configs(&names, &self.options()).await;
                told.map_err(|error| format!("the settings of topics could not be asked: {error}"))?
            }
        };
        for resource in told {
            let resource = resource.map_err(|code| format!("the settings of a topic could not be asked: {code}"))?;
            let rdkafka::admin::OwnedResourceSpecifier::Topic(name) = &resource.specifier else {
                continue;
            };
            let Some(topic) = found.get_mut(name) else { continue };
            for entry in resource.entries {
                let Some(value) = entry.value else { continue };
                if entry.source == ConfigSource::DynamicTopic {
                    topic.own.insert(entry.name.clone(), value.clone());
                }
                topic.settings.insert(entry.name, value);
            }
        }
        Ok(differences(wanted, &found))
    }

    /// Does what makes a difference go away.
    pub(super) async fn apply(&self, difference: &Difference) -> Result<(), String> {
        let (admin, options) = (self.admin()?, self.options());
        let done = match difference {
            Difference::Missing(wanted) => {
                let new = NewTopic::new(&wanted.name, wanted.partitions, TopicReplication::Fixed(wanted.copies));
                let new = wanted
                    .settings
                    .iter()
                    .fold(new, |new, (key, value)| new.set(key, value));
                let made = admin.create_topics([&new], &options).await.map(first);
                // Another deploy at the same time.
                made.map(|result| result.filter(|code| *code != RDKafkaErrorCode::TopicAlreadyExists))
            }
            Difference::Partitions { name, wanted, .. } => {
                let count = usize::try_from(*wanted).unwrap_or_default();
                let more = NewPartitions::new(name, count);
                admin.create_partitions([&more], &options).await.map(first)
            }
            Difference::Settings { name, all, .. } => {
                let change = AlterConfig::new(ResourceSpecifier::Topic(name));
                let change = all.iter().fold(change, |change, (key, value)| change.set(key, value));
                let done = admin.alter_configs([&change], &options).await;
                done.map(|results| {
                    results
                        .into_iter()
                        .find_map(|result| result.err().map(|(_, code)| code))
                })
            }
        };
        let failed = |reason: String| Err(format!("could not reach the state {:?}: {reason}", difference.done()));
        match done {
            Ok(None) => Ok(()),
            Ok(Some(code)) => failed(code.to_string()),
            Err(error) => failed(error.to_string()),
        }
    }

    /// Every topic with its partitions.
    async fn partitions(&self) -> Result<BTreeMap<String, Found>, String> {
        let (admin, limit) = (self.admin()?.clone(), self.limit);
        let asking = spawn_blocking(move || {
            let metadata = admin
                .inner()
                .fetch_metadata(None, limit)
                .map_err(|error| format!("no broker answered for metadata: {error}"))?;
            let of = |topic: &rdkafka::metadata::MetadataTopic| {
                let partitions = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
                let found = Found {
                    partitions,
                    ..Found::default()
                };
                (topic.name().to_owned(), found)
            };
            Ok(metadata.topics().iter().map(of).collect())
        });
        asking
            .await
            .map_err(|error| format!("the Kafka admin client failed: {error}"))?
    }

    fn admin(&self) -> Result<&Arc<AdminClient<DefaultClientContext>>, String> {
        self.admin
            .as_ref()
            .ok_or_else(|| "the Kafka admin client has ended".to_owned())
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new()
            .request_timeout(Some(self.limit))
            .operation_timeout(Some(self.limit))
    }
}

/// Why the one that was asked for was not done.
fn first(results: Vec<Result<String, (String, RDKafkaErrorCode)>>) -> Option<RDKafkaErrorCode> {
    results
        .into_iter()
        .find_map(|result| result.err().map(|(_, code)| code))
}

impl Drop for Topics {
    /// Ending librdkafka's threads takes its time, which no runtime thread has.
    fn drop(&mut self) {
        let admin = self.admin.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(admin));
        }
    }
}
