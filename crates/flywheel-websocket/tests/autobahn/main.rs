//! The behaviours of the Autobahn test suite's server cases 1 to 7, 9 and 10, by number, for those who lack the suite.
//!
//! Each case is played against an echo server made of nothing but this crate, with its bytes whole, one by one, and cut
//! at random. Sizes of the cases 9 are scaled down; everything that the suite only times is left out.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail loudly")]

mod case;
mod close;
mod fragments;
mod framing;
mod limits;
mod reserved;
mod utf8;

use case::Case;

fn all() -> Vec<Case> {
    let mut cases = framing::cases();
    cases.extend(reserved::cases());
    cases.extend(fragments::cases());
    cases.extend(utf8::cases());
    cases.extend(close::cases());
    cases.extend(limits::cases());
    cases
}

#[test]
fn every_case_is_answered_as_expected_in_every_chunking() {
    for case in all() {
        case.check();
    }
}

#[test]
fn no_case_is_missing_or_twice_in_the_table() {
    let expected =
        [("1", 16), ("2", 11), ("3", 7), ("4", 10), ("5", 20), ("6", 145), ("7", 37), ("9", 54), ("10", 1)];
    let mut ids: Vec<String> = all().into_iter().map(|case| case.id).collect();
    for (category, count) in expected {
        let found = ids.iter().filter(|id| id.split('.').next() == Some(category)).count();
        assert_eq!(found, count, "cases {category}.*");
    }
    let total = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), total);
}
