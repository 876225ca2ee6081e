//! What survives a power loss, by the level of durability. The power goes off
//! at random moments of a workload: what was not synced is there or not, by
//! sectors and in any order.

use dkdc_torture::rounds::{Kind, chance};

use crate::support::run;

#[test]
fn under_full_everything_acknowledged_survives_a_power_loss() {
    for _ in 0..3 {
        let seed = chance().expect("a seed");
        let tally = run().round(Kind::Power, seed).expect("nothing is lost");
        assert!(tally.losses >= 60 && tally.acknowledged > 0, "{tally}");
        assert_eq!(tally.relaxed, 0, "{tally}");
    }
}

#[test]
fn under_relaxed_a_power_loss_leaves_whole_commits_up_to_some_moment() {
    let mut taken = 0;
    for _ in 0..2 {
        let seed = chance().expect("a seed");
        let tally = run()
            .round(Kind::Relaxed, seed)
            .expect("a beginning of what was");
        assert!(tally.losses >= 60, "{tally}");
        taken += tally.relaxed;
    }
    assert!(taken > 0, "relaxed took nothing: the losses lose nothing");
}

/// A kill leaves what the process had written, as far as the system knows it.
#[test]
fn under_relaxed_everything_acknowledged_survives_a_kill() {
    let mut acknowledged = 0;
    // A third of the rounds are relaxed.
    for seed in 1..=4 {
        let tally = run().round(Kind::Deaths, seed).expect("nothing is lost");
        acknowledged += tally.acknowledged;
    }
    assert!(acknowledged > 0);
}
