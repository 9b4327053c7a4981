//! The world of one step: its folder, its tree and its keys.
//!
//! Owns: making them from seeded choices.
//! Does not own: what happens to them (see `trees`, `fetches`, `differential`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use haul_testkit::seeded_bytes;

use crate::choice::Choice;
use crate::fault::Checked;
use crate::options::Options;
use crate::program::run::{Order, Program};

/// The key of `haul xor`; its first byte isn't zero, so that a flipped file differs.
pub(crate) const XOR_KEY: [u8; 5] = [0xa5, 0, 3, 0x77, 0xff];

/// The two contents of one file.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    pub(crate) plain: Vec<u8>,
    pub(crate) flipped: Vec<u8>,
}

/// The originals of a tree, by their paths below its root.
pub(crate) type Originals = BTreeMap<PathBuf, Original>;

/// The folder of one step and what every step has in it.
pub(crate) struct Setup {
    pub(crate) dir: PathBuf,
    pub(crate) program: Program,
    /// The checker's key, and the one that haul seals to.
    pub(crate) identity: age::x25519::Identity,
    /// No run has a limit on its threads.
    pub(crate) spares_threads: bool,
}

impl Setup {
    /// Prepares `dir`, which exists: a home folder, the keys.
    pub(crate) fn make(dir: &Path, options: &Options) -> Checked<Self> {
        let program = Program { path: options.haul.clone(), home: dir.join("home") };
        fs::create_dir(&program.home)?;
        let identity = age::x25519::Identity::generate();
        use age::secrecy::ExposeSecret;
        fs::write(dir.join("key.txt"), identity.to_string().expose_secret())?;
        fs::set_permissions(dir.join("key.txt"), fs::Permissions::from_mode(0o600))?;
        fs::write(dir.join("xor.key"), XOR_KEY)?;
        let spares_threads = options.spares_threads;
        Ok(Self { dir: dir.to_owned(), program, identity, spares_threads })
    }

    /// An order to run haul here with these arguments.
    pub(crate) fn order<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Order {
        let args = args.into_iter().map(Into::into).collect();
        Order { dir: self.dir.clone(), args, ..Order::default() }
    }
}

/// Originals with a seeded number of files, names and sizes.
pub(crate) fn originals(choice: &mut Choice) -> Originals {
    let count = *choice.pick(&[1, 3, 20, 80, 200]);
    let mut originals = Originals::new();
    for index in 0..count {
        let len = match choice.below(40) {
            0 => 0,
            1..=3 => choice.within(65_000..=66_000),
            4 | 5 => choice.within(100_000..=400_000),
            _ => choice.within(1..=9_000),
        };
        originals.insert(name(choice, index), original(choice, len));
    }
    // Large files are done in parts.
    for index in 0..*choice.pick(&[0, 0, 0, 1, 2]) {
        let len = choice.within(2 << 20..=6 << 20);
        originals.insert(PathBuf::from(format!("large{index}")), original(choice, len));
    }
    originals
}

/// Writes the plain contents below `root`.
pub(crate) fn write(originals: &Originals, root: &Path) -> Checked {
    for (name, original) in originals {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, &original.plain)?;
    }
    Ok(())
}

fn original(choice: &mut Choice, len: usize) -> Original {
    let plain = seeded_bytes(choice.number(), len);
    let flipped = plain.iter().zip(XOR_KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Original { plain, flipped }
}

fn name(choice: &mut Choice, index: usize) -> PathBuf {
    let folder = *choice.pick(&["", "", "a", "b", "a/deep", "with space"]);
    let name = match index % 16 {
        5 => OsString::from(format!("line\nfeed {index}")),
        9 => OsString::from(format!("-dash{index}")),
        11 => OsString::from_vec([b"\xff\xfe".as_slice(), index.to_string().as_bytes()].concat()),
        13 => OsString::from(format!(".hidden{index}")),
        _ => OsString::from(format!("file{index}")),
    };
    Path::new(folder).join(name)
}
