//! Walks: finding what to seal or open, and naming the results.
//!
//! What enters: names of files and trees, a [`Placement`], a [`Filter`]. What leaves: [`Task`](crate::Task)s, and the
//! directories of a [`Mirror`]. Nobody outside opens a directory of a tree or chooses the name of a result.
//!
//! Owns: walking trees, filters, the suffix, results beside their sources or mirrored into a directory, removing
//! temporary files of killed runs.
//! Does not own: the work on a file ([`crate::jobs`]).

mod checking;
mod claims;
mod filter;
mod mirror;
mod packing;
mod placement;
mod publishing;
mod secrets;
mod seen_files;
mod suffixed;
mod sweep;
mod tally;
mod tree;
mod visit;
mod walker;

pub use self::filter::{BadPattern, Filter, Symlinks};
pub use self::mirror::Mirror;
pub use self::packing::PackWalk;
pub use self::placement::{Direction, NameError, Placement, TREE_IDENTITY_NAME, is_identity_name};
pub(crate) use self::sweep::Sweeper;
pub use self::tally::Tally;
pub use self::walker::Walk;
