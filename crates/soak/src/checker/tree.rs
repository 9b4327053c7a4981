//! Reads the state of each file of a tree from the disk.
//!
//! Owns: telling contents, sealed files, leftovers and anything else apart.
//! Does not own: which state is right (see `world::model`).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::sealed;
use crate::fault::{Checked, Fault, ensure};
use crate::world::model::{Content, State};
use crate::world::setup::{Original, Originals};

/// The states of a tree's files, and what else lies there.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) states: BTreeMap<PathBuf, State>,
    /// Temporary files of haul.
    pub(crate) leftovers: Vec<PathBuf>,
    /// Files with a known name and bytes that are neither of its contents.
    pub(crate) damaged: Vec<(PathBuf, String)>,
}

/// Reads the tree at `root`. A file without a name of `originals` is a fault.
pub(crate) fn read(root: &Path, originals: &Originals, identity: &age::x25519::Identity) -> Checked<Found> {
    let mut found = Found::default();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(root.join(&folder)).map_err(|error| Fault(format!("{folder:?}: {error}")))?;
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            if entry.file_name().as_bytes().starts_with(b".haul-") {
                found.leftovers.push(path);
                continue;
            }
            ensure!(kind.is_file(), "{path:?}: neither a file nor a folder");
            one(root, path, originals, identity, &mut found)?;
        }
    }
    Ok(found)
}

fn one(
    root: &Path,
    path: PathBuf,
    originals: &Originals,
    identity: &age::x25519::Identity,
    found: &mut Found,
) -> Checked {
    let bytes = fs::read(root.join(&path)).map_err(|error| Fault(format!("{path:?}: {error}")))?;
    if let Some(original) = originals.get(&path) {
        match content(&bytes, original) {
            Some(content) => found.states.entry(path).or_default().plain = Some(content),
            None => found.damaged.push((path, describe(&bytes, original))),
        }
        return Ok(());
    }
    let name = path.as_os_str().as_bytes().strip_suffix(b".age").map(std::ffi::OsStr::from_bytes);
    let Some((name, original)) =
        name.map(PathBuf::from).and_then(|name| Some((name.clone(), originals.get(&name)?)))
    else {
        return Err(Fault(format!("{path:?}: a file that nothing should have made")));
    };
    match sealed::open(&bytes, identity) {
        Ok(plain) => match content(&plain, original) {
            Some(content) => found.states.entry(name).or_default().sealed = Some(content),
            None => found.damaged.push((path, format!("opens to {}", describe(&plain, original)))),
        },
        Err(error) => found.damaged.push((path, format!("{} bytes, doesn't open: {error}", bytes.len()))),
    }
    Ok(())
}

fn content(bytes: &[u8], original: &Original) -> Option<Content> {
    if bytes == original.plain {
        Some(Content::Plain)
    } else if bytes == original.flipped {
        Some(Content::Flipped)
    } else {
        None
    }
}

fn describe(bytes: &[u8], original: &Original) -> String {
    let at = bytes.iter().zip(&original.plain).position(|(a, b)| a != b);
    format!("{} bytes of {}, first difference from plain at {at:?}", bytes.len(), original.plain.len())
}
