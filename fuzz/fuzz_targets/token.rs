//! No token makes the verifier panic, neither as it came nor with a good signature around the same bytes.
#![no_main]

use flywheel_auth::{TokenSettings, Verifier, sign};
use flywheel_model::UnixSeconds;
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "secret";
const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

fuzz_target!(|text: &str| {
    for skip_signature in [false, true] {
        let settings = TokenSettings {
            hmac_secret_key: Some(SECRET.into()),
            skip_signature,
            ..TokenSettings::default()
        };
        let Ok(verifier) = Verifier::new(settings) else { return };
        for token in [text, &sign::sign_hs256(SECRET.as_bytes(), text)] {
            let connection = verifier.verify_connect(token, NOW);
            let subscription = verifier.verify_subscription(token, NOW);
            assert!(connection.is_err() || subscription.is_err(), "one token is good for both");
        }
    }
});
