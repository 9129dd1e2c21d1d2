use crate::case::{BINARY, CLOSE, Case, Reply, TEXT, frame, ping, whole};

/// Cases 3.*: reserved bits without an extension. Cases 4.*: reserved opcodes.
pub(crate) fn cases() -> Vec<Case> {
    let hello = b"Hello, world!";
    let echo = || vec![Reply::Text(hello.to_vec())];
    let mut cases = vec![
        Case::fails("3.1", vec![frame(true, 1, TEXT, hello)], vec![], 1002),
        Case::fails("3.5", vec![frame(true, 5, BINARY, &[0x00, 0xFF, 0xFE])], vec![], 1002),
        Case::fails("3.6", vec![frame(true, 6, BINARY, hello)], vec![], 1002),
        Case::fails("3.7", vec![frame(true, 7, CLOSE, b"")], vec![], 1002),
    ];
    for (id, rsv) in [("3.2", 2), ("3.3", 3), ("3.4", 4)] {
        let steps = vec![whole(TEXT, hello), frame(true, rsv, TEXT, hello), ping(b"")];
        cases.push(Case::fails(id, steps, echo(), 1002));
    }
    for (group, first_opcode) in [("4.1", 3), ("4.2", 11)] {
        let reserved = |offset: u8, payload: &[u8]| whole(first_opcode + offset, payload);
        let behind_text = |offset, payload| vec![whole(TEXT, hello), reserved(offset, payload), ping(b"")];
        let id = |number: u8| format!("{group}.{number}");
        cases.push(Case::fails(&id(1), vec![reserved(0, b"")], vec![], 1002));
        cases.push(Case::fails(&id(2), vec![reserved(1, b"with a payload")], vec![], 1002));
        cases.push(Case::fails(&id(3), behind_text(2, b""), echo(), 1002));
        cases.push(Case::fails(&id(4), behind_text(3, hello), echo(), 1002));
        cases.push(Case::fails(&id(5), behind_text(4, hello), echo(), 1002));
    }
    cases
}
