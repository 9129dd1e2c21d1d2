//! Any bytes as the first request of a connection: no panic, and the pace at which they come changes no acceptance.
//!
//! The first byte chooses the size of the pieces.
#![no_main]

use flywheel_websocket::{HandshakeError, Head, Limits, Request, Upgrade, write_bad_request, write_response};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { head_bytes: 2048 };

fuzz_target!(|data: &[u8]| {
    let Some((size, bytes)) = data.split_first() else { return };
    let whole = Head::new(LIMITS).parse(bytes);
    let pieces = in_pieces(bytes, usize::from(*size).max(1));
    match (&whole, &pieces) {
        // Garbage is looked for at doubling lengths only, so it may go unnoticed until more has come.
        (Err(_), Err(_) | Ok(None)) => {}
        (whole, pieces) => {
            let head_len = |answer: &Result<Option<Request<'_>>, HandshakeError>| {
                answer.as_ref().ok().map(|request| request.as_ref().map(Request::head_len))
            };
            assert_eq!(head_len(whole), head_len(pieces));
        }
    }
    if let Ok(Some(request)) = &whole {
        assert!(request.head_len() <= LIMITS.head_bytes.min(bytes.len()));
        examine(request);
    }
});

fn in_pieces(bytes: &[u8], size: usize) -> Result<Option<Request<'_>>, HandshakeError> {
    let mut head = Head::new(LIMITS);
    for end in (0..bytes.len()).step_by(size).skip(1).chain([bytes.len()]) {
        if let Some(request) = head.parse(&bytes[..end])? {
            return Ok(Some(request));
        }
    }
    Ok(None)
}

fn examine(request: &Request<'_>) {
    let target = request.target();
    assert!(target.contains(request.path()) || request.path() == "/");
    assert!(request.query().is_none_or(|query| target.ends_with(query)));
    let mut out = Vec::new();
    match Upgrade::check(request) {
        Ok(upgrade) => {
            assert!(request.is_upgrade());
            let protocol = upgrade.protocols().next();
            let extensions = upgrade.extensions().next();
            write_response(&mut out, &upgrade.accept(), protocol, extensions);
            // The response must parse as one head without anything injected into it.
            let mut headers = 0;
            for line in out.split(|byte| *byte == b'\n').skip(1).filter(|line| line.len() > 1) {
                assert!(line.contains(&b':'));
                headers += 1;
            }
            assert_eq!(headers, 3 + usize::from(protocol.is_some()) + usize::from(extensions.is_some()));
        }
        Err(error) => write_bad_request(&mut out, error),
    }
}
