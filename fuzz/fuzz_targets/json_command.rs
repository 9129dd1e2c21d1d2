//! No JSON frame makes decoder or session panic, leave something behind, or send what is no JSON.
#![no_main]

use flywheel_protocol::client::Encoding;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| flywheel_fuzz::drive(Encoding::Json, frame));
