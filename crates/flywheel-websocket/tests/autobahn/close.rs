use crate::case::{CLOSE, Case, Reply, TEXT, close, first, last, ping, whole};

/// Cases 7.*: closing, with all codes one may and may not send.
pub(crate) fn cases() -> Vec<Case> {
    let hello = b"Hello World!";
    let echo = || Reply::Text(hello.to_vec());
    let closed = |code: u16| Reply::Close(Some(code));
    let with_reason = |reason: &[u8]| whole(CLOSE, &[&1000_u16.to_be_bytes(), reason].concat());
    let long = "BAsd7&jh23".repeat(26_215).into_bytes();
    let mut cases = vec![
        Case::passes("7.1.1", vec![whole(TEXT, hello)], vec![echo()]),
        Case::ends("7.1.2", vec![close(1000), whole(CLOSE, b"")], vec![closed(1000)]),
        Case::ends("7.1.3", vec![close(1000), ping(b"")], vec![closed(1000)]),
        Case::ends("7.1.4", vec![close(1000), whole(TEXT, hello)], vec![closed(1000)]),
        Case::ends(
            "7.1.5",
            vec![first(TEXT, b"fragment1"), close(1000), last(b"fragment2")],
            vec![closed(1000)],
        ),
        Case::ends(
            "7.1.6",
            vec![whole(TEXT, &long), whole(TEXT, hello), close(1000), ping(b"")],
            vec![Reply::Text(long), echo(), closed(1000)],
        ),
        Case::ends("7.3.1", vec![whole(CLOSE, b"")], vec![Reply::Close(None)]),
        Case::fails("7.3.2", vec![whole(CLOSE, b"a")], vec![], 1002),
        Case::ends("7.3.3", vec![close(1000)], vec![closed(1000)]),
        Case::ends("7.3.4", vec![with_reason(hello)], vec![closed(1000)]),
        Case::ends("7.3.5", vec![with_reason(&[b'*'; 123])], vec![closed(1000)]),
        Case::fails("7.3.6", vec![with_reason(&[b'*'; 124])], vec![], 1002),
        Case::fails("7.5.1", vec![with_reason(b"\xCE\xBA\xED\xA0\x80edited")], vec![], 1007),
        Case::fails("7.13.1", vec![close(5000)], vec![], 1002),
        Case::fails("7.13.2", vec![close(65_535)], vec![], 1002),
    ];
    let valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    for (index, code) in valid.into_iter().enumerate() {
        cases.push(Case::ends(&format!("7.7.{}", index + 1), vec![close(code)], vec![closed(code)]));
    }
    let invalid = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
    for (index, code) in invalid.into_iter().enumerate() {
        cases.push(Case::fails(&format!("7.9.{}", index + 1), vec![close(code)], vec![], 1002));
    }
    cases
}
