//! What a caller provides for plugins: a user interface and limits.
//!
//! Owns: the trait, the defaults of the limits.
//! Does not own: sessions ([`super::sessions`]).

use std::time::Duration;

use haul_age_format::Question;
use haul_io::Cancel;

/// The user interface for plugins.
pub trait PluginUi: Send + Sync {
    /// Shows a message or asks a question on behalf of the plugin `program`. The text of the question is untrusted.
    /// [`Question`] says what the answer to each question means. Returns `None` if there is no answer. When `cancel` is
    /// triggered it must stop waiting and return `None`.
    fn answer(
        &self,
        program: &str,
        question: &Question,
        cancel: &Cancel,
    ) -> Option<zeroize::Zeroizing<String>>;
}

/// How long plugins may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginLimits {
    /// Longest time for the plugin's next message. Defaults to five minutes.
    pub silence_max: Duration,
    /// The same once the plugin has talked to the user, because it may then wait for a touch. The time in which the
    /// user answers a question doesn't count. Defaults to one hour.
    pub user_max: Duration,
    /// Longest time between the end of a session and the exit of the plugin, which is then killed. Defaults to two
    /// seconds.
    pub leave_max: Duration,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            silence_max: Duration::from_secs(300),
            user_max: Duration::from_secs(3_600),
            leave_max: Duration::from_secs(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_as_documented() {
        let PluginLimits { silence_max, user_max, leave_max } = PluginLimits::default();
        assert_eq!((silence_max.as_secs(), user_max.as_secs(), leave_max.as_secs()), (300, 3_600, 2));
    }
}
