//! The URL that a record is about, as the record holds it: as it is, or as a salted hash, which tells whether a given
//! URL is meant and nothing else.
//!
//! Owns: the form of such lines, comparing.
//! Does not own: which records hide their URLs ([`crate::kept::record`]).

/// A random text that is hashed together with the URL, so that hashes of two records can't be compared.
pub(crate) type Salt = [u8; 16];

/// The first word of a line with a hash. No URL has a space.
const SALTED: &str = "salted ";

/// What is kept of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Plain(String),
    Salted { salt: Salt, hash: blake3::Hash },
}

impl Default for Mark {
    fn default() -> Self {
        Self::of("")
    }
}

impl Mark {
    pub(crate) fn of(url: impl Into<String>) -> Self {
        Self::Plain(url.into())
    }

    /// The mark to write into a record that hides URLs with `salt`, or that hides none.
    pub(crate) fn hidden(&self, salt: Option<&Salt>) -> Self {
        match (self, salt) {
            (Self::Plain(url), Some(salt)) => Self::Salted { salt: *salt, hash: hash(salt, url) },
            _ => self.clone(),
        }
    }

    /// Whether `url` is meant.
    pub(crate) fn is_of(&self, url: &str) -> bool {
        match self {
            Self::Plain(own) => own == url,
            Self::Salted { salt, hash: own } => hash(salt, url) == *own,
        }
    }

    /// The URL, if it isn't hidden.
    pub(crate) fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(url) => Some(url),
            Self::Salted { .. } => None,
        }
    }

    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Plain(url) => url.clone(),
            Self::Salted { salt, hash } => {
                format!("{SALTED}{:032x} {}", u128::from_be_bytes(*salt), hash.to_hex())
            }
        }
    }

    /// Parses what [`Mark::to_text`] gives; `None` for a malformed hash.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let Some(salted) = text.strip_prefix(SALTED) else { return Some(Self::of(text)) };
        let (salt, hash) = salted.split_once(' ')?;
        let salt = u128::from_str_radix(salt, 16).ok()?.to_be_bytes();
        Some(Self::Salted { salt, hash: blake3::Hash::from_hex(hash).ok()? })
    }
}

fn hash(salt: &Salt, url: &str) -> blake3::Hash {
    blake3::Hasher::new().update(salt).update(url.as_bytes()).finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_url_is_recognized_and_not_shown() {
        let plain = Mark::of("https://h/secret?token=1");
        for (salt, other) in [([1; 16], [2; 16]), ([0; 16], [255; 16])] {
            let hidden = plain.hidden(Some(&salt));
            let text = hidden.to_text();
            assert!(!text.contains("secret") && !text.contains("https"), "{text}");
            assert_eq!(Mark::parse(text.as_bytes()), Some(hidden.clone()));
            assert!(hidden.is_of("https://h/secret?token=1") && !hidden.is_of("https://h/secret?token=2"));
            assert_eq!((hidden.plain(), hidden.hidden(Some(&other))), (None, hidden.clone()));
            assert_ne!(plain.hidden(Some(&other)).to_text(), text, "two records have nothing in common");
        }
        assert_eq!(plain.hidden(None), plain);
        assert_eq!(Mark::parse(plain.to_text().as_bytes()), Some(plain));
        for malformed in ["salted ", "salted 00", "salted 00 11", "salted x 11"] {
            assert_eq!(Mark::parse(malformed.as_bytes()), None, "{malformed}");
        }
    }
}
