//! Serde encodings of standard types, for values that travel between the processes of a run.
//!
//! Owns: paths (any bytes) and I/O errors.
//! Does not own: types that serde can encode itself.

/// Encodes paths as bytes, which need not be UTF-8; for `#[serde(with = "wire::path")]`.
pub mod path {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serializer};

    /// Serializes the value.
    ///
    /// # Errors
    /// The serializer's error.
    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(path.as_os_str().as_bytes())
    }

    /// Deserializes a value.
    ///
    /// # Errors
    /// The deserializer's error.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        Ok(OsString::from_vec(bytes.to_vec()).into())
    }
}

/// Encodes I/O errors, for `#[serde(with = "wire::io_error")]`: a system error as its number, any other as its text and
/// kind. Kinds that haul does not distinguish become [`ErrorKind::Other`](std::io::ErrorKind::Other).
pub mod io_error {
    use std::io::{Error, ErrorKind};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    enum Form {
        Number(i32),
        Words { kind: u8, text: String },
    }

    /// The kinds that are kept; any other becomes the last.
    const KINDS: [ErrorKind; 8] = [
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::WriteZero,
        ErrorKind::UnexpectedEof,
        ErrorKind::InvalidData,
        ErrorKind::StorageFull,
        ErrorKind::TimedOut,
        ErrorKind::Other,
    ];

    /// Serializes the value.
    ///
    /// # Errors
    /// The serializer's error.
    pub fn serialize<S: Serializer>(error: &Error, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match error.raw_os_error() {
            Some(number) => Form::Number(number),
            None => {
                let kind = KINDS.iter().position(|kind| *kind == error.kind());
                Form::Words { kind: kind.unwrap_or(KINDS.len() - 1) as u8, text: error.to_string() }
            }
        };
        form.serialize(serializer)
    }

    /// Deserializes a value.
    ///
    /// # Errors
    /// The deserializer's error.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Error, D::Error> {
        Ok(match Form::deserialize(deserializer)? {
            Form::Number(number) => Error::from_raw_os_error(number),
            Form::Words { kind, text } => {
                let kind = KINDS.get(usize::from(kind)).copied().unwrap_or(ErrorKind::Other);
                Error::new(kind, text)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Both {
        #[serde(with = "super::path")]
        path: PathBuf,
        #[serde(with = "super::io_error")]
        error: io::Error,
    }

    #[test]
    fn any_path_and_any_error_survive() {
        for error in
            [io::Error::from_raw_os_error(28), io::ErrorKind::WriteZero.into(), io::Error::other("a loop")]
        {
            let path = PathBuf::from(OsStr::from_bytes(b"\xff/\n\x00b"));
            let (kind, text) = (error.kind(), error.to_string());
            let bytes = postcard::to_stdvec(&Both { path: path.clone(), error }).unwrap();
            let back: Both = postcard::from_bytes(&bytes).unwrap();
            assert_eq!((back.path, back.error.kind(), back.error.to_string()), (path, kind, text));
        }
    }
}
