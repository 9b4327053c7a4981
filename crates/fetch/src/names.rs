//! The names room: safe file names for results.
//!
//! Enters: URLs and Content-Disposition fields, which a server controls; lists of checksums.
//! Leaves: names that stay inside their directory, the checksums of a name.
//! Not to be touched from outside: the rules that make a name harmless.

pub(crate) mod checksum_list;
pub(crate) mod disposition;
pub(crate) mod reserved;
pub(crate) mod url_name;
