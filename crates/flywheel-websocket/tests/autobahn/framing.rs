use crate::case::{BINARY, Case, PONG, Reply, TEXT, ping, whole};

/// Cases 1.*: one message of a given size. Cases 2.*: pings and pongs.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // The eighth differs from the seventh in its chunks only, and each case is played in many.
    for (index, size) in [0, 125, 126, 127, 128, 65_535, 65_536, 65_536].into_iter().enumerate() {
        let (text, binary) = (vec![b'*'; size], vec![0xFE; size]);
        let number = index + 1;
        cases.push(Case::passes(&format!("1.1.{number}"), vec![whole(TEXT, &text)], vec![Reply::Text(text)]));
        cases.push(Case::passes(
            &format!("1.2.{number}"),
            vec![whole(BINARY, &binary)],
            vec![Reply::Binary(binary)],
        ));
    }
    let pong = |payload: &[u8]| Reply::Pong(payload.to_vec());
    let high = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF];
    for (id, payload) in [
        ("2.1", &b""[..]),
        ("2.2", b"Hello, world!"),
        ("2.3", &high),
        ("2.4", &[0xFE; 125]),
        ("2.6", &[0xFE; 125]),
    ] {
        cases.push(Case::passes(id, vec![ping(payload)], vec![pong(payload)]));
    }
    cases.push(Case::fails("2.5", vec![ping(&[0xFE; 126])], vec![], 1002));
    let unasked = whole(PONG, b"nobody asked");
    cases.push(Case::passes("2.7", vec![whole(PONG, b"")], vec![]));
    cases.push(Case::passes("2.8", vec![unasked.clone()], vec![]));
    cases.push(Case::passes("2.9", vec![unasked, ping(b"asked")], vec![pong(b"asked")]));
    for id in ["2.10", "2.11"] {
        let payloads: Vec<Vec<u8>> = (0..10).map(|index| format!("ping {index}").into_bytes()).collect();
        let pings = payloads.iter().map(|payload| ping(payload)).collect();
        cases.push(Case::passes(id, pings, payloads.iter().map(|payload| pong(payload)).collect()));
    }
    cases
}
