//! What a drill is about: a component, a node, or everything.

use std::fmt;

use nova_platform::components::{ComponentId, DrillFacts, facts};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a drill is about. In JSON and on the command line it is a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aim {
    /// One component.
    Component(ComponentId),
    /// `node`: what members share and lose together.
    Node,
    /// `all`: whatever others break.
    All,
}

impl Aim {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Component(id) => id.as_str(),
            Self::Node => "node",
            Self::All => "all",
        }
    }

    /// Whether it is this component and no other.
    #[must_use]
    pub fn is(&self, component: &ComponentId) -> bool {
        matches!(self, Self::Component(id) if id == component)
    }

    /// What drills know of it; `None` for what is not one component, or is not drilled.
    #[must_use]
    pub fn facts(&self) -> Option<&'static DrillFacts> {
        match self {
            Self::Component(id) => facts(id).drill.as_ref(),
            Self::Node | Self::All => None,
        }
    }
}

impl From<ComponentId> for Aim {
    fn from(id: ComponentId) -> Self {
        Self::Component(id)
    }
}

/// Every name that is not one of a drill's own is a component's.
impl From<&str> for Aim {
    fn from(name: &str) -> Self {
        match name {
            "node" => Self::Node,
            "all" => Self::All,
            name => Self::Component(ComponentId::from(name)),
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Aim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Aim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::from(name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Aim, ComponentId};

    #[test]
    fn an_aim_is_its_name_and_back() {
        let services = ["user-service", "chat"].map(ComponentId::service);
        let components = ComponentId::OWN.into_iter().chain(services);
        for aim in components.map(Aim::from).chain([Aim::Node, Aim::All]) {
            let json = serde_json::to_string(&aim).unwrap_or_default();
            assert_eq!(json, format!("\"{aim}\""));
            assert_eq!(serde_json::from_str(&json).ok(), Some(aim));
        }
    }
}
