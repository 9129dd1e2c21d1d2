use std::time::Duration;

use flywheel_auth::{Algorithm, Curve};
use flywheel_testkit::Signer;
use serde_json::json;

use super::*;

const ONE: u8 = 1;
const TWO: u8 = 2;

fn at(seconds: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(seconds)
}

fn set(names: &[(&str, u8)]) -> KeySet {
    let keys: Vec<_> = names.iter().map(|(name, seed)| Signer::Ed25519(*seed).jwk(name)).collect();
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn step(shelf: &Shelf, now: Timestamp, kid: &str, waited: bool) -> String {
    let request = KeyRequest::new("", kid, Algorithm::EdDsa);
    match shelf.step(now, &request, waited, &Limits::default()) {
        Step::AnswerAndRead(_) => "key, read".into(),
        Step::Answer(Ok(_)) => "key".into(),
        Step::Answer(Err(error)) => error.to_string(),
        Step::Wait(_) => "wait".into(),
        Step::Read => "read".into(),
    }
}

fn read_at(now: Timestamp) -> Shelf {
    let mut shelf = Shelf::default();
    shelf.end(now, Ok(set(&[("one", ONE)])));
    shelf
}

#[test]
fn the_first_request_reads_and_the_others_wait() {
    let mut shelf = Shelf::default();
    assert_eq!(step(&shelf, at(0), "one", false), "read");
    let (ended, reading) = watch::channel(());
    shelf.begin(reading);
    assert_eq!(step(&shelf, at(0), "one", false), "wait");
    assert_eq!(step(&shelf, at(1), "two", false), "wait");
    shelf.end(at(1), Ok(set(&[("one", ONE)])));
    drop(ended);
    assert_eq!(step(&shelf, at(1), "one", true), "key");
    assert_eq!(step(&shelf, at(1), "two", true), "the key set has no such key");
}

#[test]
fn a_read_that_ends_without_a_word_does_not_block_the_next() {
    let mut shelf = Shelf::default();
    let (ended, reading) = watch::channel(());
    shelf.begin(reading);
    drop(ended);
    assert_eq!(step(&shelf, at(1), "one", true), "key set unavailable: it was not read");
    assert_eq!(step(&shelf, at(1), "one", false), "read");
}

#[test]
fn an_unknown_name_reads_again_once_in_a_while() {
    let shelf = read_at(at(10));
    assert_eq!(step(&shelf, at(11), "two", false), "the key set had no such key moments ago");
    assert_eq!(step(&shelf, at(14), "two", false), "the key set had no such key moments ago");
    assert_eq!(step(&shelf, at(15), "two", false), "read");
    assert_eq!(step(&shelf, at(15), "one", false), "key");
}

#[test]
fn a_key_for_another_algorithm_reads_nothing() {
    let shelf = read_at(at(0));
    let request = KeyRequest::new("", "one", Algorithm::Ecdsa(Curve::P256));
    let step = shelf.step(at(60), &request, false, &Limits::default());
    assert!(matches!(step, Step::Answer(Err(KeySetError::UnfitKey))), "{step:?}");
}

#[test]
fn a_set_is_renewed_before_it_gets_old_and_no_longer_counts_when_it_is() {
    let shelf = read_at(at(0));
    assert_eq!(step(&shelf, at(299), "one", false), "key");
    assert_eq!(step(&shelf, at(300), "one", false), "key, read");
    assert_eq!(step(&shelf, at(599), "one", false), "key, read");
    assert_eq!(step(&shelf, at(600), "one", false), "read");
}

#[test]
fn a_key_that_was_taken_back_is_gone_with_the_next_read() {
    let mut shelf = read_at(at(0));
    shelf.end(at(300), Ok(set(&[("two", TWO)])));
    assert_eq!(step(&shelf, at(301), "two", false), "key");
    assert_eq!(step(&shelf, at(301), "one", true), "the key set has no such key");
}

#[test]
fn old_keys_count_while_the_endpoint_is_down_but_not_for_ever() {
    let mut shelf = read_at(at(0));
    shelf.end(at(600), Err("down".into()));
    assert_eq!(step(&shelf, at(600), "one", true), "key");
    assert_eq!(step(&shelf, at(600), "one", false), "key");
    assert_eq!(step(&shelf, at(600), "two", false), "key set unavailable: down");
    shelf.end(at(21_599), Err("down".into()));
    assert_eq!(step(&shelf, at(21_599), "one", false), "key");
    assert_eq!(step(&shelf, at(21_600), "one", false), "key set unavailable: down");
}

#[test]
fn failures_are_remembered_for_longer_and_longer() {
    let mut shelf = Shelf::default();
    let mut now = 0;
    for pause in [1, 2, 4, 8, 16, 30, 30, 30] {
        shelf.end(at(now), Err("down".into()));
        assert_eq!(step(&shelf, at(now + pause - 1), "one", false), "key set unavailable: down", "{pause}");
        assert_eq!(step(&shelf, at(now + pause), "one", false), "read", "{pause}");
        now += pause;
    }
    shelf.end(at(now), Ok(set(&[("one", ONE)])));
    shelf.end(at(now + 5), Err("down".into()));
    assert_eq!(step(&shelf, at(now + 6), "two", false), "read");
}
