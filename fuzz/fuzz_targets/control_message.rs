//! No bytes between nodes make the reader panic, and what it reads comes out as it went in.
#![no_main]

use flywheel_protocol::control::Command;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok((uid, body)) = Command::read(bytes) else { return };
    let again = Command::of(&uid, body.clone()).to_bytes();
    let read = Command::read(&again);
    // Not a number is not equal to itself.
    let same = format!("{:?}", Ok::<_, ()>((uid, body)));
    assert_eq!(format!("{:?}", read.map_err(|_| ())), same);
});
