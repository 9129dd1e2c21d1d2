use crate::case::{BINARY, Case, Reply, TEXT, fragmented, whole};

/// Cases 9.*: large messages, a 64th of the suite's sizes. Case 10.1.1: a message in fragments of 1,300 bytes.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, (opcode, byte)) in [(TEXT, b'*'), (BINARY, 0xFE)].into_iter().enumerate() {
        let message = |size: usize| vec![byte; size];
        let reply = |payload| if opcode == TEXT { Reply::Text(payload) } else { Reply::Binary(payload) };
        let id = |group: usize, number: usize| format!("9.{}.{}", group + kind, number + 1);
        for (number, kib) in [64, 256, 1024, 4096, 8192, 16_384].into_iter().enumerate() {
            let payload = message(kib * 1024 / 64);
            cases.push(Case::passes(&id(1, number), vec![whole(opcode, &payload)], vec![reply(payload)]));
        }
        for number in 0..9 {
            let (payload, fragment) = (message(64 * 1024), 1 << (2 * number));
            let steps = fragmented(opcode, &payload, fragment);
            cases.push(Case::passes(&id(3, number), steps, vec![reply(payload)]));
        }
        // These differ in the chunks only.
        for number in 0..6 {
            let payload = message(16 * 1024);
            cases.push(Case::passes(&id(5, number), vec![whole(opcode, &payload)], vec![reply(payload)]));
        }
        for (number, size) in [0, 16, 64, 256, 1024, 4096].into_iter().enumerate() {
            let steps = vec![whole(opcode, &message(size)); 16];
            cases.push(Case::passes(&id(7, number), steps, vec![reply(message(size)); 16]));
        }
    }
    let payload = vec![b'*'; 65_536];
    cases.push(Case::passes("10.1.1", fragmented(TEXT, &payload, 1300), vec![Reply::Text(payload)]));
    cases
}
