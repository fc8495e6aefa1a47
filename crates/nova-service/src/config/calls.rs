//! How long a call to another service may take, how often it is tried, and when that service is left alone.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use nova_resilience::Settings;
use thiserror::Error;

use super::value::{duration, pause, ratio};

/// Calls to other services: for all of them, and what differs for a single one.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Calls to other services")]
pub struct CallsConfig {
    /// A whole call, all attempts and pauses; less when the request that it is made for has less left
    #[arg(id = "http-timeout", long = "http-timeout", env = "NOVA_HTTP_TIMEOUT", default_value = "3s", value_name = "DURATION", value_parser = duration)]
    pub timeout: Duration,
    /// Making a connection
    #[arg(id = "http-connect-timeout", long = "http-connect-timeout", env = "NOVA_HTTP_CONNECT_TIMEOUT", default_value = "1s", value_name = "DURATION", value_parser = duration)]
    pub connect_timeout: Duration,
    /// An unused connection is closed after this; sooner than the other side does
    #[arg(id = "http-idle-timeout", long = "http-idle-timeout", env = "NOVA_HTTP_IDLE_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = duration)]
    pub idle_timeout: Duration,
    /// Calls in flight to one service; as many may wait
    #[arg(id = "http-pool-size", long = "http-pool-size", env = "NOVA_HTTP_POOL_SIZE", default_value = "50", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pool_size: u32,
    /// How long a call waits for its place, then it is refused
    #[arg(id = "http-pool-wait", long = "http-pool-wait", env = "NOVA_HTTP_POOL_WAIT", default_value = "100ms", value_name = "DURATION", value_parser = pause)]
    pub pool_wait: Duration,
    /// Retries of one call
    #[arg(id = "retry-max", long = "retry-max", env = "NOVA_RETRY_MAX", default_value = "3", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=10))]
    pub retry_max: u32,
    /// The longest pause before the first retry; twice as long before each next one
    #[arg(id = "retry-delay", long = "retry-delay", env = "NOVA_RETRY_DELAY", default_value = "100ms", value_name = "DURATION", value_parser = duration)]
    pub retry_delay: Duration,
    /// The longest pause before any retry
    #[arg(id = "retry-delay-max", long = "retry-delay-max", env = "NOVA_RETRY_DELAY_MAX", default_value = "1s", value_name = "DURATION", value_parser = duration)]
    pub retry_delay_max: Duration,
    /// Retries of all calls together, as a share of the calls of the last 10 s
    #[arg(id = "retry-budget", long = "retry-budget", env = "NOVA_RETRY_BUDGET", default_value = "0.2", value_name = "RATIO", value_parser = ratio)]
    pub retry_budget: f64,
    /// Retries a second that are allowed whatever that share
    #[arg(id = "retry-floor", long = "retry-floor", env = "NOVA_RETRY_FLOOR", default_value = "1", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub retry_floor: u32,
    /// Over how long the circuit breaker judges calls
    #[arg(id = "breaker-window", long = "breaker-window", env = "NOVA_BREAKER_WINDOW", default_value = "10s", value_name = "DURATION", value_parser = duration)]
    pub breaker_window: Duration,
    /// Fewer calls than this within the window never open it
    #[arg(id = "breaker-minimum-calls", long = "breaker-minimum-calls", env = "NOVA_BREAKER_MINIMUM_CALLS", default_value = "10", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub breaker_minimum_calls: u32,
    /// The share of failed calls that opens it
    #[arg(id = "breaker-failure-ratio", long = "breaker-failure-ratio", env = "NOVA_BREAKER_FAILURE_RATIO", default_value = "0.5", value_name = "RATIO", value_parser = ratio)]
    pub breaker_failure_ratio: f64,
    /// A call that takes this long is slow
    #[arg(id = "breaker-slow-call", long = "breaker-slow-call", env = "NOVA_BREAKER_SLOW_CALL", default_value = "1s", value_name = "DURATION", value_parser = duration)]
    pub breaker_slow_call: Duration,
    /// The share of slow calls that opens it
    #[arg(id = "breaker-slow-ratio", long = "breaker-slow-ratio", env = "NOVA_BREAKER_SLOW_RATIO", default_value = "0.5", value_name = "RATIO", value_parser = ratio)]
    pub breaker_slow_ratio: f64,
    /// How long it stays open
    #[arg(id = "breaker-open", long = "breaker-open", env = "NOVA_BREAKER_OPEN", default_value = "2s", value_name = "DURATION", value_parser = duration)]
    pub breaker_open: Duration,
    /// Calls that may be in flight while it is half open, and that must succeed to close it
    #[arg(id = "breaker-probes", long = "breaker-probes", env = "NOVA_BREAKER_PROBES", default_value = "3", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub breaker_probes: u32,
    /// How long such a call may take
    #[arg(id = "breaker-probe-timeout", long = "breaker-probe-timeout", env = "NOVA_BREAKER_PROBE_TIMEOUT", default_value = "1s", value_name = "DURATION", value_parser = duration)]
    pub breaker_probe_timeout: Duration,
    /// What differs for a single service, such as `auth-service.http-timeout=2s`
    #[arg(
        id = "calls",
        long = "calls",
        env = "NOVA_CALLS",
        value_name = "SERVICE.SETTING=VALUE,..",
        value_delimiter = ','
    )]
    pub overrides: Vec<Override>,
}

