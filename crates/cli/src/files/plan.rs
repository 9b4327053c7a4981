//! What `haul seal` and `haul open` have in common: inputs, output, which files are taken, how results are written.
//!
//! Owns: these options and their conflicts, deciding between tasks and a stream.
//! Does not own: keys, jobs.

use std::path::PathBuf;
use std::sync::Arc;

use haul_io::{Durability, Existing};
use haul_seal::{Direction, FileOptions, Filter, Placement, Plugins, Symlinks, Walk};

use super::endpoints::{Endpoints, Operands, PathKind, is_dash};
use super::stored::{self, Listed, Moving, Sources, StoredFiles};
use super::stream::{self, Stream};
use crate::args::{CommonArgs, DurableArg, FileArgs, SymlinksArg, TreeArgs};
use crate::report::exit::Problem;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::options::RunOptions;
use crate::stores::objects::{is_object, is_prefix};

/// The inputs and results of `haul seal` or `haul open`.
#[derive(Debug)]
pub(super) struct FilesPlan {
    /// The inputs and the output, as named.
    pub(super) operands: Operands,
    pub(super) placement: Placement,
    filter: Filter,
    pub(super) options: FileOptions,
    /// Remove each source once its result is durable.
    pub(super) replace: bool,
    pub(super) run: RunOptions,
    stdout_is_terminal: bool,
}

/// What a command is given besides the options that `seal` and `open` share.
pub(super) struct Given<'a> {
    pub(super) paths: &'a [PathBuf],
    /// The files of recipients and identities.
    pub(super) key_files: &'a [PathBuf],
    pub(super) common: &'a CommonArgs,
}

/// What a command works on.
pub(super) enum Target {
    Stream(Endpoints),
    Tasks(Box<Walk>),
    /// Sources or results are objects.
    Stored(StoredFiles),
}

impl FilesPlan {
    /// # Errors
    /// If options or names contradict each other.
    pub(super) fn resolve(
        args: &FileArgs,
        given: Given<'_>,
        direction: Direction,
        environment: &Environment,
    ) -> Result<Self, Problem> {
        let Given { paths, key_files, common } = given;
        let run = RunOptions::resolve(common, environment);
        let operands = Operands {
            inputs: paths.to_vec(),
            output: args.output.clone(),
            replace: args.replace,
            passphrase_from_stdin: args.secret.passphrase_fd == Some(0),
            keys_from_stdin: key_files.iter().any(|path| is_dash(path)),
        };
        let placement = Placement { direction, suffix: args.suffix.clone(), output: args.output.clone() };
        // Without inputs, this checks the placement alone.
        Walk::new(Vec::new(), placement.clone()).map_err(|error| Problem::usage(error.to_string()))?;
        if let Some(endpoints) = operands.endpoints(PathKind::by_name)? {
            stream::check(&endpoints, &run)?;
        }
        // What was sealed may have come from anywhere; whom its plaintext is open to, the umask limits.
        let umask = if direction == Direction::Open { environment.umask } else { 0 };
        Ok(Self {
            operands,
            placement,
            filter: filter(&args.trees)?,
            options: FileOptions { umask, ..options(args, environment)? },
            replace: args.replace,
            run,
            stdout_is_terminal: environment.stdout_is_terminal,
        })
    }

    /// Looks up the inputs and the output. The tasks leave out `secret_files`.
    ///
    /// # Errors
    /// If they don't fit each other.
    pub(super) fn target(&self, secret_files: &[PathBuf]) -> Result<Target, Problem> {
        if let Some(endpoints) = self.operands.endpoints(PathKind::of)? {
            stream::check(&endpoints, &self.run)?;
            return Ok(Target::Stream(endpoints));
        }
        let output = self.operands.output.as_deref();
        if let [input] = self.operands.inputs.as_slice()
            && is_prefix(input)
        {
            let is_result_object = output.is_some_and(is_object);
            stored::check(
                FileOptions { update: self.options.update && !is_result_object, ..self.options },
                self.replace,
            )?;
            let listed = Listed::new(input, &self.placement, self.options)?.filtered(&self.filter);
            return Ok(Target::Stored(StoredFiles {
                sources: Sources::Objects(Box::new(listed)),
                options: self.options,
            }));
        }
        if let Some(output) = output.filter(|output| is_prefix(output)) {
            stored::check(FileOptions { update: false, ..self.options }, self.replace)?;
            let placement = Placement { output: Some(output.join("")), ..self.placement.clone() };
            let walk = walk(&self.operands.inputs, &placement, &self.filter)?.sparing(secret_files);
            let walk = walk.publishing_elsewhere().map_err(|error| Problem::usage(error.to_string()))?;
            let sources = Sources::Files(Box::new(walk));
            return Ok(Target::Stored(StoredFiles { sources, options: self.options }));
        }
        let walk = walk(&self.operands.inputs, &self.placement, &self.filter)?.sparing(secret_files);
        let walk =
            walk.publishing(self.options.existing).map_err(|error| Problem::usage(error.to_string()))?;
        Ok(Target::Tasks(Box::new(walk)))
    }

