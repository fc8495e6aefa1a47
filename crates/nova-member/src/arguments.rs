//! The command line of `nova-member`. By hand: a parser would be larger than all the rest.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use nova_member::Place;
use nova_member::hand_over::Store;

/// What can be typed.
pub(crate) const USAGE: &str = "\
usage: nova-member run|run-softly PROGRAM [ARGUMENT]...
       nova-member redis|sentinel --config DIR --member NAME --secrets DIR --data DIR --run DIR [--ready PORT]
       nova-member etcd|kafka|postgres --config DIR --member NAME --secrets DIR --data DIR --run DIR
       nova-member probe redis|sentinel --config DIR --member NAME --secrets DIR

  run-softly is told SIGTERM and tells its program SIGUSR1, by which HAProxy lets what runs come to its end

  --config   the settings: <member>.<file> for what is one member's, <file> for what all share
  --member   the member's name, such as redis-1
  --secrets  one file a password (etcd and kafka need none)
  --data     what outlives the container
  --run      the working directory, which files are made in on each start
  --ready    where the first process of a container says at /ready whether the server is fit for use";

/// What the first process tells the second one to do; nobody types it.
pub(crate) const BECOME: &str = "become";

/// Runs a program that ends softly by SIGUSR1.
const SOFTLY: &str = "run-softly";

fn takes_a_program(word: &str) -> bool {
    ["run", SOFTLY, BECOME].contains(&word)
}

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arguments {
    /// To say what can be typed.
    Help,
    /// To run a program as it stands, with its arguments, and to stay before it.
    Program {
        /// The program and its arguments.
        words: Vec<String>,
        /// Whether it is told SIGUSR1 instead of SIGTERM.
        softly: bool,
    },
    /// To become one.
    Become(Vec<String>),
    /// To start a member, or to ask one.
    Member {
        /// What.
        task: Task,
        /// With which directories.
        place: Place,
        /// Port at which to say whether it is ready.
        ready: Option<u16>,
    },
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Redis,
    Sentinel,
    Kafka,
    Postgres,
    Etcd,
    ProbeRedis,
    ProbeSentinel,
}

impl Task {
    /// What its member may lead, and hands over before it ends.
    pub(crate) fn hands_over(self) -> Option<Store> {
        match self {
            Self::Redis => Some(Store::Redis),
            Self::Postgres => Some(Store::Postgres),
            Self::Etcd => Some(Store::Etcd),
            Self::Sentinel | Self::Kafka | Self::ProbeRedis | Self::ProbeSentinel => None,
        }
    }

    /// Otherwise it asks one.
    pub(crate) fn starts_a_program(self) -> bool {
        !matches!(self, Self::ProbeRedis | Self::ProbeSentinel)
    }
}

/// The values of the flags that were given.
#[derive(Default)]
struct Flags {
    config: Option<String>,
    member: Option<String>,
    secrets: Option<String>,
    data: Option<String>,
    run: Option<String>,
    ready: Option<String>,
}

impl Arguments {
    /// Reads the arguments that follow the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut words: Vec<String> = Vec::new();
        for argument in arguments {
            let word = argument
                .into_string()
                .map_err(|word| format!("{} is not text", word.display()))?;
            let of_program = words.first().is_some_and(|first| takes_a_program(first.as_str()));
            if !of_program && ["--help", "-h", "--version", "-V"].contains(&word.as_str()) {
                return Ok(Self::Help);
            }
            words.push(word);
        }
        if words.first().is_some_and(|first| takes_a_program(first.as_str())) {
            let program = words.split_off(1);
            return match (program.is_empty(), words[0] == BECOME) {
                (true, _) => Err("no program to run".to_owned()),
                (false, true) => Ok(Self::Become(program)),
                (false, false) => Ok(Self::Program {
                    words: program,
                    softly: words[0] == SOFTLY,
                }),
            };
        }
        let mut words = words.into_iter();
        let task = task(&mut words)?;
        let flags = Flags::parse(words)?;
        Ok(Self::Member {
            task,
            ready: flags.ready(task)?,
            place: flags.place(task)?,
        })
    }
}

fn task(words: &mut impl Iterator<Item = String>) -> Result<Task, String> {
    let word = words.next().ok_or("nothing to do")?;
    Ok(match word.as_str() {
        "redis" => Task::Redis,
        "sentinel" => Task::Sentinel,
        "kafka" => Task::Kafka,
        "postgres" => Task::Postgres,
        "etcd" => Task::Etcd,
        "probe" => match words.next().as_deref() {
            Some("redis") => Task::ProbeRedis,
            Some("sentinel") => Task::ProbeSentinel,
            Some(other) => return Err(format!("cannot probe {other:?}: there are redis and sentinel")),
            None => return Err("nothing to probe: there are redis and sentinel".to_owned()),
        },
        other => {
            return Err(format!(
                "unknown command {other:?}: there are run, redis, sentinel, kafka, postgres, etcd and probe"
            ));
        }
    })
}

