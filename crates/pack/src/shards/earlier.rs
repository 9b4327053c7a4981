//! What earlier runs packed into the same directory.
//!
//! Owns: finding a member by its name. Memory: about 50 bytes for each.
//! Does not own: reading indexes.

use std::collections::HashMap;
use std::fmt;

use crate::layout::index::Member;

/// The members of shards that exist.
#[derive(Default)]
pub struct Earlier(HashMap<[u8; 16], EarlierMember>);

/// A member of a shard that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierMember {
    /// The length of its content in bytes.
    pub bytes: u64,
    /// Its modification time, in seconds since the epoch.
    pub modified: i64,
}

impl Earlier {
    /// Adds a member.
    pub fn add(&mut self, member: &Member) {
        let Member { bytes, modified, .. } = *member;
        self.0.insert(key(&member.name), EarlierMember { bytes, modified });
    }

    /// The member of this name.
    pub fn get(&self, name: &[u8]) -> Option<EarlierMember> {
        self.0.get(&key(name)).copied()
    }
}

/// Half of a cryptographic hash: names that collide can't be found.
fn key(name: &[u8]) -> [u8; 16] {
    let hash = blake3::hash(name);
    hash.as_bytes()[..16].try_into().expect("a hash has 32 bytes")
}

impl fmt::Debug for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Earlier").field(&self.0.len()).finish()
    }
}
