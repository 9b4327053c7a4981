//! Giving a new file the metadata of its source, as far as its file system takes it.
//!
//! Where something can't be kept, the file is never open to more users than its source, and the caller learns of it.
//!
//! Owns: the order (attributes, owner, list, permission bits, time), what is done instead of what was refused.
//! Does not own: which metadata is kept ([`crate::Preserve`]).

use std::io;

use crate::values::access::without_group;
use crate::{
    Access, AccessList, Directory, Features, File, Io, Op, Preserve, Published, Shortfall, Shortfalls, Stat,
    Value,
};

/// The coarsest times that file systems keep: two seconds, on FAT.
const TIME_GRAIN_SECONDS: u64 = 2;

/// Gives the new `file`, which lies in `directory`, the metadata in `preserve`.
///
/// # Errors
/// The system's error, unless it means that the file system doesn't have or allow that kind of metadata.
pub async fn set_metadata(
    io: &impl Io,
    file: &File,
    directory: Option<&Directory>,
    preserve: &Preserve,
) -> io::Result<Published> {
    // Before the mode is set, which may forbid it.
    let lost_attributes = io.set_attributes(file, &preserve.attributes).await;
    let mut shortfalls = Shortfalls::default();
    let mut mode = None;
    if let Some(wanted) = preserve.mode {
        mode = Some(set_access(io, file, directory, preserve, wanted, &mut shortfalls).await?);
    }
    if let Some(modified) = preserve.modified {
        let set = io.done(Op::SetModified { file: file.clone(), modified }).await;
        note_refusal(set, Shortfall::Modified, &mut shortfalls)?;
    }
    let wanted = Wanted { mode, modified: preserve.modified };
    if directory.is_none_or(|directory| !directory.learned().keeps_metadata()) {
        let is_kept = wanted.compare(&io.stat(file).await?, &mut shortfalls);
        if let Some(directory) = directory.filter(|_| is_kept) {
            directory.learned().learn_keeps_metadata();
        }
    }
    Ok(Published { lost_attributes, shortfalls })
}

/// The access control list of `file`, if it has one.
///
/// # Errors
/// The system's error of reading it, unless the file system has no lists.
pub async fn access_list(io: &impl Io, file: &File) -> io::Result<Option<AccessList>> {
    let op = Op::Attribute { file: file.clone(), name: AccessList::NAME.into() };
    match io.submit(op).await.result? {
        Value::Attribute(value) => Ok(value.map(|value| AccessList::of(&value))),
        other => panic!("expected an attribute, got {other:?}"),
    }
}

/// Sets owner, group, list and permission bits. Returns the bits that the file should have.
async fn set_access(
    io: &impl Io,
    file: &File,
    directory: Option<&Directory>,
    preserve: &Preserve,
    mut mode: u32,
    shortfalls: &mut Shortfalls,
) -> io::Result<u32> {
    let mut list = None;
    if let Some(access) = &preserve.access {
        let made = io.stat(file).await?;
        list = access.list.clone().map(|list| list.limited_to(mode));
        if !set_owner(io, file, &made, access, shortfalls).await? {
            let narrowed = without_group(list.take().map_or(mode, |list| list.mode_without()));
            if narrowed != mode {
                shortfalls.add(Shortfall::Group);
            }
            mode = narrowed;
        }
        if list.is_none() && mode & 0o070 != 0 && inherits_list(io, directory).await {
            list = Some(AccessList::minimal(mode));
        }
    }
    let set = io.done(Op::SetMode { file: file.clone(), mode }).await;
    note_refusal(set, Shortfall::Mode, shortfalls)?;
    if let Some(list) = list {
        let (file, name, value) = (file.clone(), AccessList::NAME.into(), list.value());
        if let Err(error) = io.done(Op::SetAttribute { file: file.clone(), name, value }).await {
            note_refusal(Err(error), Shortfall::AccessList, shortfalls)?;
            // An inherited list that can't be removed is closed by its mask.
            let is_inherited = preserve.access.as_ref().is_none_or(|access| access.list.is_none());
            mode = if is_inherited { mode & !0o070 } else { mode & 0o7000 | list.mode_without() };
            note_refusal(io.done(Op::SetMode { file, mode }).await, Shortfall::Mode, shortfalls)?;
        }
    }
    Ok(mode)
}

/// Gives a file that was `made` to the owner and the group of its source. Returns whether it has that group.
async fn set_owner(
    io: &impl Io,
    file: &File,
    made: &Stat,
    access: &Access,
    shortfalls: &mut Shortfalls,
) -> io::Result<bool> {
    if (made.owner, made.group) == (access.owner, access.group) {
        return Ok(true);
    }
    let is_root = rustix::process::geteuid().is_root();
    let owner = is_root.then_some(access.owner);
    let change = Op::SetOwner { file: file.clone(), owner, group: access.group };
    if let Err(error) = io.done(change).await {
        if !is_refused(&error) {
            return Err(error);
        }
        if is_root && made.owner != access.owner {
            shortfalls.add(Shortfall::Owner);
        }
        return Ok(made.group == access.group);
    }
    let now = io.stat(file).await?;
    if is_root && now.owner != access.owner {
        shortfalls.add(Shortfall::Owner);
    }
    Ok(now.group == access.group)
}

/// Whether new files in `directory` inherit an access control list. True if that is unknown.
async fn inherits_list(io: &impl Io, directory: Option<&Directory>) -> bool {
    match directory {
        Some(directory) => features_of(io, directory).await.inherits_list,
        None => true,
    }
}

/// The features of `directory`, which are found out once.
pub(super) async fn features_of(io: &impl Io, directory: &Directory) -> Features {
    match directory.learned().features() {
        Some(features) => features,
        None => directory.learned().learn_features(find_features(io, directory.file()).await),
    }
}

/// Finds out the features of `file`, mostly a directory. If that fails, nothing is assumed to be absent or steady.
pub async fn find_features(io: &impl Io, file: &File) -> Features {
    match io.submit(Op::Features { file: file.clone() }).await.result {
        Ok(Value::Features(features)) => features,
        _ => Features { inherits_list: true, reports_at_close: true, steady_inodes: false },
    }
}

/// What the file should have in the end.
struct Wanted {
    mode: Option<u32>,
    modified: Option<(i64, u32)>,
}

impl Wanted {
    /// Notes what a file system ignored without an error. Returns whether it kept everything.
    fn compare(&self, now: &Stat, shortfalls: &mut Shortfalls) -> bool {
        let before = *shortfalls;
        if self.mode.is_some_and(|mode| mode != now.mode) {
            shortfalls.add(Shortfall::Mode);
        }
        if self.modified.is_some_and(|(seconds, _)| seconds.abs_diff(now.modified.0) > TIME_GRAIN_SECONDS) {
            shortfalls.add(Shortfall::Modified);
        }
        *shortfalls == before
    }
}

fn note_refusal(result: io::Result<()>, shortfall: Shortfall, shortfalls: &mut Shortfalls) -> io::Result<()> {
    match result {
        Err(error) if is_refused(&error) => shortfalls.add(shortfall),
        result => result?,
    }
    Ok(())
}

/// Whether a file system doesn't have or allow what was asked for. `EINVAL` is the answer to owners that a user
/// namespace doesn't map.
pub(super) fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    [InvalidInput, PermissionDenied, Unsupported].contains(&error.kind())
}