impl Default for CallsConfig {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            timeout: settings.timeout,
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(10),
            pool_size: u32::try_from(settings.limit).unwrap_or(u32::MAX),
            pool_wait: settings.pool_wait,
            retry_max: settings.retry_max,
            retry_delay: settings.retry_delay,
            retry_delay_max: settings.retry_delay_max,
            retry_budget: settings.budget_ratio,
            retry_floor: settings.budget_floor,
            breaker_window: settings.breaker_window,
            breaker_minimum_calls: settings.breaker_minimum_calls,
            breaker_failure_ratio: settings.breaker_failure_ratio,
            breaker_slow_call: settings.breaker_slow_call,
            breaker_slow_ratio: settings.breaker_slow_ratio,
            breaker_open: settings.breaker_open,
            breaker_probes: settings.breaker_probes,
            breaker_probe_timeout: settings.breaker_probe_timeout,
            overrides: Vec::new(),
        }
    }
}

/// Settings of calls that make no sense together, or for nobody.
#[derive(Debug, Error)]
pub enum CallsError {
    /// The values contradict each other.
    #[error("calls to {dependency}: {reason}")]
    Contradiction {
        /// For calls to whom.
        dependency: String,
        /// Which values, and why.
        reason: String,
    },
    /// A setting for a service that is never called.
    #[error("--calls names {dependency}, which this service never calls; it calls {known}")]
    UnknownDependency {
        /// Who was named.
        dependency: String,
        /// Who is called.
        known: String,
    },
}

impl CallsConfig {
    /// What holds for calls to this service: the general values with its own laid over them.
    ///
    /// # Errors
    /// When they make no sense together.
    pub fn of(&self, dependency: &str) -> Result<Self, CallsError> {
        let refuse = |reason: String| CallsError::Contradiction {
            dependency: dependency.to_owned(),
            reason,
        };
        let mut config = self.clone();
        for own in self.overrides.iter().filter(|own| own.dependency == dependency) {
            config.set(&own.setting, &own.value).map_err(&refuse)?;
        }
        if config.connect_timeout >= config.timeout {
            return Err(refuse(format!(
                "http-connect-timeout ({:?}) leaves nothing of http-timeout ({:?})",
                config.connect_timeout, config.timeout
            )));
        }
        config
            .settings()
            .validate()
            .map_err(|error| refuse(error.to_string()))?;
        Ok(config)
    }

    /// The same with at most this long for a call to this service, and half of it for a connection: for calls that something is
    /// done without when they take longer. Such a call that is late counts against the service that was called; one whose
    /// own caller had little time left does not.
    #[must_use]
    pub fn capped(mut self, dependency: &str, timeout: Duration) -> Self {
        let caps = [
            ("http-timeout", timeout, self.timeout),
            ("http-connect-timeout", timeout / 2, self.connect_timeout),
        ];
        for (setting, cap, general) in caps {
            let own = self
                .overrides
                .iter()
                .rev()
                .find(|own| own.dependency == dependency && own.setting == setting)
                .map_or(general, |own| duration(&own.value).unwrap_or(general));
            if own > cap {
                self.overrides.push(Override {
                    dependency: dependency.to_owned(),
                    setting: setting.to_owned(),
                    value: humantime::format_duration(cap).to_string(),
                });
            }
        }
        self
    }

