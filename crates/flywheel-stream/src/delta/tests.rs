use super::*;
use proptest::prelude::*;

const BODY: &str = "the quick brown fox jumps over the lazy dog and then sleeps for a while";

fn document(seq: u32) -> Vec<u8> {
    format!(r#"{{"seq":{seq},"body":"{BODY}"}}"#).into_bytes()
}

/// Makes a patch, applies it, and answers it.
fn check(source: &[u8], target: &[u8]) -> Vec<u8> {
    let patch = diff(source, target, usize::MAX).unwrap();
    assert_eq!(apply(source, &patch, target.len()).unwrap(), target, "{}", String::from_utf8_lossy(&patch));
    patch
}

#[test]
fn a_changed_digit_gives_the_patch_of_the_protocols_example() {
    assert_eq!(check(&document(1), &document(2)), b"1Q\n7@0,1:21I@8,2UWYL8;");
    assert_eq!(check(&document(2), &document(3)), b"1Q\n7@0,1:31I@8,2UWYL9;");
}

#[test]
fn nothing_and_the_same_are_patches_too() {
    assert_eq!(check(b"", b""), b"0\n0;");
    assert_eq!(check(b"abc", b""), b"0\n0;");
    assert_eq!(check(b"", b"7"), b"1\n1:7s0000;");
    let same = document(1);
    assert_eq!(check(&same, &same).split(|byte| *byte == b'\n').nth(1).unwrap()[..5], *b"1Q@0,");
}

#[test]
fn a_patch_that_is_too_long_is_not_made() {
    assert_eq!(diff(b"{}", b"7", 1), None);
    let patch = check(&document(1), &document(2));
    assert_eq!(diff(&document(1), &document(2), patch.len()), Some(patch.clone()));
    assert_eq!(diff(&document(1), &document(2), patch.len() - 1), None);
    assert_eq!(shorter(&document(1), &document(2)), Some(patch));
    assert_eq!(shorter(b"0123456789", b"9876543210"), None);
    assert_eq!(shorter(b"", b""), None);
}

#[test]
fn moved_repeated_and_interleaved_parts_are_found() {
    let parts: Vec<_> =
        (0..20).map(|number| format!("part {number} is {} long;", "x".repeat(number * 3))).collect();
    let source = parts.concat().into_bytes();
    let moved = parts.iter().rev().cloned().collect::<String>().into_bytes();
    assert!(check(&source, &moved).len() < moved.len() / 3);
    let doubled = [source.as_slice(), b"-", &source].concat();
    assert!(check(&source, &doubled).len() < 60);
    let mut edited = source.clone();
    (0..edited.len()).step_by(97).for_each(|index| edited[index] = b'!');
    assert!(check(&source, &edited).len() < edited.len() / 4);
}

#[test]
fn a_repetitive_source_takes_no_quadratic_time() {
    // A quarter of a megabyte of the same: with every block compared with every other this would take minutes.
    let source = vec![b'a'; 1 << 18];
    let target: Vec<_> = (0..1 << 18).map(|index| if index % 40 == 39 { b'b' } else { b'a' }).collect();
    check(&source, &target);
}

#[test]
fn a_patch_of_text_is_text() {
    // The texts differ within characters, at the front, in the middle and at the end.
    let long = "Съешь же ещё этих мягких французских булок".repeat(3);
    let (source, target) = (format!("А{long}Б{long}я"), format!("Б{long}В{long}б"));
    let patch = check(source.as_bytes(), target.as_bytes());
    assert!(std::str::from_utf8(&patch).is_ok());
    assert!(patch.len() < 80, "{}", patch.len());
    let patch = check(&source.as_bytes()[1..], &target.as_bytes()[1..]);
    assert!(patch.len() < 80, "what is no text is cut anywhere");
}

#[test]
fn damaged_patches_are_refused_where_the_damage_is() {
    let source = document(1);
    let cases: [(&[u8], Flaw); 15] = [
        (b"", Flaw::Malformed(0)),
        (b"1Q", Flaw::Malformed(2)),
        (b"1Q\n", Flaw::Malformed(3)),
        (b"1Q\n7", Flaw::Malformed(4)),
        (b"1Q\n7@", Flaw::Malformed(5)),
        (b"1Q\n7@0;", Flaw::Malformed(6)),
        (b"1Q\n7#0,", Flaw::Malformed(4)),
        (b"1Q\n1Q@1,", Flaw::OutsideSource(8)),
        (b"1Q\n1@3~~~~~,", Flaw::OutsideSource(12)),
        (b"1\n7@0,", Flaw::Length(4)),
        (b"1Q\n7@0,0;", Flaw::Length(9)),
        (b"5\n5:ab", Flaw::Malformed(4)),
        (b"1\n1:7s0001;", Flaw::Checksum),
        (b"1\n1:7s0000;x", Flaw::Malformed(11)),
        (b"3~~~~~\n", Flaw::Length(6)),
    ];
    for (patch, flaw) in cases {
        assert_eq!(apply(&source, patch, 1000), Err(flaw), "{}", String::from_utf8_lossy(patch));
    }
}

fn similar() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let part = prop::collection::vec(0u8..4, 0..60);
    prop::collection::vec(part, 0..8).prop_flat_map(|parts| {
        let order = prop::collection::vec((0..8usize, any::<u8>()), 0..8);
        order.prop_map(move |order| {
            let pick = |(index, byte): (usize, u8)| {
                let mut part = parts.get(index).cloned().unwrap_or_default();
                part.push(byte);
                part
            };
            (parts.concat(), order.into_iter().flat_map(pick).collect())
        })
    })
}

proptest! {
    #[test]
    fn what_is_made_of_the_source_is_the_target(
        source in prop::collection::vec(any::<u8>(), 0..200), target in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        check(&source, &target);
    }

    #[test]
    fn the_same_holds_for_payloads_that_are_alike((source, target) in similar()) {
        check(&source, &target);
    }

    #[test]
    fn the_same_holds_for_text_and_its_patch_is_text(source in "[aбв€😀]{0,90}", tail in "[aбв€😀]{0,9}", cut in 0usize..90) {
        let target: String = source.chars().skip(cut).chain(tail.chars()).chain(source.chars().take(cut)).collect();
        prop_assert!(std::str::from_utf8(&check(source.as_bytes(), target.as_bytes())).is_ok());
    }

    #[test]
    fn garbage_is_refused_or_makes_no_more_than_it_may(
        source in prop::collection::vec(any::<u8>(), 0..50), patch in "[0-3A~\n@,:;]{0,40}"
    ) {
        if let Ok(target) = apply(&source, patch.as_bytes(), 100) {
            prop_assert!(target.len() <= 100);
        }
    }

    #[test]
    fn a_damaged_patch_never_makes_something_else_silently(seq in 0u32..1000, at in 0usize..30, byte in any::<u8>()) {
        let (source, target) = (document(seq), document(seq + 1));
        let mut patch = check(&source, &target);
        let at = at % patch.len();
        patch[at] = byte;
        if let Ok(made) = apply(&source, &patch, 1000) {
            prop_assert_eq!(made, target);
        }
    }
}
