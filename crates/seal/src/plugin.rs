//! Plugins: programs that wrap and unwrap file keys for recipient and identity types of their own.
//!
//! What enters: tasks without a file key, headers, recipients and identities. What leaves: file keys with the plugins'
//! stanzas, in tasks ([`KeySource`]) or for one stream ([`Plugins`]). Nobody outside starts a plugin or speaks to one.
//! A plugin is started once for many files, because each start may require the user to type a PIN.
//!
//! Owns: finding the programs, one session with each for many files, batches of tasks.
//! Does not own: the protocol ([`haul_age_format::Wrapping`], [`haul_age_format::Unwrapping`]), the user interface and
//! the search path (arguments).
//!
//! Spec: C2SP age-plugin.md.

mod batch;
mod key_request;
mod key_source;
#[cfg(not(feature = "plugins"))]
#[path = "plugin/no_process.rs"]
mod process;
#[cfg(feature = "plugins")]
mod process;
mod sessions;
mod ui;

pub use self::key_request::KeyRequest;
pub use self::key_source::KeySource;
pub use self::sessions::Plugins;
pub use self::ui::{PluginLimits, PluginUi};