    /// Refuses settings for services other than those that are called.
    ///
    /// # Errors
    /// With the first such service.
    pub(crate) fn only_for(&self, dependencies: &[&str]) -> Result<(), CallsError> {
        match self
            .overrides
            .iter()
            .find(|own| !dependencies.contains(&own.dependency.as_str()))
        {
            None => Ok(()),
            Some(own) => Err(CallsError::UnknownDependency {
                dependency: own.dependency.clone(),
                known: if dependencies.is_empty() {
                    "nobody".to_owned()
                } else {
                    dependencies.join(", ")
                },
            }),
        }
    }

    /// The numbers of the layers around a call.
    pub fn settings(&self) -> Settings {
        Settings {
            timeout: self.timeout,
            retry_max: self.retry_max,
            retry_delay: self.retry_delay,
            retry_delay_max: self.retry_delay_max,
            budget_ratio: self.retry_budget,
            budget_floor: self.retry_floor,
            limit: usize::try_from(self.pool_size).unwrap_or(usize::MAX),
            pool_wait: self.pool_wait,
            breaker_window: self.breaker_window,
            breaker_minimum_calls: self.breaker_minimum_calls,
            breaker_failure_ratio: self.breaker_failure_ratio,
            breaker_slow_call: self.breaker_slow_call,
            breaker_slow_ratio: self.breaker_slow_ratio,
            breaker_open: self.breaker_open,
            breaker_probes: self.breaker_probes,
            breaker_probe_timeout: self.breaker_probe_timeout,
        }
    }

