use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Nodes that ping each other, with faults on the way.
struct World {
    views: Vec<View<()>>,
    mute: Vec<bool>,
    deaf: Vec<bool>,
    /// Nodes hear only those with the same number.
    side: Vec<u8>,
    /// A node's own pings come back to it although others do not get them.
    echo: bool,
    now: u64,
    gone: Vec<(u64, usize, String)>,
}

impl World {
    fn new(nodes: usize) -> Self {
        let view = |node: usize| View::new(&node.to_string(), Timing::REFERENCE, at(0));
        Self {
            views: (0..nodes).map(view).collect(),
            mute: vec![false; nodes],
            deaf: vec![false; nodes],
            side: vec![0; nodes],
            echo: false,
            now: 0,
            gone: Vec::new(),
        }
    }

    fn ping(&mut self, from: usize, ready: bool) {
        let now = at(self.now);
        let uid = from.to_string();
        self.views[from].handle_sent(now);
        let sound = self.views[from].soundness(now) == Soundness::Sound;
        let said = Said { hears: self.views[from].hears(now), ready, sound };
        let mut greet = Vec::new();
        for to in 0..self.views.len() {
            let passes = !self.mute[from] && !self.deaf[to] && self.side[from] == self.side[to];
            if to == from {
                if passes || self.echo {
                    self.views[to].handle_echo(now);
                }
            } else if passes && self.views[to].handle_ping(now, &uid, (), Some(said.clone())) {
                greet.push(to);
            }
        }
        // Greeted at once, so that nobody waits a round to be known.
        for peer in greet {
            if !self.mute[peer] && !self.deaf[from] {
                let said = Said { hears: self.views[peer].hears(now), ready, sound: true };
                self.views[from].handle_ping(now, &peer.to_string(), (), Some(said));
            }
        }
    }

    /// Every node pings every three seconds, each at its own moment.
    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.now += 100;
            for node in 0..self.views.len() {
                if (self.now + 700 * node as u64).is_multiple_of(3000) {
                    self.ping(node, true);
                }
                for uid in self.views[node].expire(at(self.now)) {
                    self.gone.push((self.now, node, uid));
                }
            }
        }
    }

    fn sick(&self) -> Vec<usize> {
        let sick = |node: &usize| self.views[*node].soundness(at(self.now)) != Soundness::Sound;
        (0..self.views.len()).filter(sick).collect()
    }

    /// Runs on and asserts that never anybody else than `allowed` thinks that it is sick.
    fn run_and_watch(&mut self, seconds: u64, allowed: &[usize]) {
        for _ in 0..seconds {
            self.run(1);
            assert!(
                self.sick().iter().all(|node| allowed.contains(node)),
                "{:?} at {} ms",
                self.sick(),
                self.now
            );
        }
    }

    fn sees(&self, node: usize) -> Vec<&str> {
        self.views[node].peers().map(|(uid, ())| uid).collect()
    }
}

#[test]
fn nodes_find_each_other_within_one_round() {
    let mut world = World::new(4);
    world.run(3);
    assert!((0..4).all(|node| world.views[node].nodes() == 4));
    world.run_and_watch(60, &[]);
    assert_eq!(world.gone, []);
}

#[test]
fn a_mute_node_knows_it_and_the_others_drop_it() {
    let mut world = World::new(4);
    world.run(10);
    world.mute[2] = true;
    world.run_and_watch(10, &[2]);
    assert_eq!(world.sick(), [2]);
    assert_eq!(world.sees(0), ["1", "3"]);
    assert_eq!(world.sees(2), ["0", "1", "3"], "it still hears them, and thinks nothing is wrong with them");
    world.mute[2] = false;
    world.run(4);
    assert_eq!((world.sick(), world.sees(0).len()), (vec![], 3));
}

#[test]
fn a_node_whose_messages_reach_only_itself_learns_it_from_the_lists_of_others() {
    for nodes in [2, 3, 5] {
        let mut world = World::new(nodes);
        world.run(10);
        (world.mute[0], world.echo) = (true, true);
        world.run_and_watch(16, &[0]);
        assert_eq!(world.sick(), [0], "of {nodes}");
        let judged = world.views[0].soundness(at(world.now));
        assert!(
            matches!(judged, Soundness::Unheard { by, of, .. } if by == of && of == nodes - 1),
            "{judged:?}"
        );
    }
}

#[test]
fn a_deaf_node_is_the_sick_one_and_not_those_that_it_does_not_hear() {
    for nodes in [2, 3, 4] {
        let mut world = World::new(nodes);
        world.run(10);
        world.deaf[1] = true;
        world.run_and_watch(60, &[1]);
        assert_eq!(world.sick(), [1]);
        assert_eq!(world.sees(0).len(), nodes - 1, "it is still heard");
        assert!(world.views[1].hears(at(world.now)).is_empty());
    }
}

