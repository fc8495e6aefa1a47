//! What was deployed last: the note that a deploy leaves with the platform, so that the next one knows what it changes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::changes::{Change, changes};
use super::place::Place;
use crate::spec::Spec;

/// Name and version of the note's shape.
const SCHEMA: &str = "nova.deployed/v1";

/// See the module. Holds no secret. Descriptions are kept as they were, so that another version can still read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    schema: String,
    /// What a deploy brought to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    deployed: Option<Value>,
    /// What one began and has not ended: the platform is somewhere between the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    applying: Option<Value>,
}

impl Deployed {
    /// From the note's text.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The note's text.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The note before anything of this description is applied, over the one that was there.
    #[must_use]
    pub fn begun(before: Option<&Self>, spec: &Spec) -> Self {
        let deployed = before.and_then(|note| note.deployed.clone());
        let applying = serde_json::to_value(spec).unwrap_or_default();
        Self {
            schema: SCHEMA.to_owned(),
            applying: (deployed.as_ref() != Some(&applying)).then_some(applying),
            deployed,
        }
    }

    /// The note when all of it is applied.
    #[must_use]
    pub fn ended(spec: &Spec) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            deployed: serde_json::to_value(spec).ok(),
            applying: None,
        }
    }

    /// What differs from a description: from what was deployed, and from what was begun since.
    #[must_use]
    pub fn changes(&self, spec: &Spec, place: Place) -> Vec<Change> {
        let of = |note: &Option<Value>| {
            note.as_ref()
                .map(|before| changes(before, spec, place))
                .unwrap_or_default()
        };
        let mut found = of(&self.deployed);
        for change in of(&self.applying) {
            if !found.iter().any(|known| known.key == change.key) {
                found.push(change);
            }
        }
        found
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Deployed, Place};
    use crate::load::load;

    #[test]
    fn what_was_begun_and_not_ended_is_not_forgotten() {
        let spec = load(None).unwrap().spec;
        let mut other = spec.clone();
        other.redis.appendonly = false;
        let count = |note: &Deployed, spec| note.changes(spec, Place::Local).len();

        let ended = Deployed::ended(&spec);
        assert_eq!(count(&ended, &spec), 0);
        assert_eq!(Deployed::begun(Some(&ended), &spec), ended);
        let begun = Deployed::begun(Some(&ended), &other);
        // Forwards it still changes what was deployed, and backwards what was begun.
        assert_eq!((count(&begun, &other), count(&begun, &spec)), (1, 1));
        assert_eq!(Deployed::parse(&begun.text()).unwrap(), begun);
        let first = Deployed::begun(None, &spec);
        assert_eq!((count(&first, &spec), count(&first, &other)), (0, 1));
    }
}