    /// Every number by the name of its setting; durations in seconds.
    pub fn numbers(&self) -> [(&'static str, f64); 18] {
        [
            ("http_timeout", self.timeout.as_secs_f64()),
            ("http_connect_timeout", self.connect_timeout.as_secs_f64()),
            ("http_idle_timeout", self.idle_timeout.as_secs_f64()),
            ("http_pool_size", f64::from(self.pool_size)),
            ("http_pool_wait", self.pool_wait.as_secs_f64()),
            ("retry_max", f64::from(self.retry_max)),
            ("retry_delay", self.retry_delay.as_secs_f64()),
            ("retry_delay_max", self.retry_delay_max.as_secs_f64()),
            ("retry_budget", self.retry_budget),
            ("retry_floor", f64::from(self.retry_floor)),
            ("breaker_window", self.breaker_window.as_secs_f64()),
            ("breaker_minimum_calls", f64::from(self.breaker_minimum_calls)),
            ("breaker_failure_ratio", self.breaker_failure_ratio),
            ("breaker_slow_call", self.breaker_slow_call.as_secs_f64()),
            ("breaker_slow_ratio", self.breaker_slow_ratio),
            ("breaker_open", self.breaker_open.as_secs_f64()),
            ("breaker_probes", f64::from(self.breaker_probes)),
            ("breaker_probe_timeout", self.breaker_probe_timeout.as_secs_f64()),
        ]
    }

    fn set(&mut self, setting: &str, value: &str) -> Result<(), String> {
        let count = || {
            value
                .parse::<u32>()
                .map_err(|error| format!("{setting}={value}: {error}"))
        };
        let named = |result: Result<Duration, String>| result.map_err(|error| format!("{setting}={value}: {error}"));
        let share = || ratio(value).map_err(|error| format!("{setting}={value}: {error}"));
        match setting {
            "http-timeout" => self.timeout = named(duration(value))?,
            "http-connect-timeout" => self.connect_timeout = named(duration(value))?,
            "http-idle-timeout" => self.idle_timeout = named(duration(value))?,
            "http-pool-size" => self.pool_size = count()?,
            "http-pool-wait" => self.pool_wait = named(pause(value))?,
            "retry-max" => self.retry_max = count()?,
            "retry-delay" => self.retry_delay = named(duration(value))?,
            "retry-delay-max" => self.retry_delay_max = named(duration(value))?,
            "retry-budget" => self.retry_budget = share()?,
            "retry-floor" => self.retry_floor = count()?,
            "breaker-window" => self.breaker_window = named(duration(value))?,
            "breaker-minimum-calls" => self.breaker_minimum_calls = count()?,
            "breaker-failure-ratio" => self.breaker_failure_ratio = share()?,
            "breaker-slow-call" => self.breaker_slow_call = named(duration(value))?,
            "breaker-slow-ratio" => self.breaker_slow_ratio = share()?,
            "breaker-open" => self.breaker_open = named(duration(value))?,
            "breaker-probes" => self.breaker_probes = count()?,
            "breaker-probe-timeout" => self.breaker_probe_timeout = named(duration(value))?,
            _ => return Err(format!("there is no setting {setting}; --help lists them")),
        }
        Ok(())
    }
}

/// One value for calls to one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    dependency: String,
    setting: String,
    value: String,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.trim().split_once('=').and_then(|(name, value)| {
            let (dependency, setting) = name.trim().split_once('.')?;
            Some((dependency, setting, value.trim()))
        });
        let Some((dependency, setting, value)) = parts else {
            return Err(format!(
                "`{text}` is not SERVICE.SETTING=VALUE; write it like auth-service.http-timeout=2s"
            ));
        };
        // Tried on a copy: a wrong name or value is refused when the flag is read.
        CallsConfig::default().set(setting, value)?;
        Ok(Self {
            dependency: dependency.to_owned(),
            setting: setting.to_owned(),
            value: value.to_owned(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn with(overrides: &[&str]) -> CallsConfig {
        CallsConfig {
            overrides: overrides.iter().map(|text| text.parse().unwrap()).collect(),
            ..CallsConfig::default()
        }
    }

    #[test]
    fn an_override_holds_for_its_service_alone() {
        let config = with(&["auth-service.http-timeout=2s", "auth-service.retry-max=1"]);
        let own = config.of("auth-service").unwrap();
        assert_eq!((own.timeout, own.retry_max), (Duration::from_secs(2), 1));
        assert_eq!(config.of("search-service").unwrap().timeout, Duration::from_secs(3));
    }

    #[test]
    fn a_cap_lowers_what_is_higher() {
        let cap = Duration::from_millis(1_500);
        let capped = with(&[]).capped("auth-service", cap);
        let own = capped.of("auth-service").unwrap();
        assert_eq!((own.timeout, own.connect_timeout), (cap, cap / 2));
        assert_eq!(
            capped.of("search-service").unwrap(),
            CallsConfig {
                overrides: capped.overrides.clone(),
                ..with(&[])
            }
        );
        let lower = with(&[
            "auth-service.http-timeout=1s",
            "auth-service.http-connect-timeout=200ms",
        ]);
        assert_eq!(lower.clone().capped("auth-service", cap), lower);
    }

    #[test]
    fn what_makes_no_sense_is_refused_naming_it() {
        for wrong in [
            "auth-service",
            "auth-service=2s",
            "http-timeout=2s",
            "auth-service.http-timeout=soon",
            "auth-service.http-timeout=-1s",
            "auth-service.retry-budget=NaN",
            "auth-service.retry-budget=1.5",
            "auth-service.retry-max=-1",
            "auth-service.speed=9",
        ] {
            assert!(wrong.parse::<Override>().is_err(), "{wrong} was accepted");
        }
        for (wrong, named) in [
            ("auth-service.http-connect-timeout=3s", "http-connect-timeout"),
            ("auth-service.retry-delay=3s", "retry_delay"),
            ("auth-service.breaker-probes=0", "breaker_probes"),
        ] {
            let error = with(&[wrong]).of("auth-service").unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("auth-service"), "{error}");
        }
        let error = with(&["serach-service.retry-max=1"])
            .only_for(&["auth-service"])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("serach-service") && error.contains("auth-service"),
            "{error}"
        );
    }
}
