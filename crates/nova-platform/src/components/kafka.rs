//! Kafka: brokers that are controllers as well.

use std::time::Duration;

use super::facts::{Caller, ClusterDoor, Facts, Group, InCluster, Served, Shell, Sizes, Stop, join};
use super::{
    Area, BudgetKey, ComponentId, DrillDoor, DrillFacts, Holds, Image, Kind, Packaged, Port, Program, Stage, Switchover,
};

const BROKER: &[&str] = &["kafka"];

pub(super) static FACTS: Facts = Facts {
    needs: &[],
    groups: |spec, _| vec![Group::new(Kind::Kafka, "kafka", spec.kafka.members)],
    ports: |spec, _| {
        let port = |name, what, key, number| Port::new(Kind::Kafka, name, what, key, number);
        vec![
            port("kafka", "", "kafka.port", spec.kafka.port),
            port(
                "controller",
                " (controller)",
                "kafka.controller_port",
                spec.kafka.controller_port,
            ),
        ]
    },
    roles: true,
    leads: Some("controller"),
    keeps_data: true,
    managed: &[],
    secrets: &[],
    given: &[],
    callers: &[call("kafka", &["kafka", "controller"]), call("agent", BROKER)],
    served: &[Served {
        of: ComponentId::Kafka,
        to: Kind::Kafka,
        ports: BROKER,
    }],
    area: Area::Kafka,
    programs: &[
        Program::Packaged(Packaged {
            name: "Java",
            program: "java",
            version_flag: "-version",
            introductions: &["openjdk version \"", "java version \""],
            at_least: [17, 0],
            why: "Kafka runs on it",
            package: "default-jre-headless",
        }),
        Program::Kafka,
    ],
    image: Some(Image {
        name: "kafka",
        containerfile: include_str!("../../../../deploy/images/kafka/Containerfile"),
        starter: "nova-member",
        holds: Holds::KafkaJars,
    }),
    rendered: "kafka-statefulset.yaml",
    removal: Stage::Stores,
    stop: Stop {
        here: Duration::from_secs(10),
        linger: 1,
        grace: 30,
    },
    met: |endpoints, _| vec![("bootstrap", format!("kafka://{}", join(&endpoints.of(Kind::Kafka))))],
    cluster_doors: &[ClusterDoor {
        to: Kind::Kafka,
        name: "kafka",
        ports: BROKER,
    }],
    sizes: &[Sizes {
        kind: Kind::Kafka,
        requests: [250, 512],
        limits: [1000, 1024],
    }],
    shell: Some(Shell {
        here: |endpoints| {
            let at = endpoints
                .of(Kind::Kafka)
                .into_iter()
                .next()
                .map(|member| member.address.to_string());
            format!("kcat -b {} -L", at.unwrap_or_default())
        },
        in_cluster: InCluster::Exec(|spec| {
            format!(
                "java -cp '/opt/kafka/libs/*' org.apache.kafka.tools.TopicCommand --bootstrap-server localhost:{} --describe",
                spec.kafka.port
            )
        }),
    }),
    drill: Some(DrillFacts {
        doors: &[DrillDoor::Kafka],
        budget: Some(BudgetKey::Kafka),
        cut_off: true,
        disk_full: true,
        switchover: Some(Switchover::Partitions),
    }),
};

const fn call(from: &'static str, ports: &'static [&'static str]) -> Caller {
    Caller {
        from,
        to: Kind::Kafka,
        ports,
    }
}
