//! What the events of a topic have in common.

use serde::Serialize;
use thiserror::Error;

use crate::Topic;

/// What one type of event tells.
pub trait Payload {
    /// The id of what it tells of: equal ids stay in order.
    fn subject(&self) -> String;
}

/// The events of one topic: an enumeration of their types.
pub trait Event: Serialize + Sized {
    /// Where they are told.
    const TOPIC: &'static Topic;
    /// Their types, as they stand in the envelope.
    const TYPES: &'static [&'static str];

    /// This one's type.
    fn kind(&self) -> &'static str;

    /// The id of what it tells of.
    fn subject(&self) -> String;

    /// Reads the body of an event of a type. `None` for a type that this version does not know, which is passed over.
    ///
    /// # Errors
    /// When the body is not what its type says.
    fn decode(kind: &str, body: &[u8]) -> Result<Option<Self>, DecodeError>;
}

/// A body that is not what its type says.
#[derive(Debug, Error)]
#[error("the body is no {kind}: {reason}")]
pub struct DecodeError {
    /// What it ought to be.
    pub kind: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Makes the enumeration of a topic's events: each variant holds the struct of its name, and has a type.
macro_rules! events {
    ($(#[$about:meta])* $name:ident of $topic:ident: $($(#[$doc:meta])* $variant:ident = $kind:literal,)+) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
        #[serde(untagged)]
        pub enum $name {
            $($(#[$doc])* $variant($variant),)+
        }

        impl $crate::Event for $name {
            const TOPIC: &'static $crate::Topic = &$topic;
            const TYPES: &'static [&'static str] = &[$($kind),+];

            fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $kind,)+
                }
            }

            fn subject(&self) -> String {
                match self {
                    $(Self::$variant(payload) => $crate::Payload::subject(payload),)+
                }
            }

            fn decode(kind: &str, body: &[u8]) -> Result<Option<Self>, $crate::DecodeError> {
                match kind {
                    $($kind => serde_json::from_slice(body)
                        .map(|payload| Some(Self::$variant(payload)))
                        .map_err(|error| $crate::DecodeError { kind: $kind, reason: error.to_string() }),)+
                    _ => Ok(None),
                }
            }
        }

        $(impl From<$variant> for $name {
            fn from(payload: $variant) -> Self {
                Self::$variant(payload)
            }
        })+

        impl $name {
            /// The JSON Schema of each type.
            pub(crate) fn schemas() -> Vec<(&'static str, serde_json::Value)> {
                vec![$(($kind, schemars::schema_for!($variant).to_value()),)+]
            }
        }
    };
}
pub(crate) use events;
