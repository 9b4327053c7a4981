//! The lease contract: fleets in a simulation, and single cases.
//!
//! Owns: what must hold.
//! Does not own: the simulation ([`super::simulation`]), the real server ([`super::redis`]).

use std::time::Duration;

use haul_fleet::{
    Ended, Failure, Finished, Member, Next, Outcome, Prepared, Results, Run, Server, Settings, pack,
};

use crate::fake::FakeServer;
use crate::simulation::{Faults, LEASE, NEVER, Random, Seeded, simulate};

#[test]
fn every_slice_has_one_owner_and_counts_once() {
    for seed in 0..400 {
        simulate(seed, false, Faults { losses: 8, deaths: 40, rollbacks: NEVER });
    }
}

#[test]
fn a_server_that_forgets_its_last_changes_loses_no_slice() {
    for seed in 0..400 {
        simulate(seed, false, Faults { losses: 8, deaths: 60, rollbacks: 60 });
    }
}

#[test]
fn every_slice_becomes_one_shard() {
    for seed in 0..600 {
        simulate(seed, true, Faults { losses: 8, deaths: 25, rollbacks: NEVER });
    }
}

#[test]
fn a_server_that_forgets_its_last_changes_loses_no_shard() {
    for seed in 0..400 {
        simulate(seed, true, Faults { losses: 8, deaths: 60, rollbacks: 60 });
    }
}

#[test]
fn a_fleet_without_faults_does_each_line_once() {
    simulate(1, false, Faults { losses: NEVER, deaths: NEVER, rollbacks: NEVER });
}

fn counting(from: u64) -> Random {
    let mut random = Seeded(from);
    Box::new(move |out| out.iter_mut().for_each(|byte| *byte = random.next() as u8))
}

/// Makes the calls of `member` until it sleeps. Returns what they meant.
fn settle(member: &mut Member<Random>, server: &mut FakeServer) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    loop {
        let now = Duration::from_millis(server.now_ms);
        let Next::Call(call) = member.next(now) else { return outcomes };
        let outcome = member.answered(server.call(&call), now);
        if outcome != Outcome::Nothing {
            outcomes.push(outcome);
        }
    }
}

fn one_slice(deliveries_max: u32) -> FakeServer {
    let mut run = Run::new(FakeServer::default());
    let settings = Settings { lease: Duration::from_millis(LEASE), deliveries_max, ..Settings::default() };
    run.create(&settings, &[]).unwrap();
    run.add(1, 1, pack(&["a"])).unwrap();
    run.fill(&[]).unwrap();
    run.into_server()
}

#[test]
fn a_slice_that_outlives_its_nodes_is_set_aside_with_the_reasons() {
    let mut server = one_slice(3);
    for number in 1..=3 {
        let mut member = Member::new(&format!("node-{number}"), counting(number));
        member.want(1);
        let taken = settle(&mut member, &mut server);
        assert!(
            matches!(&taken[..], [Outcome::Taken { deliveries, .. }] if *deliveries == number),
            "{taken:?}"
        );
        server.now_ms += LEASE;
    }
    let mut last = Member::new("last", counting(9));
    last.want(1);
    assert_eq!(settle(&mut last, &mut server), [Outcome::Ended(Ended::Complete)]);
    assert_eq!(server.set_aside(), 1);
    let (mut run, mut said) = (Run::new(server), Vec::new());
    run.each(haul_fleet::Kept::Reasons, |id, text| said.push((id.to_owned(), text.to_vec()))).unwrap();
    let text = String::from_utf8(said[0].1.clone()).unwrap();
    assert!((1..=3).all(|number| text.contains(&format!("node-{number} was silent"))), "{text}");
    // It can be tried again, once.
    assert!(run.retry("1-0", 1, None).unwrap());
    assert!(!run.retry("1-0", 1, None).unwrap());
    assert_eq!(run.status().unwrap().total("slices"), 2);
}

#[test]
fn a_late_finisher_is_fenced_and_a_lost_answer_is_not() {
    let mut server = one_slice(5);
    let mut late = Member::new("late", counting(1));
    late.want(1);
    let [Outcome::Taken { id, .. }] = &settle(&mut late, &mut server)[..] else { panic!("nothing taken") };
    let id = id.clone();
    let finished = || Finished {
        id: id.clone(),
        report: Vec::new(),
        failures: Vec::new(),
        totals: vec![("succeeded", 1)],
    };
    server.now_ms += LEASE;
    assert!(!late.may_start(&id, Duration::from_millis(server.now_ms)));
    let mut other = Member::new("other", counting(2));
    other.want(1);
    assert!(matches!(settle(&mut other, &mut server)[..], [Outcome::Taken { deliveries: 2, .. }]));

    late.want(0);
    assert!(late.finish(finished()), "it doesn't know yet");
    assert_eq!(settle(&mut late, &mut server), [Outcome::Fenced(id.clone())]);
    assert_eq!(server.total("succeeded"), 0);

    // The answer to the acknowledgement is lost: it is repeated, and counts once.
    other.want(0);
    assert!(other.finish(finished()));
    let now = Duration::from_millis(server.now_ms);
    let Next::Call(call) = other.next(now) else { panic!("no call") };
    server.call(&call).unwrap();
    other.answered(Err(Failure::Lost(String::new())), now);
    server.now_ms += 10_000;
    assert_eq!(settle(&mut other, &mut server), [Outcome::Acknowledged(id)]);
    assert_eq!((server.total("succeeded"), server.total("done")), (1, 1));
}

