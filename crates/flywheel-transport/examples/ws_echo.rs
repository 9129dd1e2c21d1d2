//! An echo server on the shard loop of the messaging server, for conformance suites: every message comes back with its
//! type. `ws_echo --port 9001`.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use flywheel_hub::{ClientKey, Outbox};
use flywheel_model::Now;
use flywheel_runtime::Clock;
use flywheel_transport::{Admission, Application, Control, Io, Reactor, ReactorSettings, listen};
use flywheel_websocket::{MessageKind, Opcode, Request, Rules, Utf8, write_frame};

/// Echoes WebSocket messages of up to 16 MiB in up to 65,537 fragments.
#[derive(Parser)]
struct Arguments {
    /// Port on 127.0.0.1; 0 lets the system choose.
    #[arg(long, default_value_t = 9001)]
    port: u16,
}

struct Echo(Outbox);

impl Application for Echo {
    type Context = ();

    fn admit(&mut self, _request: &Request<'_>, _rest: &[u8]) -> Admission<()> {
        Admission::WebSocket { subprotocol: None, context: () }
    }

    fn opened(&mut self, _io: &mut Io, _key: ClientKey, (): ()) {}

    fn message(&mut self, io: &mut Io, slot: u32, kind: MessageKind, payload: &[u8]) {
        let opcode = match kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        let span = self.0.append(|arena| write_frame(arena, opcode, payload, false));
        if self.0.push(slot, span).is_err() {
            io.drop_connection(slot);
        }
        if self.0.is_full() {
            io.flush(&mut self.0);
        }
    }

    fn ended(&mut self, _io: &mut Io, _slot: u32) {}

    fn gone(&mut self, slot: u32) {
        self.0.close(slot);
    }

    fn turn(&mut self, _io: &mut Io) {}

    fn idle(&self, _now: Now) -> Option<Duration> {
        None
    }

    fn outbox(&mut self) -> &mut Outbox {
        &mut self.0
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = Arguments::parse().port;
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], port)), 1)?.pop().ok_or("no listener")?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let rules = Rules { utf8: Utf8::Check, max_message: 16 << 20, max_fragments: 65_537, ..Rules::default() };
    let (handshake_timeout, write_timeout) = (Duration::from_secs(10), Duration::from_secs(10));
    let settings = ReactorSettings { handshake_timeout, write_timeout, rules };
    let (poll, bell) = Reactor::<Echo>::poll_and_bell()?;
    let echo = Echo(Outbox::new(64 << 20));
    let reactor = Reactor::new(listener, Clock::system(), settings, |_handoff| false, bell, poll, echo)?;
    reactor.run(|_, _| Control::Run)?;
    Ok(())
}
