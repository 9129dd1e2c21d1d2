//! No body of the server API makes its readers panic. A first byte of 0 to 13 chooses the method; any
//! other one belongs to the body already, which is then read by all methods.
#![no_main]

use flywheel_api::api::{Call, Method};
use flywheel_protocol::api::{LegacyCommand, PublishRequest};
use flywheel_protocol::json;
use libfuzzer_sys::fuzz_target;

const METHODS: [Method; 14] = [
    Method::Publish,
    Method::Broadcast,
    Method::Subscribe,
    Method::Unsubscribe,
    Method::Disconnect,
    Method::Refresh,
    Method::Presence,
    Method::PresenceStats,
    Method::History,
    Method::HistoryRemove,
    Method::Channels,
    Method::Info,
    Method::Rpc,
    Method::Batch,
];

fuzz_target!(|data: &[u8]| {
    let (methods, body) = match data.split_first() {
        Some((choice @ 0..14, body)) => (&METHODS[usize::from(*choice)..][..1], body),
        _ => (&METHODS[..], data),
    };
    for method in methods {
        let Ok(call) = Call::read(*method, body) else { continue };
        assert_eq!(call.label(), method.label());
        // What is read and written again reads the same.
        if let Call::Publish(request) = &call {
            let mut out = Vec::new();
            json::write(request, &mut out);
            let again: PublishRequest =
                json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {request:?}"));
            assert_eq!(&again, request);
        }
    }
    // The single endpoint, whose bodies are any number of commands.
    for value in serde_json::Deserializer::from_slice(body).into_iter::<&serde_json::value::RawValue>() {
        let Ok(value) = value else { return };
        let Ok(command) = json::first_value::<LegacyCommand>(value.get().as_bytes()) else { return };
        let name: String = serde_json::from_slice(&command.method).unwrap_or_default();
        let number: u32 = serde_json::from_slice(&command.method).unwrap_or_default();
        if let Some(method) = Method::named(&name).or(Method::numbered(number)) {
            drop(Call::read(method, &command.params));
        }
    }
});
