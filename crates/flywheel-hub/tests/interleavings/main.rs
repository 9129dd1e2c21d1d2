//! Any order of publishing, trimming, expiry, subscribing, unsubscribing, reconnecting, losses on the way and new lives of
//! a stream, over a real shard: what each client sees has no hole that it was not told of.
//!
//! `FLYWHEEL_INTERLEAVINGS` says how many orders are tried, `FLYWHEEL_INTERLEAVINGS_SEED` where they begin. A failure
//! names the seed that shows it again.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers fail the test")]

mod observer;
mod random;
mod steps;
mod world;

use steps::run;
use world::Bug;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn no_client_misses_anything_in_silence() {
    let count = number("FLYWHEEL_INTERLEAVINGS", 1_000_000);
    let first = number("FLYWHEEL_INTERLEAVINGS_SEED", 1);
    println!("seeds {first} to {}", first + count - 1);
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let wrong = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    (first + worker..first + count).step_by(usize::try_from(threads).unwrap()).find_map(
                        |seed| run(seed, Bug::None).err().map(|wrong| format!("seed {seed}: {wrong}")),
                    )
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_planted_bug_is_caught() {
    for bug in [Bug::SkipOne, Bug::RepeatOne, Bug::DropHeldBack, Bug::WrongEpoch, Bug::ForgetHealing] {
        let caught = (1..20_000).find(|seed| run(*seed, bug).is_err());
        println!("{bug:?}: caught by seed {caught:?}");
        assert!(caught.is_some(), "{bug:?} is not caught");
    }
}