    /// How files are moved from or into a store.
    pub(super) fn moving<'a>(&'a self, plugins: Arc<Plugins>, voice: &'a Voice) -> Moving<'a> {
        Moving { plugins, run: &self.run, output: self.operands.output.as_deref(), voice }
    }

    /// A stream between `endpoints` with these options.
    pub(super) fn stream<'a>(
        &'a self,
        verb: &'static str,
        endpoints: Endpoints,
        voice: &'a Voice,
    ) -> Stream<'a> {
        Stream {
            verb,
            endpoints,
            options: self.options,
            run: &self.run,
            stdout_is_terminal: self.stdout_is_terminal,
            binary_hint: "name a file with -o, or pipe it into a program",
            voice,
        }
    }
}

/// The tasks for `inputs`.
pub(super) fn walk(inputs: &[PathBuf], placement: &Placement, filter: &Filter) -> Result<Walk, Problem> {
    let walk = Walk::new(inputs.to_vec(), placement.clone());
    let walk = walk.map_err(|error| Problem::usage(error.to_string()))?;
    Ok(walk.filtered(filter.clone()))
}

/// Which files of trees are taken.
pub(super) fn filter(args: &TreeArgs) -> Result<Filter, Problem> {
    let symlinks = match args.symlinks {
        SymlinksArg::Skip => Symlinks::Skip,
        SymlinksArg::Follow => Symlinks::Follow,
        SymlinksArg::Error => Symlinks::Refuse,
    };
    let filter =
        Filter::new(&args.include, &args.exclude).map_err(|error| Problem::usage(error.to_string()))?;
    Ok(filter.symlinks(symlinks).one_file_system(args.one_file_system))
}

