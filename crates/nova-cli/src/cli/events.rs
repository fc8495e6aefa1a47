//! What can be typed after `nova events`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// List Kafka's topics
    Topics,
    /// Show how far each consumer is in each partition
    Lag,
    /// Print the last records of a topic, as committed
    Tail {
        /// As `nova events topics` names it
        topic: String,
        /// Of each partition
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
    },
    /// Look at events that could not be applied, and say what becomes of them
    Dlq {
        /// What to do
        #[command(subcommand)]
        action: Dlq,
    },
    /// Have a consumer begin anew with what Kafka has; what it applied already has no second effect
    Reset {
        /// As `nova events lag` names it
        consumer: String,
        /// Of this topic
        topic: String,
    },
    /// Have a consumer apply all that Kafka has once more
    Replay {
        /// As `nova events lag` names it
        consumer: String,
        /// Of this topic
        topic: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dlq {
    /// List what is put aside
    List {
        /// By this consumer; by all when absent
        consumer: Option<String>,
    },
    /// Print one event that is put aside
    Show {
        /// As the list names it
        consumer: String,
        /// As the list numbers it
        id: i64,
    },
    /// Have the consumer apply events again, each with all that wait behind it
    Redrive {
        /// As the list names it
        consumer: String,
        /// As the list numbers them
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<i64>,
        /// All that it has put aside
        #[arg(long)]
        all: bool,
    },
    /// Give events up: they will have no effect
    Drop {
        /// As the list names it
        consumer: String,
        /// As the list numbers them
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<i64>,
        /// All that it has put aside
        #[arg(long)]
        all: bool,
    },
}
