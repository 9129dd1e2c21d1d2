use crate::cells::{CODE_CELLS, Cells, Counters};
use crate::declare::Declare;
use crate::labels::{EMPTY, FrameType, Transport};

pub(crate) const FLOWS: usize = Transport::COUNT * FrameType::COUNT;

/// Metrics of what goes over the wire.
pub struct TransportMetrics {
    sent: Flow,
    received: Flow,
    closes: Counters,
}

impl TransportMetrics {
    pub(crate) fn new(declare: &mut Declare) -> Self {
        let labels = &["transport", "frame_type", "channel_namespace"];
        Self {
            sent: Flow {
                messages: Cells::new(
                    declare.counters(
                        "centrifugo_transport_messages_sent",
                        labels,
                        "Protocol messages sent to clients.",
                    ),
                    FLOWS,
                ),
                bytes: Cells::new(
                    declare.counters(
                        "centrifugo_transport_messages_sent_size",
                        labels,
                        "Bytes of these messages, before framing and compression.",
                    ),
                    FLOWS,
                ),
            },
            received: Flow {
                messages: Cells::new(
                    declare.counters(
                        "centrifugo_transport_messages_received",
                        labels,
                        "Protocol messages that came from clients.",
                    ),
                    FLOWS,
                ),
                bytes: Cells::new(
                    declare.counters(
                        "centrifugo_transport_messages_received_size",
                        labels,
                        "Bytes of these messages, after framing and compression are undone.",
                    ),
                    FLOWS,
                ),
            },
            closes: Cells::new(
                declare.counters(
                    "centrifugo_transport_outgoing_close_count",
                    &["transport", "code"],
                    "Connections that the server closed with a code.",
                ),
                Transport::COUNT * CODE_CELLS,
            ),
        }
    }

    /// The server closed a connection with this code.
    pub fn closed(&self, transport: Transport, code: u32) {
        let labels = |code| [transport.as_str().to_owned(), code];
        self.closes.of_code(transport as usize, code, labels).inc();
    }

    pub(crate) fn add_sent(&self, tally: &Tally) {
        self.sent.add(tally);
    }

    pub(crate) fn add_received(&self, tally: &Tally) {
        self.received.add(tally);
    }
}

/// Messages of one direction and their bytes.
struct Flow {
    messages: Counters,
    bytes: Counters,
}

impl Flow {
    fn add(&self, tally: &Tally) {
        for transport in Transport::ALL {
            for frame_type in FrameType::ALL {
                let index = flow_index(*transport, *frame_type);
                let (messages, bytes) = tally.0[index];
                let labels = [transport.as_str(), frame_type.as_str(), EMPTY];
                self.messages.add(index, labels, messages);
                self.bytes.add(index, labels, bytes);
            }
        }
    }
}

/// Messages and bytes of one direction, not yet in the registry.
pub(crate) struct Tally([(u64, u64); FLOWS]);

impl Tally {
    pub(crate) fn new() -> Self {
        Self([(0, 0); FLOWS])
    }

    pub(crate) fn count(&mut self, transport: Transport, frame_type: FrameType, messages: u64, bytes: u64) {
        let (all_messages, all_bytes) = &mut self.0[flow_index(transport, frame_type)];
        *all_messages += messages;
        *all_bytes += bytes;
    }
}

fn flow_index(transport: Transport, frame_type: FrameType) -> usize {
    transport as usize * FrameType::COUNT + frame_type as usize
}
