//! Defaults of the user: the configuration file and the variables `HAUL_…`.
//!
//! In: the environment, and the file that it leads to. Out: [`Settings`], each with its origin. Nobody outside reads
//! the file or these variables; the plans decide where a setting applies.
//!
//! Owns: where the file is, whom it may belong to, its grammar, which of several origins counts, `haul config`.
//! Does not own: options (they override settings), the variables of other programs, passphrases.

mod file;
mod forms;
pub(crate) mod show;
mod text;
pub(crate) mod values;
mod variables;

use self::values::{ConfigFile, Settings};
use crate::report::exit::Problem;
use crate::run::environment::Environment;

/// The settings that are in force, apart from the command line.
///
/// # Errors
/// If the file is there and can't be believed or understood, or a variable has a value that it can't have.
pub(crate) fn load(environment: &Environment, config: ConfigFile) -> Result<Settings, Problem> {
    let variables = variables::read(environment)?;
    let file = match file::path(environment) {
        Some(path) if config == ConfigFile::Read => match file::read(&path)? {
            Some(text) => text::parse(&text, &path, environment)?,
            None => Settings::default(),
        },
        _ => Settings::default(),
    };
    Ok(variables.or(file))
}
