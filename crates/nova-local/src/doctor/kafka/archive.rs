//! The archive of Kafka's classes: a lone broker starts in a directory of its own, and Java writes down at its end what it
//! loaded. Brokers that start with it need half the processor time, and share its memory.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{CLASS_ARCHIVE, kafka_jars};

const LIMIT: Duration = Duration::from_secs(120);
/// Options that must be those of a real broker.
const OPTIONS: [&str; 4] = [
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xlog:disable",
];

pub(super) fn make(java: &Path, jars: &Path) -> io::Result<()> {
    let directory = jars.join("archive.new");
    fs::create_dir_all(&directory)?;
    let made = try_make(java, jars, &directory);
    fs::remove_dir_all(&directory)?;
    made
}

fn try_make(java: &Path, jars: &Path, directory: &Path) -> io::Result<()> {
    let (broker, controller) = (free_port()?, free_port()?);
    let properties = format!(
        "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\ncontroller.listener.names=CONTROLLER\n\
         controller.quorum.bootstrap.servers=127.0.0.1:{controller}\nlog.dirs={}\n",
        directory.join("data").display()
    );
    fs::write(directory.join("server.properties"), properties)?;
    let class_path = kafka_jars()
        .map(|jar| jars.join(jar).display().to_string())
        .collect::<Vec<_>>()
        .join(":");
    let start = |arguments: &[&str]| {
        let mut command = Command::new(java);
        command
            .args(OPTIONS)
            .args(arguments)
            .current_dir(directory)
            .env("CLASSPATH", &class_path);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    };
    let format = [
        "kafka.tools.StorageTool",
        "format",
        "--standalone",
        "--cluster-id=bm92YS1rYWZrYS1hcmNoaQ",
        "--config=server.properties",
    ];
    wait(start(&format)?, "formatting")?;

    let archive = format!("-XX:ArchiveClassesAtExit={}", directory.join(CLASS_ARCHIVE).display());
    let mut running = start(&[&archive, "kafka.Kafka", "server.properties"])?;
    let deadline = Instant::now() + LIMIT;
    while std::net::TcpStream::connect(("127.0.0.1", broker)).is_err() {
        if running.try_wait()?.is_some() || Instant::now() > deadline {
            let _ = running.kill();
            running.wait()?;
            return Err(io::Error::other("the broker did not start"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    kill(
        Pid::from_raw(i32::try_from(running.id()).map_err(io::Error::other)?),
        Signal::SIGTERM,
    )?;
    // The signal ends it with a status that says so; whether the archive is there is what counts.
    let _ = wait(running, "the broker");
    let archive = jars.join(CLASS_ARCHIVE);
    fs::rename(directory.join(CLASS_ARCHIVE), &archive)?;
    super::open_to_all(&archive).map_err(io::Error::other)
}

fn wait(mut child: Child, what: &str) -> io::Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(io::Error::other(format!("{what} ended with {status}"))),
            None if Instant::now() > deadline => {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::other(format!("{what} took too long")));
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