#[test]
fn one_peer_that_does_not_hear_a_node_is_outvoted() {
    let mut view = View::new("me", Timing::REFERENCE, at(0));
    for round in 0..10 {
        let now = at(round * 3000);
        view.handle_sent(now);
        view.handle_echo(now);
        for (uid, hears) in [("a", vec![]), ("b", vec!["me".to_owned()])] {
            view.handle_ping(now, uid, (), Some(Said { hears, ready: true, sound: true }));
        }
    }
    assert_eq!(view.soundness(at(30_000)), Soundness::Sound);
}

#[test]
fn two_rounds_must_miss_the_node_and_it_must_have_pinged_in_each() {
    let said = || Some(Said { hears: vec!["a".into()], ready: true, sound: true });
    let mut view = View::new("me", Timing::REFERENCE, at(0));
    view.handle_echo(at(8000));
    view.handle_ping(at(0), "a", (), said());
    view.handle_ping(at(3000), "a", (), said());
    view.handle_ping(at(6000), "a", (), said());
    assert_eq!(view.soundness(at(6000)), Soundness::Sound, "it had sent nothing");
    view.handle_sent(at(6500));
    view.handle_ping(at(9000), "a", (), said());
    view.handle_ping(at(12_000), "a", (), said());
    assert_eq!(view.soundness(at(12_000)), Soundness::Sound, "one round is not two");
    view.handle_sent(at(12_500));
    view.handle_ping(at(13_000), "a", (), said());
    let unheard = Soundness::Unheard { by: 1, of: 1, since: at(9000) };
    assert_eq!(view.soundness(at(13_000)), unheard);
}

#[test]
fn nodes_of_other_makes_are_peers_but_no_judges() {
    let mut view = View::new("me", Timing::REFERENCE, at(0));
    for round in 0..10 {
        let now = at(round * 3000);
        view.handle_sent(now);
        view.handle_echo(now);
        assert_eq!(view.handle_ping(now, "other", (), None), round == 0);
    }
    assert_eq!(view.soundness(at(28_000)), Soundness::Sound);
    assert_eq!(view.ready_elsewhere_at(), None);
}

#[test]
fn a_node_that_leaves_is_gone_at_once_and_one_that_is_silent_after_seven_seconds() {
    let mut view = View::new("me", Timing::REFERENCE, at(0));
    for uid in ["a", "b"] {
        view.handle_ping(at(1000), uid, (), Some(Said { ready: true, ..Said::default() }));
    }
    assert!(view.handle_leave("a") && !view.handle_leave("a"));
    assert_eq!(view.expire(at(8000)), Vec::<String>::new());
    assert_eq!(view.ready_elsewhere_at(), Some(at(1000)));
    assert_eq!(view.expire(at(8001)), ["b"]);
    assert_eq!((view.nodes(), view.ready_elsewhere_at()), (1, None));
}

#[test]
fn a_node_that_cannot_send_says_so_and_not_that_it_hears_nothing() {
    let mut view: View<()> = View::new("me", Timing::REFERENCE, at(0));
    assert_eq!(view.soundness(at(7000)), Soundness::Unsent(at(0)));
    view.handle_sent(at(7000));
    assert_eq!(view.soundness(at(7000)), Soundness::NoEcho(at(0)));
    view.handle_echo(at(7001));
    assert_eq!(view.soundness(at(7001)), Soundness::Sound);
}

proptest! {
    /// Whatever a world of five goes through, once the faults are gone everybody sees everybody and nobody is sick.
    #[test]
    fn healed_worlds_agree(faults in prop::collection::vec((0..5usize, any::<[bool; 2]>(), 0..2u8, 1..25u64), 0..8)) {
        let mut world = World::new(5);
        world.run(5);
        for (node, [mute, deaf], side, seconds) in faults {
            (world.mute[node], world.deaf[node], world.side[node]) = (mute, deaf, side);
            world.run(seconds);
        }
        (world.mute, world.deaf, world.side) = (vec![false; 5], vec![false; 5], vec![0; 5]);
        world.run(10);
        prop_assert_eq!(world.sick(), Vec::<usize>::new());
        prop_assert!((0..5).all(|node| world.views[node].nodes() == 5));
    }

    /// A single fault never makes a healthy node think that it is sick.
    #[test]
    fn one_faulty_node_drains_nobody_else(nodes in 2..6usize, mute: bool, deaf: bool, before in 1..7u64) {
        let mut world = World::new(nodes);
        world.run(3 + before);
        (world.mute[0], world.deaf[0]) = (mute, deaf);
        world.run_and_watch(40, &[0]);
        prop_assert_eq!(world.sick().is_empty(), !(mute || deaf));
    }
}
