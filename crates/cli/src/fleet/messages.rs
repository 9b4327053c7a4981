//! What is said of a fleet while a node works.
//!
//! Owns: when a loss of the server is worth a line.
//! Does not own: what happens then ([`haul_fleet::Member`]).

use haul_fleet::{Ended, Failure};

use crate::report::voice::Voice;

/// The messages of a node.
pub(super) struct Messages {
    voice: Voice,
    is_away: bool,
}

impl Messages {
    pub(super) fn new(voice: &Voice) -> Self {
        Self { voice: voice.clone(), is_away: false }
    }

    pub(super) fn unreached(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.is_away, true) {
            self.voice.warning(format!(
                "the fleet's server isn't reached ({failure}): what runs is finished, then haul waits for it"
            ));
        }
    }

    /// The server has answered.
    pub(super) fn reached(&mut self) {
        if std::mem::take(&mut self.is_away) {
            self.voice.note("the fleet's server is back");
        }
    }

    pub(super) fn taken(&self, id: &str, lines: usize, deliveries: u64) {
        let again = if deliveries > 1 { format!(", delivery {deliveries}") } else { String::new() };
        self.voice.detail(format!("slice {}: {lines} lines{again}", number(id)));
    }

    pub(super) fn lost(&self, id: &str) {
        self.voice.warning(format!("slice {} was taken over by another node", number(id)));
    }

    pub(super) fn fenced(&self, id: &str) {
        self.voice.warning(format!("slice {} was finished too late: it counts for another node", number(id)));
    }

    pub(super) fn acknowledged(&self, id: &str) {
        self.voice.detail(format!("slice {} is acknowledged", number(id)));
    }

    pub(super) fn ended(&self, ended: Ended) {
        match ended {
            Ended::Complete => {}
            Ended::Cancelled => self.voice.warning("the fleet's run was cancelled"),
            Ended::Missing => self.voice.warning("the fleet's run was removed"),
        }
    }
}

/// The number of a slice, which its ID begins with.
pub(super) fn number(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}
