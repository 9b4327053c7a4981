//! What a file system can't do for a result, although the result is complete.
//!
//! Owns: the list of shortfalls, sets of them.
//! Does not own: noticing them ([`crate::Staged`], [`crate::set_metadata`]), words for the user.

use serde::{Deserialize, Serialize};

/// Something that the file system of a result refused, ignored or doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Shortfall {
    /// Permission bits: the file system decides who may read the result.
    Mode,
    /// The time of last modification.
    Modified,
    /// The owner of the source. Noticed as root, who could give files away elsewhere.
    Owner,
    /// The group of the source: its permissions were reduced to those that the new group and all others had before.
    Group,
    /// The access control list of the source: permissions were reduced to those that hold without it.
    AccessList,
    /// The set-user-ID and set-group-ID bits of the source, which results never have.
    SetId,
    /// Neither hard links nor a rename that refuses an existing name: a run that is killed while it publishes can
    /// leave an empty file under the name of a result.
    Refusal,
    /// Inode numbers that stay the same: files are recognised by their directory, which nobody else can write, and
    /// their length and time.
    Identity,
}

/// A set of shortfalls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortfalls(u16);

impl Shortfall {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Mode,
        Self::Modified,
        Self::Owner,
        Self::Group,
        Self::AccessList,
        Self::SetId,
        Self::Refusal,
        Self::Identity,
    ];

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Shortfalls {
    /// Adds one.
    pub fn add(&mut self, shortfall: Shortfall) {
        self.0 |= shortfall.bit();
    }

    /// Adds all of `others`. Returns those that are new.
    pub fn merge(&mut self, others: Self) -> Self {
        let new = Self(others.0 & !self.0);
        self.0 |= others.0;
        new
    }

    /// Whether the set has no member.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members.
    pub fn iter(self) -> impl Iterator<Item = Shortfall> {
        Shortfall::ALL.into_iter().filter(move |shortfall| self.0 & shortfall.bit() != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_say_what_is_new() {
        let (mut seen, mut other) = (Shortfalls::default(), Shortfalls::default());
        seen.add(Shortfall::Mode);
        other.add(Shortfall::Mode);
        other.add(Shortfall::Identity);
        assert_eq!(seen.merge(other).iter().collect::<Vec<_>>(), [Shortfall::Identity]);
        assert!(seen.merge(other).is_empty());
        assert_eq!(seen.iter().collect::<Vec<_>>(), [Shortfall::Mode, Shortfall::Identity]);
    }
}
