//! Bodies of responses as text and JSON.
//!
//! Owns: reading them.
//! Does not own: the response ([`crate::client::response`]).

use crate::{Error, Response};

impl Response {
    /// The body as JSON, whatever its media type.
    ///
    /// # Errors
    /// [`Error::Json`] if it isn't the JSON of a `T`.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Json { reason: error.to_string() })
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`Error::Text`] if it isn't UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.body).map_err(|_| Error::Text)
    }
}
