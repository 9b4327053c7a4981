//! The model: which states of a file each command may lead to.
//!
//! A file has a name. At its name lies its content, plain or flipped by `haul xor`; at the name with ".age" lies a
//! sealed form of one of the two. The model doesn't know when a run was disturbed, so it names all states in which a
//! disturbance may leave a file, and the one of a run that did its work.
//!
//! Owns: states, commands, steps between states.
//! Does not own: reading states from the disk (see `checker::tree`).

/// One of the two contents of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Plain,
    Flipped,
}

/// What lies at a file's two names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) plain: Option<Content>,
    pub(crate) sealed: Option<Content>,
}

/// A command, as far as it changes files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Seal { replace: bool, force: bool },
    Open { replace: bool, force: bool },
    Verify,
    Xor { overwrite: bool },
}

/// The end of a file's task in a run that isn't disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The command has no task for this file.
    NoTask,
    /// The task fails, because its result exists.
    Exists,
    /// The task succeeds, and this is the state.
    Done(State),
}

impl Content {
    fn flipped(self) -> Self {
        if self == Self::Plain { Self::Flipped } else { Self::Plain }
    }
}

impl Command {
    /// The end of the file's task.
    pub(crate) fn end(self, before: State) -> End {
        let State { plain, sealed } = before;
        match self {
            Self::Seal { .. } if plain.is_none() => End::NoTask,
            Self::Open { .. } | Self::Verify if sealed.is_none() => End::NoTask,
            Self::Seal { force: false, .. } if sealed.is_some() => End::Exists,
            Self::Open { force: false, .. } if plain.is_some() => End::Exists,
            Self::Seal { replace, .. } => {
                End::Done(State { plain: if replace { None } else { plain }, sealed: plain })
            }
            Self::Open { replace, .. } => {
                End::Done(State { plain: sealed, sealed: if replace { None } else { sealed } })
            }
            Self::Verify => End::Done(before),
            Self::Xor { .. } if plain.is_none() => End::NoTask,
            Self::Xor { .. } => End::Done(State { plain: plain.map(Content::flipped), sealed }),
        }
    }

    /// The states in which a disturbed run may leave the file, the one before included.
    pub(crate) fn states(self, before: State) -> Vec<State> {
        let mut states = vec![before];
        if let End::Done(done) = self.end(before) {
            // The result is published before the source is removed.
            states.push(match self {
                Self::Seal { .. } => State { sealed: done.sealed, ..before },
                Self::Open { .. } => State { plain: done.plain, ..before },
                Self::Verify | Self::Xor { .. } => done,
            });
            states.push(done);
        }
        states
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: State = State { plain: Some(Content::Plain), sealed: None };
    const BOTH: State = State { plain: Some(Content::Flipped), sealed: Some(Content::Plain) };

    #[test]
    fn no_command_leads_to_nothing() {
        let states = [PLAIN, BOTH, State { plain: None, sealed: Some(Content::Plain) }];
        for replace in [false, true] {
            for force in [false, true] {
                for command in [
                    Command::Seal { replace, force },
                    Command::Open { replace, force },
                    Command::Verify,
                    Command::Xor { overwrite: force },
                ] {
                    for state in states.iter().flat_map(|state| command.states(*state)) {
                        assert!(state.plain.is_some() || state.sealed.is_some(), "{command:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn results_are_never_overwritten_without_force() {
        assert_eq!(Command::Seal { replace: true, force: false }.end(BOTH), End::Exists);
        let forced = Command::Seal { replace: true, force: true };
        assert_eq!(forced.end(BOTH), End::Done(State { plain: None, sealed: Some(Content::Flipped) }));
        assert_eq!(forced.states(BOTH).len(), 3);
        assert_eq!(Command::Open { replace: false, force: false }.end(PLAIN), End::NoTask);
    }
}
