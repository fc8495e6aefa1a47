//! Settings of calls between services: the platform's, and what one service sets otherwise for one dependency.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// Makes both structs from one list, so that a setting cannot be missing from one. The text is the setting's name as a
/// flag of a service; its variable is the same in capitals after `NOVA_`.
macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $flag:literal,)*) => {
        /// Calls from one service to another.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct CallsSpec {
            $($(#[$doc])* #[schemars(extend("x-nova-change" = "rolling"))] pub $field: $type,)*
        }

        /// What a service sets otherwise for its calls to one dependency; the rest is as in `[calls]`.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct CallsOverride {
            $($(#[$doc])* #[schemars(extend("x-nova-change" = "rolling"))]
            #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }

        impl CallsSpec {
            /// Every setting: its name as a flag of a service without the dashes in front, and its value.
            #[must_use]
            pub fn settings(&self) -> Vec<(&'static str, String)> {
                vec![$(($flag, text(self.$field)),)*]
            }
        }

        impl CallsOverride {
            /// The settings that it has, as [`CallsSpec::settings`] gives them.
            #[must_use]
            pub fn settings(&self) -> Vec<(&'static str, String)> {
                let all = [$(($flag, self.$field.map(text)),)*];
                all.into_iter().filter_map(|(flag, value)| Some((flag, value?))).collect()
            }

            /// What counts for calls to this dependency.
            #[must_use]
            pub fn over(&self, platform: &CallsSpec) -> CallsSpec {
                CallsSpec { $($field: self.$field.unwrap_or(platform.$field),)* }
            }

            /// Whether it has the setting of this name in `nova.toml`.
            #[must_use]
            pub fn has(&self, name: &str) -> bool {
                match name {
                    $(stringify!($field) => self.$field.is_some(),)*
                    _ => false,
                }
            }
        }
    };
}

settings! {
    /// Time for a call in all, its retries included.
    timeout: Duration = "http-timeout",
    /// Time for a connection to be made.
    connect_timeout: Duration = "http-connect-timeout",
    /// An idle connection is closed after this, before the server does it.
    idle_timeout: Duration = "http-idle-timeout",
    /// Calls in flight to one host.
    pool_size: u32 = "http-pool-size",
    /// How long a call waits for a place among them before it is refused.
    pool_wait: Duration = "http-pool-wait",
    /// Retries of one call.
    retry_max: u32 = "retry-max",
    /// Pause before the first retry; it doubles each time, and is shortened at random.
    retry_delay: Duration = "retry-delay",
    /// The longest such pause.
    retry_delay_max: Duration = "retry-delay-max",
    /// Retries as a share of recent calls.
    retry_budget: f64 = "retry-budget",
    /// Retries a second that are allowed whatever the budget says.
    retry_floor: u32 = "retry-floor",
    /// What a breaker judges by: the calls of this time.
    breaker_window: Duration = "breaker-window",
    /// Fewer calls than this in a window prove nothing.
    breaker_minimum_calls: u32 = "breaker-minimum-calls",
    /// Share of failed calls at which a breaker opens.
    breaker_failure_ratio: f64 = "breaker-failure-ratio",
    /// A call that takes longer counts as slow.
    breaker_slow_call: Duration = "breaker-slow-call",
    /// Share of slow calls at which a breaker opens.
    breaker_slow_ratio: f64 = "breaker-slow-ratio",
    /// How long an open breaker refuses everything before it lets probes through.
    breaker_open: Duration = "breaker-open",
    /// Calls that probe at a time.
    breaker_probes: u32 = "breaker-probes",
    /// A probe that takes longer has failed.
    breaker_probe_timeout: Duration = "breaker-probe-timeout",
}

/// A value without spaces, as services read it.
fn text(value: impl std::fmt::Display) -> String {
    value.to_string().replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::{CallsOverride, text};
    use crate::load::load;
    use crate::units::Duration;

    #[test]
    fn an_override_changes_what_it_has_and_nothing_else() {
        let platform = load(None).expect("the shipped description").spec.calls;
        let one = CallsOverride {
            retry_max: Some(7),
            ..CallsOverride::default()
        };
        assert_eq!(one.settings(), [("retry-max", "7".to_owned())]);
        assert!(one.has("retry_max") && !one.has("timeout") && !one.has("anything"));
        let mut expected = platform.clone();
        expected.retry_max = 7;
        assert_eq!(one.over(&platform), expected);
        assert_eq!(CallsOverride::default().over(&platform), platform);
    }

    #[test]
    fn durations_have_no_spaces_and_can_be_read() {
        let length = std::time::Duration::from_millis(61_500);
        assert_eq!(text(Duration(length)), "1m1s500ms");
        assert_eq!(humantime::parse_duration("1m1s500ms"), Ok(length));
        assert_eq!((text(0.2), text(1.0)), ("0.2".to_owned(), "1".to_owned()));
    }
}
