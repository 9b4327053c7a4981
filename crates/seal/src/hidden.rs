//! The hidden room: names of files that are kept sealed beside the files.
//!
//! A directory with hidden names holds sealed files under random names, and `names.age`, a sealed list that says which
//! is which. While a run goes on, the list grows as a journal ([`journal`]); at the end of the run it becomes a file of
//! its own. Later runs add lists of their own: `names-2.age` and so on.
//!
//! Enters: a random name and what it stands for.
//! Leaves: the sealed list, and the names for opening.
//! Not to be touched from outside: the form of lists and journals.

mod entry;
mod journal;
mod records;
mod restore;

pub use entry::HiddenName;
pub use journal::NameJournal;
pub use restore::HiddenNames;
