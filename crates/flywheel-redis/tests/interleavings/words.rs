//! What a server reads.

use bytes::Bytes;

use crate::resp::{Decoder, Limits, Value};

/// The commands in `bytes`, word by word.
pub(crate) fn commands(bytes: &[u8]) -> Vec<Vec<Bytes>> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.buffer().extend_from_slice(bytes);
    let mut commands = Vec::new();
    while let Some(value) = decoder.take().unwrap() {
        let Value::Array(words) = value else { unreachable!("a command is an array") };
        commands.push(words.iter().map(|word| word.bytes().unwrap().clone()).collect());
    }
    commands
}
