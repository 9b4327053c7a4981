//! The address of a run: `redis://[USER:PASSWORD@]HOST[:PORT][/DB]/RUN`.
//!
//! Owns: its grammar, printing it without the password.
//! Does not own: connecting ([`crate::connection`]).

use std::fmt;

use url::Url;

/// The longest name of a run.
const NAME_BYTES_MAX: usize = 100;

/// A run on a server. Its `Display` and `Debug` leave the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    server: Url,
    run: String,
}

/// Why a text isn't the address of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAddress(&'static str);

impl Address {
    /// The name of the run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The server, with the password.
    pub(crate) fn server(&self) -> &str {
        self.server.as_str()
    }

    /// With this password, unless it has one.
    ///
    /// # Errors
    /// If the address can't have one.
    pub fn with_password(mut self, password: &str) -> Result<Self, BadAddress> {
        if self.server.password().is_none() {
            self.server.set_password(Some(password)).map_err(|()| BadAddress("it can't have a password"))?;
        }
        Ok(self)
    }
}

impl std::str::FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let mut server = Url::parse(text).map_err(|_| BadAddress("it isn't a URL"))?;
        if !matches!(server.scheme(), "redis" | "rediss" | "redis+unix") {
            return Err(BadAddress("it begins with none of redis://, rediss:// and redis+unix://"));
        }
        if server.fragment().is_some() {
            return Err(BadAddress("it has a fragment"));
        }
        let (path, run) = server.path().rsplit_once('/').ok_or(BadAddress("it names no run"))?;
        let (path, run) = (path.to_owned(), run.to_owned());
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if run.is_empty() {
            return Err(BadAddress("it names no run: redis://HOST/RUN"));
        }
        if run.len() > NAME_BYTES_MAX || !run.bytes().all(is_allowed) {
            return Err(BadAddress("the name of a run is made of at most 100 of A-Z, a-z, 0-9, -, . and _"));
        }
        let is_number = |text: &str| text.strip_prefix('/').is_some_and(|text| text.parse::<u16>().is_ok());
        if server.scheme() != "redis+unix" && !path.is_empty() && !is_number(&path) {
            return Err(BadAddress("what stands before the run isn't the number of a database"));
        }
        server.set_path(&path);
        Ok(Self { server, run })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path) = (self.server.scheme(), self.server.path().trim_end_matches('/'));
        let host = self.server.host_str().unwrap_or_default();
        let port = self.server.port().map_or_else(String::new, |port| format!(":{port}"));
        write!(f, "{scheme}://{host}{port}{path}/{}", self.run)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_the_last_segment_and_passwords_are_not_shown() {
        for (text, server, shown) in [
            ("redis://h/r", "redis://h", "redis://h/r"),
            ("redis://h:7/3/r.1", "redis://h:7/3", "redis://h:7/3/r.1"),
            ("rediss://u:hush@h/r", "rediss://u:hush@h", "rediss://h/r"),
            ("redis+unix:///tmp/a.sock/r", "redis+unix:///tmp/a.sock", "redis+unix:///tmp/a.sock/r"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.server().trim_end_matches('/'), &*address.to_string()), (server, shown));
            assert!(!format!("{address:?}").contains("hush"));
        }
        for text in [
            "h/r",
            "http://h/r",
            "redis://h",
            "redis://h/",
            "redis://h/a b",
            "redis://h/x/r",
            "redis://h/r#x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        let address: Address = "redis://h/r".parse().unwrap();
        assert_eq!(address.with_password("p").unwrap().server().trim_end_matches('/'), "redis://:p@h");
    }
}
