//! The settings and their origins.
//!
//! Owns: which settings there are, which origin overrides which.
//! Does not own: reading them ([`super::text`], [`super::variables`]), what they mean (the plans).

use std::path::PathBuf;

/// Whether the configuration file counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigFile {
    Read,
    /// `--no-config`.
    Ignored,
}

/// A value and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line of the configuration file, counted from 1.
    Line(usize),
    /// The variable of this name.
    Variable(&'static str),
}

/// Defaults that the user chose. `None` where the user chose none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `haul seal -r`.
    pub(crate) recipient: Option<Setting<Vec<String>>>,
    /// `haul seal -R`.
    pub(crate) recipients_file: Option<Setting<Vec<PathBuf>>>,
    /// `-i` of the commands that open sealed files.
    pub(crate) identity: Option<Setting<Vec<PathBuf>>>,
    /// `haul get --jobs`.
    pub(crate) jobs: Option<Setting<u16>>,
    /// `haul get --per-host`.
    pub(crate) per_host: Option<Setting<u16>>,
    /// `haul get --proxy`.
    pub(crate) proxy: Option<Setting<String>>,
    /// `haul get --noproxy`.
    pub(crate) noproxy: Option<Setting<String>>,
}

impl Settings {
    /// These settings, and those of `fallback` where there is none. The two that name recipients count as one:
    /// otherwise a recipient of the file would be added to those of a variable.
    pub(super) fn or(self, fallback: Self) -> Self {
        let names_recipients = self.recipient.is_some() || self.recipients_file.is_some();
        let recipients = if names_recipients { Self::default() } else { fallback.clone() };
        Self {
            recipient: self.recipient.or(recipients.recipient),
            recipients_file: self.recipients_file.or(recipients.recipients_file),
            identity: self.identity.or(fallback.identity),
            jobs: self.jobs.or(fallback.jobs),
            per_host: self.per_host.or(fallback.per_host),
            proxy: self.proxy.or(fallback.proxy),
            noproxy: self.noproxy.or(fallback.noproxy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting<T>(value: T, origin: Origin) -> Option<Setting<T>> {
        Some(Setting { value, origin })
    }

    #[test]
    fn the_first_origin_counts_and_recipients_count_as_one() {
        let (line, variable) = (Origin::Line(3), Origin::Variable("HAUL_JOBS"));
        let file = Settings {
            recipient: setting(vec!["age1a".to_owned()], line),
            jobs: setting(5, line),
            per_host: setting(2, line),
            ..Settings::default()
        };
        let variables = Settings { jobs: setting(6, variable), ..Settings::default() };
        let both = variables.clone().or(file.clone());
        assert_eq!((both.jobs, both.per_host), (setting(6, variable), setting(2, line)));
        assert_eq!(both.recipient, file.recipient);
        let files = setting(vec![PathBuf::from("team")], Origin::Variable("HAUL_RECIPIENTS_FILE"));
        let variables = Settings { recipients_file: files.clone(), ..variables };
        let both = variables.or(file);
        assert_eq!((both.recipient, both.recipients_file), (None, files));
    }
}
