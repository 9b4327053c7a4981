//! The names room: safe file names for results.
//!
//! Enters: URLs and Content-Disposition fields, which a server controls.
//! Leaves: names that stay inside their directory.
//! Not to be touched from outside: the rules that make a name harmless.

pub(crate) mod disposition;
pub(crate) mod reserved;
pub(crate) mod url_name;
