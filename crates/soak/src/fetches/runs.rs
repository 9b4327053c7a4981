//! Runs of `haul get`, each followed by its check.
//!
//! Owns: disturbed runs, the undisturbed run at the end.
//! Does not own: judging what they made (see `judge`).

use std::fs;

use rustix::process::Signal;

use super::judge;
use super::world::{FetchWorld, Mode};
use crate::checker::report;
use crate::choice::Choice;
use crate::fault::{Checked, Fault};
use crate::program::deeds::{Deed, Harm, Timed};
use crate::program::limits::Limits;
use crate::program::run::{Ended, Order};
use crate::tally::Tally;
use crate::world::disk::Kind;

/// A run with a disturbance, while the server misbehaves.
pub(super) fn disturbed(world: &mut FetchWorld<'_>, choice: &mut Choice, tally: &mut Tally) -> Checked {
    let mut order = world.order(choice);
    let harm = *choice.pick(&[
        Harm::Nothing,
        Harm::Nothing,
        Harm::Kill,
        Harm::Kill,
        Harm::Interrupt,
        Harm::Terminate,
        Harm::Stop,
        Harm::InterruptTwice,
    ]);
    order.deeds = harm.deeds(choice);
    let mut filler = None;
    let cuts = world.disk.has_power() && choice.chance(40);
    if cuts {
        rustix::fs::sync();
        order.deeds = vec![Timed { at: choice.moment(), deed: Deed::CutPower(world.disk.root.clone()) }];
    } else if world.disk.kind == Kind::Tmpfs && choice.chance(60) {
        filler = Some(world.disk.fill(choice.below(2 << 20) as u64)?);
    } else if choice.chance(15) {
        let resolver = order.limits.resolver.take();
        order.limits = Limits { resolver, ..Limits::choose(choice, world.setup.spares_threads) };
    }
    let ended = run(world, order, tally)?;
    if cuts {
        world.disk.restore_power()?;
    }
    let full = filler.is_some();
    if let Some(filler) = filler {
        fs::remove_file(filler)?;
    }
    let word = match (cuts, full) {
        (true, _) => "power cut".to_owned(),
        (_, true) => format!("{harm:?} full disk"),
        _ => format!("{harm:?}"),
    };
    tally.one(format!("disturbances of get: {word}"));
    let ends = report::check(&ended)?;
    judge::disturbed(world, &ended, &ends, cuts, tally)
}

/// Two runs that fetch the same list into the same folder. Each file is still one version.
pub(super) fn two_at_once(world: &mut FetchWorld<'_>, choice: &mut Choice, tally: &mut Tally) -> Checked {
    let order = |choice: &mut Choice| {
        let mut order = world.order(choice);
        if choice.chance(40) {
            order.deeds = Harm::Kill.deeds(choice);
        }
        order
    };
    let orders = [order(choice), order(choice)];
    let [one, two] = orders.map(|order| world.setup.program.start(order));
    let (one, two) = (one?, two?);
    let two = std::thread::spawn(move || two.finish());
    let one = one.finish();
    let two = two.join().map_err(|_| Fault("the soak itself: a panic".to_owned()))?;
    tally.one("two runs of get at once");
    for ended in [one?, two?] {
        report::check(&ended)?;
        judge::shared(world, &ended, tally)?;
    }
    Ok(())
}

/// The server behaves and nothing disturbs the run: everything is complete after it.
pub(super) fn calm(world: &mut FetchWorld<'_>, choice: &mut Choice, tally: &mut Tally) -> Checked {
    world.origin.calm_down();
    if world.mode == Mode::Plain && world.target.exists() {
        // Results that exist would stay; only leftovers are of interest.
        for entry in fs::read_dir(&world.target)?.flatten() {
            let name = entry.file_name();
            if !name.to_string_lossy().starts_with('.') {
                fs::remove_file(entry.path())?;
            }
        }
    }
    world.resolver = None;
    let port = world.origin.server.address().port();
    let mut order = world.order(choice);
    order.args.extend(["--resolve".into(), format!("origin.test:{port}:127.0.0.1").into()]);
    let ended = run(world, order, tally)?;
    tally.one("undisturbed runs of get");
    let ends = report::check(&ended)?;
    judge::calm(world, &ended, &ends)
}

fn run(world: &FetchWorld<'_>, order: Order, tally: &mut Tally) -> Checked<Ended> {
    let engine = order.args.iter().skip_while(|arg| *arg != "-e").nth(1);
    let engine = engine.map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
    tally.one(format!("runs: get on {engine}"));
    let form = if world.is_sealed { "sealed" } else { "plain" };
    tally.one(format!("runs: get, {:?}, {form}", world.mode));
    let ended = world.setup.program.run(order)?;
    if ended.got(Signal::KILL) {
        tally.one(format!("kills of get, {form}"));
    }
    Ok(ended)
}
