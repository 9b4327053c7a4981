//! What file systems couldn't do, in words.
//!
//! Owns: the words, reporting each shortfall once.
//! Does not own: noticing them ([`haul_io::Shortfalls`]).

use haul_io::{Shortfall, Shortfalls};

use super::voice::Voice;

/// Warns of all `shortfalls` that aren't in `reported`, and adds them to it.
pub(crate) fn warn(voice: &Voice, reported: &mut Shortfalls, shortfalls: Shortfalls) {
    for shortfall in reported.merge(shortfalls).iter() {
        voice.warning(words(shortfall));
    }
}

fn words(shortfall: Shortfall) -> &'static str {
    match shortfall {
        Shortfall::Mode => {
            "the file system doesn't keep the permission bits of results: it decides who can read them"
        }
        Shortfall::Modified => "the file system doesn't keep the modification times of results",
        Shortfall::Owner => "the file system doesn't keep the owners of results",
        Shortfall::Group => {
            "results can't have the groups of their sources, so their groups get no more than others"
        }
        Shortfall::AccessList => {
            "the file system doesn't keep access control lists, so results are open to fewer users"
        }
        Shortfall::SetId => "set-user-ID and set-group-ID bits aren't kept",
        Shortfall::Refusal => {
            "the file system has no hard links and no rename that refuses an existing name: a run that is killed can \
             leave an empty result"
        }
        Shortfall::Identity => {
            "inode numbers change on this file system: files are recognised by their names, lengths and times"
        }
        _ => "the file system lacks something that results should have",
    }
}

/// The member of JSON objects that lists `shortfalls`.
pub(crate) fn names(shortfalls: Shortfalls) -> Vec<&'static str> {
    let name = |shortfall| match shortfall {
        Shortfall::Mode => "mode",
        Shortfall::Modified => "modified",
        Shortfall::Owner => "owner",
        Shortfall::Group => "group",
        Shortfall::AccessList => "access_list",
        Shortfall::SetId => "set_id",
        Shortfall::Refusal => "refusal",
        Shortfall::Identity => "identity",
        _ => "other",
    };
    shortfalls.iter().map(name).collect()
}
