//! What anybody may publish to a channel of Redis, or have stored there: no panic, and what is understood is within it.
#![no_main]

use bytes::Bytes;
use flywheel_redis::envelope::{Message, list_item, message, stored_client_info, stored_publication};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(Message::Publication { publication, previous, .. }) = message(&bytes) {
        let previous = previous.map_or(0, |previous| previous.data.len());
        assert!(publication.data.len() + previous <= data.len());
    }
    drop(stored_publication(&bytes, 1));
    drop(stored_client_info(&bytes));
    if let Ok((_, body)) = list_item(&bytes) {
        assert!(body.len() < data.len());
    }
});