fn options(args: &FileArgs, environment: &Environment) -> Result<FileOptions, Problem> {
    let durability = match args.durable {
        DurableArg::Never if args.replace => {
            return Err(Problem::usage("sources are removed only when their results are durable")
                .hint("omit --durable never, or --replace"));
        }
        DurableArg::Always => Durability::Synced,
        DurableArg::Auto if args.replace => Durability::Synced,
        DurableArg::Auto | DurableArg::Never => Durability::Eventual,
    };
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    Ok(FileOptions {
        existing,
        durability,
        preserve: !args.no_preserve,
        xattrs: args.xattrs,
        mode: environment.new_file_mode,
        ..FileOptions::default()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{CatPlan, InspectPlan, OpenPlan, RekeyPlan, SealPlan, VerifyPlan, XorPlan};
    use super::*;
    use crate::args::{Args, Command};

    /// The message of the problem, or nothing.
    fn problem(words: &str) -> String {
        let environment = Environment::of(&[]);
        let args = Args::try_parse_from(["haul"].into_iter().chain(words.split_whitespace()));
        let resolved = match args.unwrap_or_else(|error| panic!("{error}")).command {
            Command::Seal(args) => SealPlan::resolve(&args, &environment).map(drop),
            Command::Open(args) => OpenPlan::resolve(&args, &environment).map(drop),
            Command::Verify(args) => VerifyPlan::resolve(&args, &environment).map(drop),
            Command::Xor(args) => XorPlan::resolve(&args, &environment).map(drop),
            Command::Inspect(args) => InspectPlan::resolve(&args, &environment).map(drop),
            Command::Cat(args) => CatPlan::resolve(&args, &environment).map(drop),
            Command::Rekey(args) => RekeyPlan::resolve(&args, &environment).map(drop),
            _ => unreachable!("commands on files only"),
        };
        resolved.err().map_or(String::new(), |problem| problem.message)
    }

    #[test]
    fn conflicts_are_found_without_any_file() {
        let needs_stdout = "--json needs stdout, which already carries the data";
        let no_streams = "the engine processes=2 can't run streams";
        let several = "stdin can't be one of several inputs";
        for (words, message) in [
            ("seal none", "no recipients given"),
            ("seal -r none none", ""),
            ("seal -R none -i none -o none/none none", ""),
            ("seal -p none", ""),
            ("seal -r none --suffix a/b none", "the suffix must be a part of a file name"),
            (
                "seal -r none --replace --durable never none",
                "sources are removed only when their results are durable",
            ),
            ("seal -r none - none", several),
            ("seal -r none -o - none none", "several files can't become one stream"),
            ("seal -r none --replace -", "--replace works on files only, not on streams"),
            ("seal --passphrase-fd 0 -", "stdin can't carry both the data and the passphrase"),
            ("seal -R - -", "stdin can't carry both the data and the keys"),
            ("seal -i - -o none -", "stdin can't carry both the data and the keys"),
            ("open -i - -", "stdin can't carry both the data and the keys"),
            ("verify -i - -", "stdin can't carry both the data and the keys"),
            ("verify --passphrase-fd 0 -", "stdin can't carry both the data and the passphrase"),
            ("seal -R - none", ""),
            ("seal -r none --json -", needs_stdout),
            ("seal -r none --json -o none -", ""),
            ("seal -r none -e processes=2 -", no_streams),
            ("seal -r none -e processes=2 none", ""),
            ("open none", "no identities given"),
            ("open -i none none", ""),
            ("open -i none --json -o - none", needs_stdout),
            ("verify none", "no identities given"),
            ("verify --dry-run none", ""),
            ("verify -i none -e processes=2 -", no_streams),
            ("verify -i none --json -", ""),
            ("verify -i none - none", several),
            ("cat none", "no identities given"),
            ("cat -i none none none", ""),
            ("cat -i none - none", several),
            ("cat -i - -", "stdin can't carry both the data and the keys"),
            ("cat -p --passphrase-fd 0 -", "stdin can't carry both the data and the passphrase"),
            ("cat -i none --range 5- none", ""),
            ("open -i none --range 5- none", "--range needs an output that isn't a file"),
            ("open -i none --range 5- -o - none", ""),
            ("open -i none --range 5- -", ""),
            ("rekey -i none none", "no new recipients given"),
            ("rekey -r none none", "no identities given"),
            ("rekey -i none -R none none", ""),
            ("rekey -p --new-passphrase none", ""),
            ("rekey -p --new-passphrase none none", "--new-passphrase is for a single file"),
            (
                "rekey -i none -r none --symlinks follow none",
                "rekeying follows no links: it would replace them by files",
            ),
            ("rekey -i none -r none -", "\"-\" is a stream, which has no header to replace"),
            ("rekey -i none -r none --suffix a/b none", "the suffix must be a part of a file name"),
            ("inspect -", ""),
            ("inspect - none", several),
            ("xor --key-file none none", ""),
        ] {
            assert_eq!(problem(words), message, "{words}");
        }
        assert!(problem("xor --key-file none --include [ none").contains('['));
    }

    #[test]
    fn durability_follows_from_removing_sources() {
        for (words, durability) in [
            ("none", Durability::Eventual),
            ("--replace none", Durability::Synced),
            ("--durable always none", Durability::Synced),
            ("--durable never none", Durability::Eventual),
        ] {
            let all = ["haul", "open", "-i", "none"].into_iter().chain(words.split_whitespace());
            let Ok(Args { command: Command::Open(args) }) = Args::try_parse_from(all) else {
                panic!("{words} is not understood")
            };
            let options = options(&args.files, &Environment::of(&[])).unwrap();
            assert_eq!((options.durability, options.mode), (durability, 0o644), "{words}");
        }
    }
}
