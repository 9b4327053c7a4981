//! `haul cat`.
//!
//! Owns: its plan, the order of the files, stopping at the first failure.
//! Does not own: one file ([`super::stream`], [`super::part`]), identities ([`crate::keys::identities`]).

use std::path::{Path, PathBuf};
use std::slice;

use haul_seal::{FileOptions, Identity};

use super::endpoints::{self, Endpoints, Input, Output, PathKind, is_dash, leave_stdin_to_data};
use super::part::Part;
use super::stream::Stream;
use crate::args::{CatArgs, RangeArg};
use crate::keys::identities::IdentitySources;
use crate::keys::plugins::PluginPath;
use crate::report::exit::{Exit, Problem};
use crate::report::progress::ProgressForm;
use crate::report::reporter::ReportOptions;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::options::RunOptions;
use crate::stores::variables::StoreVariables;

/// What `haul cat` is to do.
#[derive(Debug)]
pub(crate) struct CatPlan {
    inputs: Vec<PathBuf>,
    /// The bytes of each plaintext; `None` for all.
    range: Option<RangeArg>,
    identities: IdentitySources,
    plugins: PluginPath,
    run: RunOptions,
    stdout_is_terminal: bool,
}

impl CatPlan {
    pub(crate) fn resolve(args: &CatArgs, environment: &Environment) -> Result<Self, Problem> {
        if endpoints::input(&args.paths, PathKind::by_name)? == Some(Input::Stdin) {
            let has_keys = args.identity.iter().any(|path| is_dash(path));
            leave_stdin_to_data(args.secret.passphrase_fd == Some(0), has_keys)?;
        }
        let cores = environment.cores;
        let report = ReportOptions { stats: false, json: false, fail_fast: true, cores };
        Ok(Self {
            inputs: args.paths.clone(),
            range: args.range,
            identities: IdentitySources::resolve(&args.identity, &args.secret, environment).require()?,
            plugins: PluginPath::resolve(environment),
            // A progress line would mix with data that is typed out.
            run: RunOptions {
                engine: None,
                progress: ProgressForm::Hidden,
                report,
                verbose: args.verbose > 0,
                trace: None,
                stalled_after: None,
                stores: StoreVariables::resolve(environment),
            },
            stdout_is_terminal: environment.stdout_is_terminal,
        })
    }

    pub(crate) fn run(&self, voice: &Voice) -> Result<Exit, Problem> {
        let plugins = self.plugins.plugins(voice);
        let identities = self.identities.read(&self.inputs, &plugins, voice)?;
        for path in &self.inputs {
            let stream = self.stream(path, voice)?;
            let part = self.part(&identities, &stream);
            let exit =
                stream.run(plugins.clone(), |source, sink, options| part.open(source, sink, &options))?;
            if exit != Exit::Success {
                return Ok(exit);
            }
        }
        Ok(Exit::Success)
    }

    fn part<'a>(&self, identities: &'a [Identity], stream: &Stream<'_>) -> Part<'a> {
        Part { identities, range: self.range, text_only: stream.is_output_terminal() }
    }

    /// The stream from `path` to stdout.
    fn stream<'a>(&'a self, path: &Path, voice: &'a Voice) -> Result<Stream<'a>, Problem> {
        let input = endpoints::input(slice::from_ref(&path.to_owned()), PathKind::of)?;
        let input = input.unwrap_or_else(|| Input::Named(path.to_owned()));
        Ok(Stream {
            verb: "open",
            endpoints: Endpoints { input, output: Output::Stdout },
            options: FileOptions::default(),
            run: &self.run,
            stdout_is_terminal: self.stdout_is_terminal,
            binary_hint: "pipe it into a program",
            voice,
        })
    }
}