impl Flags {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut flags = Self::default();
        while let Some(word) = words.next() {
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (word, None),
            };
            let place = match flag.as_str() {
                "--config" => &mut flags.config,
                "--member" => &mut flags.member,
                "--secrets" => &mut flags.secrets,
                "--data" => &mut flags.data,
                "--run" => &mut flags.run,
                "--ready" => &mut flags.ready,
                _ => return Err(format!("unknown argument {flag:?}")),
            };
            let value = value.or_else(|| words.next()).unwrap_or_default();
            if value.is_empty() || value.starts_with("--") {
                return Err(format!("{flag} has no value"));
            }
            if place.replace(value).is_some() {
                return Err(format!("{flag} is given twice"));
            }
        }
        Ok(flags)
    }

    fn ready(&self, task: Task) -> Result<Option<u16>, String> {
        let Some(port) = &self.ready else {
            return Ok(None);
        };
        if !matches!(task, Task::Redis | Task::Sentinel) {
            return Err("--ready is of redis and sentinel".to_owned());
        }
        match port.parse() {
            Ok(port) if port != 0 => Ok(Some(port)),
            _ => Err(format!("--ready is {port:?}, which is no port")),
        }
    }

    fn place(self, task: Task) -> Result<Place, String> {
        let needed = |flag: &str, value: Option<String>| value.ok_or_else(|| format!("{flag} is missing"));
        // What is not needed is not used either.
        let optional = |flag: &str, value: Option<String>, is_needed: bool| match value {
            None if is_needed => Err(format!("{flag} is missing")),
            value => Ok(PathBuf::from(value.unwrap_or_default())),
        };
        let member = needed("--member", self.member)?;
        if !is_name(&member) {
            return Err(format!("--member is {member:?}, which is no name"));
        }
        Ok(Place::Mounted {
            config: needed("--config", self.config)?.into(),
            member,
            secrets: optional("--secrets", self.secrets, !matches!(task, Task::Kafka | Task::Etcd))?,
            data: optional("--data", self.data, task.starts_a_program())?,
            run: optional("--run", self.run, task.starts_a_program())?,
        })
    }
}

/// It becomes part of a file's name.
fn is_name(text: &str) -> bool {
    let mut components = Path::new(text).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(name)), None) if name == text)
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Task};
    use nova_member::Place;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(Into::into))
    }

    const ALL: &str = "--config /config --member redis-1 --secrets /secrets --data=/data --run /run/nova";

    #[test]
    fn a_member_is_told_where_everything_is() {
        let place = Place::Mounted {
            config: "/config".into(),
            member: "redis-1".into(),
            secrets: "/secrets".into(),
            data: "/data".into(),
            run: "/run/nova".into(),
        };
        for (word, task) in [
            ("redis", Task::Redis),
            ("sentinel", Task::Sentinel),
            ("kafka", Task::Kafka),
            ("postgres", Task::Postgres),
            ("etcd", Task::Etcd),
        ] {
            let expected = Arguments::Member {
                task,
                place: place.clone(),
                ready: None,
            };
            assert_eq!(parse(&format!("{word} {ALL}")), Ok(expected));
        }
        assert!(matches!(
            parse(&format!("redis {ALL} --ready 7379")),
            Ok(Arguments::Member { ready: Some(7379), .. })
        ));
        assert!(matches!(
            parse("probe sentinel --config /config --member sentinel-1 --secrets /secrets"),
            Ok(Arguments::Member {
                task: Task::ProbeSentinel,
                ..
            })
        ));
        assert!(parse("kafka --config /c --member kafka-1 --data /d --run /r").is_ok());
        assert!(parse("etcd --config /c --member etcd-1 --data /d --run /r").is_ok());
        assert_eq!(parse("redis --help"), Ok(Arguments::Help));
    }

    #[test]
    fn a_programs_arguments_are_its_own() {
        let words = ["/usr/bin/etcd", "--name", "etcd-1", "--help"].map(str::to_owned);
        for (word, softly) in [("run", false), ("run-softly", true)] {
            let words = words.clone().into();
            assert_eq!(
                parse(&format!("{word} /usr/bin/etcd --name etcd-1 --help")),
                Ok(Arguments::Program { words, softly })
            );
        }
    }

    #[test]
    fn wrong_usage_is_told() {
        for (line, told) in [
            ("", "nothing to do"),
            ("zookeeper", "unknown command \"zookeeper\""),
            ("run", "no program to run"),
            ("probe", "nothing to probe"),
            ("probe kafka", "cannot probe \"kafka\""),
            ("redis", "--member is missing"),
            ("redis --member", "--member has no value"),
            ("redis --member --config /config", "--member has no value"),
            ("redis --member a --member b", "--member is given twice"),
            ("redis --member ../a", "--member is \"../a\""),
            ("redis --member a/", "--member is \"a/\""),
            ("redis --dir /x", "unknown argument \"--dir\""),
            ("redis more", "unknown argument \"more\""),
            ("redis --member a --ready 0", "--ready is \"0\""),
            ("sentinel --member a --ready 65536", "--ready is \"65536\""),
            ("kafka --member a --ready 1", "--ready is of redis and sentinel"),
            (
                "redis --member a --config /c --data /d --run /r",
                "--secrets is missing",
            ),
            (
                "redis --member a --config /c --secrets /s --run /r",
                "--data is missing",
            ),
            (
                "redis --member a --config /c --secrets /s --data /d",
                "--run is missing",
            ),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.starts_with(told), "{line:?}: {error}");
        }
    }
}
