//! Where keys come from, and when they are fetched again.
//!
//! Owns: the order of sources, the keys in use.
//! Does not own: reading a source (`profile`, `metadata`).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::Error;
use crate::access::keys::Keys;
use crate::access::{metadata, profile};

/// The address of the instance metadata service.
const INSTANCE: &str = "http://169.254.169.254";
/// The address that relative URLs of containers belong to.
const CONTAINER: &str = "http://169.254.170.2";

/// The source of keys. Keys that expire are fetched again five minutes before.
pub struct Credentials {
    source: Source,
    current: Mutex<Option<Arc<Keys>>>,
}

enum Source {
    Nothing,
    Fixed,
    Profile { credentials: PathBuf, config: PathBuf, name: String },
    Container { url: String, token: Option<Token> },
    Instance { base: String },
}

enum Token {
    Text(Zeroizing<String>),
    /// Read each time: the agent replaces it.
    File(PathBuf),
}

impl Credentials {
    /// Requests aren't signed.
    pub fn anonymous() -> Self {
        Self { source: Source::Nothing, current: Mutex::default() }
    }

    /// These keys.
    pub fn fixed(keys: Keys) -> Self {
        Self { source: Source::Fixed, current: Mutex::new(Some(Arc::new(keys))) }
    }

    /// The keys of a profile in shared files.
    pub fn profile(credentials: &Path, config: &Path, name: &str) -> Self {
        let (credentials, config, name) = (credentials.to_owned(), config.to_owned(), name.to_owned());
        Self { source: Source::Profile { credentials, config, name }, current: Mutex::default() }
    }

    /// The first source that the environment offers: variables with keys, a profile in the shared files, the agent of
    /// a container, the instance metadata service. `variable` looks up a variable. The files are read here; nothing is
    /// asked over the network yet.
    ///
    /// # Errors
    /// If half of a pair of keys is missing, if a profile that was asked for doesn't exist or has no keys, or if the
    /// token of a container would go to an unknown host.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let find = |name: &str| variable(name).filter(|value| !value.is_empty());
        let secret = |name: &str| find(name).map(Zeroizing::new);
        let asked = find("AWS_PROFILE").or_else(|| find("AWS_DEFAULT_PROFILE"));
        if asked.is_none() {
            match (find("AWS_ACCESS_KEY_ID"), secret("AWS_SECRET_ACCESS_KEY")) {
                (Some(id), Some(key)) => {
                    return Ok(Self::fixed(Keys::new(&id, key, secret("AWS_SESSION_TOKEN"))));
                }
                (None, None) => {}
                (Some(_), None) => return Err(missing("AWS_SECRET_ACCESS_KEY")),
                (None, Some(_)) => return Err(missing("AWS_ACCESS_KEY_ID")),
            }
        }
        let home = find("HOME").unwrap_or_default();
        let file = |name: &str, default: &str| {
            find(name).map_or_else(|| Path::new(&home).join(".aws").join(default), PathBuf::from)
        };
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let config = file("AWS_CONFIG_FILE", "config");
        let name = asked.as_deref().unwrap_or("default");
        match profile::read(&credentials, &config, name) {
            Ok(Some(_)) => return Ok(Self::profile(&credentials, &config, name)),
            Err(error) if asked.is_some() => return Err(error),
            Ok(None) if asked.is_some() => {
                return Err(Error::Credentials { reason: format!("there is no profile {name:?}") });
            }
            // The section `default` often holds a region only.
            Ok(None) | Err(_) => {}
        }
        Self::surroundings(&find)
    }

    fn surroundings(find: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let url = match find("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            Some(path) if path.starts_with('/') => Some(format!("{CONTAINER}{path}")),
            _ => find("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        };
        let source = if let Some(url) = url {
            if !metadata::is_trusted(&url) {
                let reason =
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an agent on this machine";
                return Err(Error::Credentials { reason: reason.to_owned() });
            }
            let file = find("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(|path| Token::File(path.into()));
            let text = || find("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(|text| Token::Text(text.into()));
            Source::Container { url, token: file.or_else(text) }
        } else if find("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Err(nothing_found());
        } else {
            let base = find("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| INSTANCE.to_owned());
            Source::Instance { base }
        };
        Ok(Self { source, current: Mutex::default() })
    }

    /// The keys to sign with; none for anonymous requests. Blocks while keys are fetched, once for all callers.
    pub(crate) fn keys(&self, now: SystemTime) -> Result<Option<Arc<Keys>>, Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fixed = matches!(self.source, Source::Nothing | Source::Fixed);
        match &*current {
            found if is_fixed => return Ok(found.clone()),
            Some(keys) if !keys.is_due(now) => return Ok(Some(keys.clone())),
            _ => {}
        }
        match (self.fetch(), &*current) {
            (Ok(keys), _) => *current = Some(Arc::new(keys)),
            // Still good for some minutes.
            (Err(_), Some(keys)) if !keys.has_expired(now) => {}
            (Err(error), _) => return Err(error),
        }
        Ok(current.clone())
    }

    /// Forgets keys that the store has called expired. Returns whether there may be others.
    pub(crate) fn expired(&self, used: &Arc<Keys>) -> bool {
        if matches!(self.source, Source::Nothing | Source::Fixed) {
            return false;
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.take_if(|keys| Arc::ptr_eq(keys, used));
        true
    }

    fn fetch(&self) -> Result<Keys, Error> {
        match &self.source {
            Source::Nothing | Source::Fixed => Err(nothing_found()),
            Source::Profile { credentials, config, name } => {
                profile::read(credentials, config, name)?.ok_or_else(nothing_found)
            }
            Source::Container { url, token } => {
                let token = match token {
                    None => None,
                    Some(Token::Text(text)) => Some(text.clone()),
                    Some(Token::File(path)) => {
                        Some(Zeroizing::new(std::fs::read_to_string(path).map_err(|error| {
                            Error::Credentials {
                                reason: format!("cannot read {path:?}: {}", haul_io::reason(&error)),
                            }
                        })?))
                    }
                };
                metadata::from_container(url, token.as_ref().map(|token| token.as_str()))
            }
            Source::Instance { base } => metadata::from_instance(base)?.ok_or_else(nothing_found),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Nothing => "Credentials(none)",
            Source::Fixed => "Credentials(fixed)",
            Source::Profile { .. } => "Credentials(profile)",
            Source::Container { .. } => "Credentials(container)",
            Source::Instance { .. } => "Credentials(instance)",
        })
    }
}

fn missing(name: &str) -> Error {
    Error::Credentials { reason: format!("{name} is not set, though its other half is") }
}

fn nothing_found() -> Error {
    let reason = "no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";
    Error::Credentials { reason: reason.to_owned() }
}
