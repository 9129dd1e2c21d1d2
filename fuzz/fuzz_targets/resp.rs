//! Any bytes in any chunks: no panic, the same values as in one piece, and no memory because of what a length says.
//!
//! Three bytes choose the bounds and one the chunks; the rest is what a server sends.
#![no_main]

use flywheel_redis::resp::{Decoder, Limits, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [bytes_max, elements_max, depth, chunk, bytes @ ..] = data else { return };
    let limits = Limits {
        bytes: usize::from(*bytes_max) * 8,
        elements: usize::from(*elements_max),
        depth: usize::from(*depth % 8) + 1,
    };
    let whole = decode(limits, [bytes]);
    assert_eq!(whole, decode(limits, bytes.chunks(usize::from(*chunk % 32) + 1)));
    assert_eq!(whole, decode(limits, bytes.chunks(1)));
});

/// The values in words, and whether an error ended them.
fn decode<'c>(limits: Limits, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<String> {
    let (mut decoder, mut seen) = (Decoder::new(limits), Vec::new());
    for chunk in chunks {
        decoder.buffer().extend_from_slice(chunk);
        loop {
            match decoder.take() {
                Ok(Some(value)) => {
                    assert!(elements(&value) <= limits.elements.max(1));
                    // Numbers that are none are equal to nothing, not even to themselves; their words are.
                    seen.push(format!("{value:?}"));
                }
                Ok(None) => break,
                Err(_) => {
                    // Which of several faults is found first depends on how much has come.
                    seen.push("a fault".to_owned());
                    return seen;
                }
            }
        }
    }
    seen
}

fn elements(value: &Value) -> usize {
    match value {
        Value::Array(items) | Value::Push(items) => 1 + items.iter().map(elements).sum::<usize>(),
        Value::Map(pairs) => {
            1 + pairs.iter().map(|(key, value)| elements(key) + elements(value)).sum::<usize>()
        }
        _ => 1,
    }
}
