//! No Protobuf frame makes decoder or session panic or leave something behind.
#![no_main]

use flywheel_protocol::client::Encoding;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| flywheel_fuzz::drive(Encoding::Protobuf, frame));
