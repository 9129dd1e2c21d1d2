use super::*;

const GRACE: Duration = Duration::from_secs(3);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn finding(ok: bool, since: u64) -> Finding {
    let reason = if ok { "" } else { "no answer" };
    Finding { name: "db".into(), ok, reason: reason.into(), since: at(since), decided: false }
}

/// (now, serves, since when, another node said at this time that it is fit) and whether the node is ready then.
fn replay(scope: Scope, steps: &[(u64, bool, u64, Option<u64>, bool)]) {
    let mut readiness = Readiness::new(GRACE, scope);
    for (now, ok, since, fit_at, ready) in steps {
        let elsewhere = Elsewhere { fit_at: fit_at.map(at) };
        readiness.evaluate(at(*now), vec![finding(*ok, *since)], elsewhere);
        assert_eq!(readiness.report().ready, *ready, "at {now} s");
    }
}

#[test]
fn a_fault_counts_when_it_has_lasted_and_a_recovery_at_once() {
    let steps = [
        (0, true, 0, None, true),
        (10, false, 9, None, true),
        (11, false, 9, None, true),
        (12, false, 9, None, false),
        (13, true, 13, None, true),
        // It last served long ago: there is no need to wait.
        (14, false, 10, None, false),
    ];
    replay(Scope::Any, &steps);
}

#[test]
fn a_blink_is_not_worth_a_word() {
    let mut readiness = Readiness::new(GRACE, Scope::Any);
    for (now, ok) in [(0, true), (1, false), (2, true), (3, false), (4, true)] {
        assert_eq!(readiness.evaluate(at(now), vec![finding(ok, now)], Elsewhere::default()), []);
    }
}

#[test]
fn each_change_is_told_once() {
    let mut readiness = Readiness::new(GRACE, Scope::Any);
    let mut told = Vec::new();
    for (now, ok) in [(0, true), (5, false), (6, false), (9, false), (10, true), (11, true)] {
        let since = if ok { now } else { 1 };
        told.extend(readiness.evaluate(at(now), vec![finding(ok, since)], Elsewhere::default()));
    }
    let entry = |ok, reason: &str, since| {
        Change::Entry(Entry { name: "db".into(), ok, reason: reason.into(), since: at(since) })
    };
    let expected =
        [entry(false, "no answer", 5), Change::Ready(false), entry(true, "", 10), Change::Ready(true)];
    assert_eq!(told, expected);
}

#[test]
fn a_decision_counts_at_once_whatever_others_say() {
    for scope in [Scope::Any, Scope::Own] {
        let mut readiness = Readiness::new(GRACE, scope);
        let decided = Finding { decided: true, ..finding(false, 10) };
        readiness.evaluate(at(10), vec![decided], Elsewhere::default());
        assert!(!readiness.report().ready && !readiness.report().fit);
    }
}

#[test]
fn with_scope_own_a_fault_that_others_share_drains_nobody() {
    let steps = [
        (0, true, 0, Some(0), true),
        // They may not have noticed yet.
        (5, false, 1, Some(1), true),
        (5, false, 1, Some(5), true),
        // One of them has had time to notice, and is fit: it is this node that has the fault.
        (6, false, 1, Some(6), false),
        (7, true, 7, Some(7), true),
        (60, false, 7, None, true),
    ];
    replay(Scope::Own, &steps);
    let mut readiness = Readiness::new(GRACE, Scope::Own);
    readiness.evaluate(at(60), vec![finding(false, 0)], Elsewhere::default());
    assert!(!readiness.report().fit, "others are told the truth, or nobody would ever drain");
}

#[test]
fn an_entry_that_is_probed_no_more_is_gone() {
    let mut readiness = Readiness::new(GRACE, Scope::Any);
    readiness.evaluate(at(10), vec![finding(false, 0)], Elsewhere::default());
    assert_eq!(readiness.evaluate(at(11), Vec::new(), Elsewhere::default()), [Change::Ready(true)]);
    assert!(readiness.report().entries.is_empty());
}
