//! A server whose subscribers all get documents, and what each delivery costs it.

use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::client::{self, Wishes};
use crate::flywheel::{Flywheel, Liveness};
use crate::http::{self, Http};
use crate::peer::Peer;
use crate::{document, meter, wire};

/// Who gets how much in one run.
#[derive(Clone, clap::Args)]
pub(super) struct Load {
    /// Number of subscribers.
    #[arg(long, default_value_t = 1000)]
    pub(super) connections: usize,
    /// Bytes of a document, several to compare.
    #[arg(long, value_delimiter = ',', default_value = "512,4096")]
    pub(super) bytes: Vec<usize>,
    /// Documents in one run.
    #[arg(long, default_value_t = 100)]
    pub(super) documents: usize,
}

/// What a delivery took.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    /// Microseconds of CPU.
    pub(super) us: f64,
    /// Bytes on the wire, before TCP.
    pub(super) bytes: f64,
}

/// A server with subscribers that all wish the same.
pub(super) struct Receivers {
    server: Flywheel,
    sink: Peer,
    /// One more subscriber, whose bytes are those of everybody.
    probe: TcpStream,
    unread: Vec<u8>,
    api: Http,
    connections: usize,
    delta: bool,
    next: usize,
}

impl Receivers {
    /// Starts the server at `program` and subscribes `connections` clients.
    pub(super) fn start(program: &Path, connections: usize, wishes: Wishes) -> Result<Self> {
        let server = Flywheel::start(program, Liveness::NEVER)?;
        let (address, number) = (server.address.to_string(), connections.to_string());
        let mut arguments = vec!["--address", &address, "--connections", &number];
        let channel = channel();
        arguments.extend(["--channel", &channel]);
        arguments.extend(wishes.delta.then_some("--delta"));
        arguments.extend(wishes.deflate.then_some("--deflate"));
        let mut sink = Peer::start("sink", &arguments)?;
        sink.hear("ready")?;
        let probe = client::open(server.address, &channel, wishes)?;
        probe.set_nonblocking(false)?;
        probe.set_read_timeout(Some(Duration::from_secs(10)))?;
        let api = Http::connect(server.address)?;
        Ok(Self { server, sink, probe, unread: Vec::new(), api, connections, delta: wishes.delta, next: 0 })
    }

    /// Publishes so many documents of about `bytes` bytes, one after the other.
    pub(super) fn measure(&mut self, bytes: usize, documents: usize) -> Result<Cost> {
        let pid = self.server.peer.pid();
        let before = meter::cpu_ns(pid)?;
        let mut sent = 0;
        for _ in 0..documents {
            self.next += 1;
            let data = document::data(bytes, self.next);
            let body = format!(r#"{{"channel":"{}","data":{data},"delta":{}}}"#, channel(), self.delta);
            let answer = self.api.call(&http::post("/api/publish", &body))?;
            ensure!(
                answer.starts_with(br#"{"result":{"#),
                "answered with {}",
                String::from_utf8_lossy(answer)
            );
            let frame = self.frame()?;
            self.sink.ask(&format!("burst {frame}"), "done")?;
            sent += frame;
        }
        let cpu = meter::cpu_ns(pid)? - before;
        self.sink.ask("quiet", "done")?;
        let deliveries = (documents * (self.connections + 1)) as f64;
        Ok(Cost { us: cpu / deliveries / 1e3, bytes: sent as f64 / documents as f64 })
    }

    /// Length of the next frame.
    fn frame(&mut self) -> Result<usize> {
        let mut chunk = [0; 16 * 1024];
        loop {
            let mut rest = self.unread.as_slice();
            if let Some(frame) = wire::take_frame(&mut rest)? {
                let length = frame.len();
                self.unread.drain(..length);
                return Ok(length);
            }
            let count = self.probe.read(&mut chunk).context("awaiting a publication")?;
            ensure!(count > 0, "the server closed the probe");
            self.unread.extend_from_slice(&chunk[..count]);
        }
    }
}

fn channel() -> String {
    format!("{}:{}", wire::LOG, wire::CHANNEL)
}
