//! What survives a power loss, by the level of durability. The power goes off
//! at random moments of a workload: what was not synced is there or not, by
//! sectors and in any order.

use dkdc_torture::random::Random;
use dkdc_torture::rounds::Kind;
use dkdc_torture::rounds::keeping::Template;
use dkdc_torture::rounds::sealing::can_be_stopped;

use crate::seed::seed;
use crate::skipped::skipped;
use crate::support::run;

#[test]
fn under_full_everything_acknowledged_survives_a_power_loss() {
    let mut seeds = Random::new(seed());
    for _ in 0..3 {
        let tally = run().round(Kind::Power, seeds.number());
        let tally = tally.expect("nothing is lost");
        assert!(tally.losses >= 60 && tally.acknowledged > 0, "{tally}");
        assert_eq!(tally.relaxed, 0, "{tally}");
    }
}

#[test]
fn under_relaxed_a_power_loss_leaves_whole_commits_up_to_some_moment() {
    let mut seeds = Random::new(seed());
    let mut taken = 0;
    for _ in 0..2 {
        let tally = run().round(Kind::Relaxed, seeds.number());
        let tally = tally.expect("a beginning of what was");
        assert!(tally.losses >= 60, "{tally}");
        taken += tally.relaxed;
    }
    assert!(taken > 0, "relaxed took nothing: the losses lose nothing");
}

/// The failure to prevent: what was said to be erased comes back, a prune or a clear is
/// there by half, or a backup has its name and is not whole.
#[test]
fn what_takes_something_away_is_done_or_not_when_the_power_goes() {
    let mut seeds = Random::new(seed());
    for _ in 0..2 {
        let tally = run().round(Kind::PowerKeeping, seeds.number());
        let tally = tally.unwrap_or_else(|error| panic!("{error}"));
        assert!(tally.losses >= 60 && tally.acknowledged > 0, "{tally}");
    }
}

#[test]
fn a_backup_and_what_an_erase_removes_are_on_the_disk_before_they_are_said() {
    if !can_be_stopped() {
        skipped("there is no strace on this machine");
        return;
    }
    let run = run();
    let template = Template::new(&run).expect("a store");
    let judged = template.is_synced();
    judged.unwrap_or_else(|error| panic!("{error}"));
}

/// A kill leaves what the process had written, as far as the system knows it.
#[test]
fn under_relaxed_everything_acknowledged_survives_a_kill() {
    let mut seeds = Random::new(seed());
    let mut acknowledged = 0;
    for _ in 0..2 {
        let tally = run().round(Kind::RelaxedDeaths, seeds.number());
        let tally = tally.unwrap_or_else(|error| panic!("{error}"));
        acknowledged += tally.acknowledged;
    }
    assert!(acknowledged > 0);
}
