//! What members are run with: the programs that a machine must have, and the image that holds them in a cluster.

/// A program that a machine must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// One that the distribution brings, found in the directories of programs.
    Packaged(Packaged),
    /// PostgreSQL, of which the distribution keeps versions side by side.
    Postgres(Packaged),
    /// Patroni, in a virtual environment of its own.
    Patroni,
    /// Kafka's jars, in a directory of their own.
    Kafka,
}

/// A program that the distribution brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packaged {
    /// What people call it.
    pub name: &'static str,
    /// The program's file name.
    pub program: &'static str,
    /// What makes it tell its version.
    pub version_flag: &'static str,
    /// How it begins when it tells its version; what does not is another program.
    pub introductions: &'static [&'static str],
    /// The oldest version that will do.
    pub at_least: [u32; 2],
    /// What needs it.
    pub why: &'static str,
    /// The package that brings it.
    pub package: &'static str,
}

impl Program {
    /// What its place is asked for by: see `nova_local::doctor::Programs::path`.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Packaged(packaged) | Self::Postgres(packaged) => packaged.program,
            Self::Patroni => "patroni",
            Self::Kafka => "kafka",
        }
    }
}

/// An image that members run in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// What it is called.
    pub name: &'static str,
    /// How it is built.
    pub containerfile: &'static str,
    /// Nova's own program that starts what runs in it.
    pub starter: &'static str,
    /// What lies beside the Containerfile besides that.
    pub holds: Holds,
}

/// What an image is made of that no distribution brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Nothing.
    Nothing,
    /// Kafka's jars.
    KafkaJars,
    /// Patroni's packages.
    PatroniWheels,
}
