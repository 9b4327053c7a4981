//! haul's chores, run as `cargo xtask NAME`: the whole CI, checks that clippy can't do, long tests.
//!
//! Owns: choosing the chore, the exit code.
//! Does not own: the chores themselves.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the project's own people")]

mod bench;
mod ci;
mod feature_costs;
mod fuzz;
mod mixture;
mod package;
mod public_api;
mod readme;
mod repository;
mod soak;
mod steps;
mod tidy;

use std::process::ExitCode;

use repository::Repository;

const HELP: &str = "\
usage: cargo xtask CHORE

chores:
  ci                    everything that must hold: fmt, tidy, clippy, docs, the tests as README.md runs them
  tidy                  what clippy can't check: circles of modules, sizes, contracts, layers, English, the map
  public-api [--write]  compares the public interfaces of the libraries with their listings, or writes these
  feature-costs [--timed]
                        the crates that each feature of the libraries builds, and the processor's seconds for them
  soak --minutes N [--seed S] [--kind trees|fetches|differential] [--faults F] [--spare-threads]
                        random mixtures of haul's commands under faults for N minutes, to the first fault or the F-th
  soak --seed S --step K
                        one step of them again
  soak [--only NAME]    the tests ignored as \"soak…\", or the one called NAME, one after another
  fuzz [--minutes N] [--only TARGET] [--keep yes]
                        the fuzz targets for N minutes together, 6 by default; adds to the kept corpus if asked
  picture               the terminal of README.md, made by the program: docs/terminal.svg
  package [--out DIR] [--check] [--quick]
                        a Debian package, an RPM and a wheel, for old systems too; --check installs and removes each;
                        --quick packages the program that the tests ran, without a wheel
  bench-seal --dir DIR [--haul FILE] [--rounds N] [--files N] [--large-mib N] [--on NAME,NAME] [--with 'OPTIONS']
                        sealing against cp, in rounds, on file systems in images in DIR (root); --with adds a
                        contestant
  scoreboard [--quick] [--dir DIR] [--haul FILE] [--rounds N] [--files N] [--large-mib N] [--on NAME,NAME]
             [--parts NAME,NAME] [--write FILE]
                        haul against every program that is installed, on tmpfs, ext4 and xfs (root; elsewhere in DIR),
                        into the tables of BENCHMARKS.md; parts are files, fetching, packing, fleets and
                        stores; --quick prints tables of tiny sizes
  bench-get …           the same for fetching from nginx, against curl and wget2
  bench-sealed …        the same for fetching into sealed files, against plain ones, curl with age, and rclone
  bench-packed …        the same for packing into shards, against files
  bench-fleet …         the same for three nodes of a fleet, against one
  bench-store …         the same for fetching into buckets of SeaweedFS, against s5cmd, rclone and aws, which upload
                        files
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["ci"] => Repository::here().and_then(|repository| ci::run(&repository)),
        ["tidy"] => Repository::here().and_then(|repository| tidy::run(&repository)),
        ["public-api"] => Repository::here().and_then(|repository| public_api::check(&repository)),
        ["public-api", "--write"] => Repository::here().and_then(|repository| public_api::write(&repository)),
        ["feature-costs"] => Repository::here().and_then(|repository| feature_costs::run(&repository, false)),
        ["feature-costs", "--timed"] => {
            Repository::here().and_then(|repository| feature_costs::run(&repository, true))
        }
        ["soak"] => Repository::here().and_then(|repository| soak::run(&repository, None)),
        ["soak", "--only", name] => {
            Repository::here().and_then(|repository| soak::run(&repository, Some(name)))
        }
        ["soak", options @ ..] => mixture::Options::read(options).and_then(|options| {
            Repository::here().and_then(|repository| mixture::run(&repository, &options))
        }),
        ["fuzz", options @ ..] => fuzz::Options::read(options)
            .and_then(|options| Repository::here().and_then(|repository| fuzz::run(&repository, &options))),
        ["picture"] => Repository::here().and_then(|repository| ci::picture(&repository)),
        ["package", options @ ..] => package::Options::read(options).and_then(|options| {
            Repository::here().and_then(|repository| package::run(&repository, &options))
        }),
        ["bench-seal", options @ ..] => {
            bench::Options::read(options).and_then(|options| bench::seal(&options))
        }
        ["scoreboard", options @ ..] => bench::Options::of_scoreboard(options).and_then(bench::scoreboard),
        ["bench-get", options @ ..] => bench::Options::read(options).and_then(|options| bench::get(&options)),
        ["bench-packed", options @ ..] => {
            bench::Options::read(options).and_then(|options| bench::packed(&options))
        }
        ["bench-fleet", options @ ..] => {
            bench::Options::read(options).and_then(|options| bench::fleet(&options))
        }
        ["bench-store", options @ ..] => {
            bench::Options::read(options).and_then(|options| bench::store(&options))
        }
        ["bench-sealed", options @ ..] => {
            bench::Options::read(options).and_then(|options| bench::sealed(&options))
        }
        ["help" | "-h" | "--help"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: error: {failure}");
            ExitCode::FAILURE
        }
    }
}
