//! An echo server on the shard loop of the messaging server, for conformance suites: every message comes back with its
//! type. `ws_echo --port 9001`, with `--deflate` also compressed.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use flywheel_hub::{ClientKey, Outbox};
use flywheel_model::Now;
use flywheel_runtime::Clock;
use flywheel_transport::{
    Admission, Application, ConnectionLimits, Control, Io, Reactor, ReactorSettings, listen,
};
use flywheel_websocket::{Deflate, Deflater, MessageKind, Opcode, Request, Rules, Utf8, write_frame};

/// Echoes WebSocket messages of up to 16 MiB in up to 65,537 fragments.
#[derive(Parser)]
struct Arguments {
    /// Port on 127.0.0.1; 0 lets the system choose.
    #[arg(long, default_value_t = 9001)]
    port: u16,
    /// Agree to permessage-deflate.
    #[arg(long)]
    deflate: bool,
}

struct Echo {
    outbox: Outbox,
    /// Set when compression is on.
    deflater: Option<Deflater>,
    /// What was agreed with each client, by slot.
    agreed: Vec<Option<Deflate>>,
}

impl Application for Echo {
    type Context = Option<Deflate>;

    fn admit(&mut self, request: &Request<'_>, _rest: &[u8]) -> Admission<Option<Deflate>> {
        let offers = request.items("sec-websocket-extensions");
        let deflate = self.deflater.as_ref().and_then(|_| Deflate::accept(offers));
        Admission::WebSocket { subprotocol: None, deflate, context: deflate }
    }

    fn opened(&mut self, _io: &mut Io, key: ClientKey, agreed: Option<Deflate>) {
        let index = key.slot as usize;
        self.agreed.resize(self.agreed.len().max(index + 1), None);
        self.agreed[index] = agreed;
    }

    fn message(&mut self, io: &mut Io, slot: u32, kind: MessageKind, payload: &[u8]) {
        let opcode = match kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        let agreed = self.agreed.get(slot as usize).copied().flatten();
        let deflater =
            self.deflater.as_mut().filter(|_| agreed.is_some_and(|agreed| agreed.fits(payload.len())));
        let deflated = deflater.and_then(|deflater| deflater.deflate(payload));
        let span = self.outbox.append(|arena| {
            write_frame(arena, opcode, deflated.unwrap_or(payload), deflated.is_some());
        });
        if self.outbox.push(slot, span).is_err() {
            io.drop_connection(slot);
        }
        io.make_room(&mut self.outbox);
    }

    fn ended(&mut self, _io: &mut Io, _slot: u32) {}

    fn gone(&mut self, slot: u32) {
        self.outbox.close(slot);
    }

    fn turn(&mut self, _io: &mut Io) {}

    fn idle(&self, _now: Now) -> Option<Duration> {
        None
    }

    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { port, deflate } = Arguments::parse();
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], port)), 1)?.pop().ok_or("no listener")?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let rules = Rules { utf8: Utf8::Check, max_message: 16 << 20, max_fragments: 65_537, ..Rules::default() };
    let (handshake_timeout, write_timeout) = (Duration::from_secs(10), Duration::from_secs(10));
    let limits = ConnectionLimits { write_timeout, rules, decompressed_max: rules.max_message };
    let settings = ReactorSettings { handshake_timeout, limits: Arc::new(limits) };
    let (poll, bell) = Reactor::<Echo>::poll_and_bell()?;
    let deflater = deflate.then(|| Deflater::new(1));
    let echo = Echo { outbox: Outbox::new(64 << 20), deflater, agreed: Vec::new() };
    let reactor = Reactor::new(listener, Clock::system(), settings, |_handoff| false, bell, poll, echo)?;
    reactor.run(|_, _| Control::Run)?;
    Ok(())
}