#[test]
fn a_node_that_knows_that_its_lease_is_lost_hears_so_when_it_finishes() {
    let mut server = one_slice(5);
    let (mut late, mut other) = (Member::new("late", counting(1)), Member::new("other", counting(2)));
    late.want(1);
    settle(&mut late, &mut server);
    server.now_ms += LEASE;
    other.want(1);
    settle(&mut other, &mut server);
    late.want(0);
    assert_eq!(settle(&mut late, &mut server), [Outcome::Lost(vec!["1-0".to_owned()])]);
    let (id, totals) = ("1-0".to_owned(), Vec::new());
    assert!(!late.finish(Finished { id, report: Vec::new(), failures: Vec::new(), totals }));
    assert!(late.is_idle());
}

#[test]
fn a_node_that_is_given_its_own_slice_goes_on_with_it() {
    let mut server = one_slice(5);
    let mut member = Member::new("slow", counting(1));
    member.want(1);
    settle(&mut member, &mut server);
    // The call for another slice is on its way for longer than the lease; meanwhile the work is done.
    member.want(2);
    let Next::Call(call) = member.next(Duration::from_millis(server.now_ms)) else { panic!("no call") };
    server.now_ms += LEASE;
    let finished = Finished {
        id: "1-0".to_owned(),
        report: Vec::new(),
        failures: Vec::new(),
        totals: vec![("succeeded", 1)],
    };
    assert!(member.finish(finished));
    let now = Duration::from_millis(server.now_ms);
    assert_eq!(member.answered(server.call(&call), now), Outcome::Nothing);
    let outcomes = settle(&mut member, &mut server);
    assert_eq!(outcomes, [Outcome::Acknowledged("1-0".to_owned()), Outcome::Ended(Ended::Complete)]);
    assert!(member.is_idle());
    assert_eq!(server.total("succeeded"), 1);
}

#[test]
fn what_was_prepared_is_known_to_the_next_node_and_can_be_adopted_once() {
    let mut server = one_slice(5);
    let (mut first, mut second) = (Member::new("first", counting(1)), Member::new("second", counting(2)));
    first.want(1);
    settle(&mut first, &mut server);
    let id = "1-0".to_owned();
    let prepared = |count| Prepared {
        end: Finished {
            id: "1-0".to_owned(),
            report: Vec::new(),
            failures: Vec::new(),
            totals: vec![("succeeded", count)],
        },
        attempt: 0,
        results: Results { name: "shard".to_owned(), identity: "1024".to_owned() },
    };
    first.want(0);
    first.prepare(prepared(7));
    assert_eq!(settle(&mut first, &mut server), [Outcome::Prepared(id.clone())]);
    server.now_ms += LEASE;
    second.want(1);
    let taken = settle(&mut second, &mut server);
    let [Outcome::Taken { prepared: known, .. }] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!(known, &[prepared(7).results]);

    // Another end under the same number would hide the first.
    second.want(0);
    second.prepare(prepared(8));
    assert_eq!(settle(&mut second, &mut server), [Outcome::Lost(vec![id.clone()])]);
    server.now_ms += LEASE;
    let mut third = Member::new("third", counting(3));
    third.want(1);
    settle(&mut third, &mut server);
    third.want(0);
    assert!(third.adopt(&id, 0));
    // The answer is lost: it is repeated, and counts once.
    let now = Duration::from_millis(server.now_ms);
    let Next::Call(call) = third.next(now) else { panic!("no call") };
    server.call(&call).unwrap();
    third.answered(Err(Failure::Lost(String::new())), now);
    server.now_ms += 10_000;
    assert_eq!(settle(&mut third, &mut server), [Outcome::Acknowledged(id.clone())]);
    assert_eq!((server.total("succeeded"), server.total("done")), (7, 1));

    first.prepare(prepared(7));
    assert_eq!(settle(&mut first, &mut server), [Outcome::Lost(vec![id])]);
    assert!(first.is_idle());
}

#[test]
fn a_node_that_leaves_gives_back_without_blame() {
    let mut server = one_slice(1);
    for number in 0..5 {
        let mut member = Member::new("leaver", counting(number));
        member.want(1);
        let taken = settle(&mut member, &mut server);
        assert!(matches!(taken[..], [Outcome::Taken { deliveries: 1, .. }]), "{number}: {taken:?}");
        member.leave();
        settle(&mut member, &mut server);
        assert_eq!(member.next(Duration::from_millis(server.now_ms)), Next::Left);
    }
    assert_eq!(server.set_aside(), 0);
}
