//! What is different between the topics that there are and those that there ought to be.

use std::collections::BTreeMap;

use super::Wanted;

/// A topic as Kafka has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) partitions: i32,
    /// The settings that it has itself, or by default.
    pub(super) settings: BTreeMap<String, String>,
    /// Those that it has itself: an alteration states them all.
    pub(super) own: BTreeMap<String, String>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Difference {
    /// It does not exist.
    Missing(Wanted),
    /// It has fewer partitions.
    Partitions { name: String, has: i32, wanted: i32 },
    /// It has other settings.
    Settings {
        name: String,
        /// Name, what it is, what it ought to be.
        other: Vec<(&'static str, String, String)>,
        /// All that it will have of its own.
        all: BTreeMap<String, String>,
    },
}

impl Difference {
    /// What was changed when it is gone.
    pub(super) fn done(&self) -> String {
        match self {
            Self::Missing(wanted) => format!("created topic {} with {} partitions", wanted.name, wanted.partitions),
            Self::Partitions { name, has, wanted } => format!("gave topic {name} {wanted} partitions instead of {has}"),
            Self::Settings { name, other, .. } => {
                let list: Vec<_> = other.iter().map(|(key, _, wanted)| format!("{key}={wanted}")).collect();
                format!("set {} of topic {name}", list.join(", "))
            }
        }
    }

    /// What is wrong while it is there.
    pub(super) fn complaint(&self) -> String {
        match self {
            Self::Missing(wanted) => format!("there is no topic {}", wanted.name),
            Self::Partitions { name, has, wanted } => format!("topic {name} has {has} partitions and not {wanted}"),
            Self::Settings { name, other, .. } => {
                let list: Vec<_> = other
                    .iter()
                    .map(|(key, has, wanted)| format!("{key}={has} and not {wanted}"))
                    .collect();
                format!("topic {name} has {}", list.join(", "))
            }
        }
    }
}

/// All differences, by topic.
pub(super) fn differences(wanted: &[Wanted], found: &BTreeMap<String, Found>) -> Vec<Difference> {
    let of = |wanted: &Wanted| {
        let Some(has) = found.get(&wanted.name) else {
            return vec![Difference::Missing(wanted.clone())];
        };
        let mut all = Vec::new();
        if has.partitions < wanted.partitions {
            all.push(Difference::Partitions {
                name: wanted.name.clone(),
                has: has.partitions,
                wanted: wanted.partitions,
            });
        }
        let other: Vec<_> = wanted
            .settings
            .iter()
            .filter_map(|(key, value)| {
                let is = has.settings.get(*key).cloned().unwrap_or_default();
                (is != *value).then(|| (*key, is, value.clone()))
            })
            .collect();
        if !other.is_empty() {
            let mut settings = has.own.clone();
            settings.extend(
                wanted
                    .settings
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), value.clone())),
            );
            all.push(Difference::Settings {
                name: wanted.name.clone(),
                other,
                all: settings,
            });
        }
        all
    };
    wanted.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Difference, Found, differences};
    use crate::topics::Wanted;

    fn wanted() -> Wanted {
        Wanted {
            name: "t".to_owned(),
            partitions: 6,
            copies: 3,
            settings: vec![("cleanup.policy", "compact".to_owned())],
        }
    }

    fn found(partitions: i32, policy: &str) -> BTreeMap<String, Found> {
        let settings = BTreeMap::from([("cleanup.policy".to_owned(), policy.to_owned())]);
        let own = BTreeMap::from([("max.message.bytes".to_owned(), "9".to_owned())]);
        BTreeMap::from([(
            "t".to_owned(),
            Found {
                partitions,
                settings,
                own,
            },
        )])
    }

    #[test]
    fn only_what_differs_is_changed() {
        let of = |found| differences(&[wanted()], &found);
        assert_eq!(of(BTreeMap::new()), [Difference::Missing(wanted())]);
        assert_eq!(of(found(6, "compact")), []);
        assert_eq!(of(found(9, "compact")), [], "partitions never become fewer");
        assert_eq!(
            of(found(3, "compact"))[0].done(),
            "gave topic t 6 partitions instead of 3"
        );
        let other = &of(found(6, "delete"))[0];
        assert_eq!(other.complaint(), "topic t has cleanup.policy=delete and not compact");
        let Difference::Settings { all, .. } = other else {
            panic!("{other:?}");
        };
        assert_eq!(all.len(), 2, "what somebody set besides stays: {all:?}");
    }
}
