use crate::case::{Case, PING, PONG, Reply, TEXT, first, last, middle, ping, whole};

/// Cases 5.*: fragmented messages, with control frames between the fragments, and fragments out of place.
///
/// Many of them repeat another one with other chunks.
pub(crate) fn cases() -> Vec<Case> {
    let (one, two) = (b"fragment1", b"fragment2");
    let both = || vec![Reply::Text(b"fragment1fragment2".to_vec())];
    let hello = whole(TEXT, b"Hello, world!");
    let mut cases = vec![
        Case::fails("5.1", vec![first(PING, one), last(two)], vec![], 1002),
        Case::fails("5.2", vec![first(PONG, one), last(two)], vec![], 1002),
    ];
    for id in ["5.3", "5.4", "5.5"] {
        cases.push(Case::passes(id, vec![first(TEXT, one), last(two)], both()));
    }
    for id in ["5.6", "5.7", "5.8"] {
        let mut replies = both();
        replies.insert(0, Reply::Pong(b"between".to_vec()));
        cases.push(Case::passes(id, vec![first(TEXT, one), ping(b"between"), last(two)], replies));
    }
    for id in ["5.9", "5.10", "5.11"] {
        cases.push(Case::fails(id, vec![last(b"of nothing"), hello.clone()], vec![], 1002).with_step(1));
    }
    for id in ["5.12", "5.13", "5.14"] {
        cases.push(Case::fails(id, vec![middle(b"of nothing"), hello.clone()], vec![], 1002).with_step(1));
    }
    let steps = vec![first(TEXT, one), last(two), middle(b"fragment3"), whole(TEXT, b"fragment4")];
    cases.push(Case::fails("5.15", steps, both(), 1002));
    for (id, start) in [("5.16", middle(one)), ("5.17", last(one))] {
        let round = [start, first(TEXT, two), last(b"fragment3")];
        cases.push(Case::fails(id, [round.clone(), round].concat(), vec![], 1002).with_step(1));
    }
    let steps = vec![first(TEXT, one), whole(TEXT, two)];
    cases.push(Case::fails("5.18", steps, vec![], 1002).with_step(2));
    for id in ["5.19", "5.20"] {
        let steps = vec![
            first(TEXT, b"a"),
            middle(b"b"),
            ping(b"ping 1"),
            middle(b"c"),
            middle(b"d"),
            ping(b"ping 2"),
            last(b"e"),
        ];
        let pong = |payload: &[u8]| Reply::Pong(payload.to_vec());
        cases.push(Case::passes(
            id,
            steps,
            vec![pong(b"ping 1"), pong(b"ping 2"), Reply::Text(b"abcde".to_vec())],
        ));
    }
    cases
}
