//! The read path of whole small frames must not touch the allocator, and neither must the opening handshake.
#![expect(unsafe_code, reason = "an allocator that counts can only be written so; it passes everything on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use flywheel_websocket::{
    Decoder, Event, Head, Input, Limits, Opcode, Rules, Upgrade, Utf8, write_masked_frame,
};

thread_local! {
    /// Calls on this thread only, as the test harness allocates on others.
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: each call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        LARGEST.with(|largest| largest.set(largest.get().max(layout.size())));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often `work` allocates, and the bytes of the largest allocation.
fn allocations(work: impl FnOnce()) -> (usize, usize) {
    LARGEST.set(0);
    let before = CALLS.get();
    work();
    (CALLS.get() - before, LARGEST.get())
}

#[test]
fn whole_frames_are_decoded_without_an_allocation() {
    let mut scratch = Vec::new();
    for index in 0..100 {
        write_masked_frame(&mut scratch, Opcode::Text, &[b'x'; 200], false, [index; 4]);
        write_masked_frame(&mut scratch, Opcode::Ping, b"ping", false, [index; 4]);
    }
    let mut decoder = Decoder::new(Rules { utf8: Utf8::Check, ..Rules::default() });
    let mut bytes = 0;
    let counted = allocations(|| {
        let mut input = Input::new(&mut scratch);
        while let Some(event) = decoder.poll_event(&mut input).expect("valid frames") {
            if let Event::Message { payload, .. } | Event::Ping(payload) = event {
                bytes += payload.len();
            }
        }
    });
    assert_eq!((counted, bytes), ((0, 0), 100 * 204));
}

#[test]
fn a_header_that_claims_2_to_the_62_bytes_costs_the_same_as_any_other() {
    let mut header = vec![0x82, 0xFF];
    header.extend_from_slice(&(1_u64 << 62).to_be_bytes());
    header.extend_from_slice(&[1, 2, 3, 4]);
    let refusing = Rules::default();
    let taking = Rules { max_message: usize::MAX, ..refusing };
    let mut decoder = Decoder::new(refusing);
    assert_eq!(
        allocations(|| assert!(decoder.poll_event(&mut Input::new(&mut header.clone())).is_err())),
        (1, 14)
    );
    let mut decoder = Decoder::new(taking);
    let (_, largest) = allocations(|| {
        assert_eq!(decoder.poll_event(&mut Input::new(&mut header.clone())), Ok(None));
    });
    assert!(largest <= 256, "{largest}");
}

#[test]
fn the_handshake_is_read_without_an_allocation() {
    let head =
        b"GET /connection/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Protocol: centrifuge-json\r\n\r\n";
    let counted = allocations(|| {
        let request = Head::new(Limits::default()).parse(head).expect("valid").expect("complete");
        let upgrade = Upgrade::check(&request).expect("valid");
        assert_eq!(upgrade.choose_protocol(&["centrifuge-json"]), Some("centrifuge-json"));
        assert_eq!(&upgrade.accept(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    });
    assert_eq!(counted, (0, 0));
}
