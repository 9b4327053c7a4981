//! The recipient types ssh-ed25519 and ssh-rsa: keys that exist already, for their owners' convenience.
//!
//! Owns: which texts and stanzas of these types are accepted.
//! Does not own: their cryptography, and the form of private keys (the `age` crate, which takes randomness from the system).
//!
//! Spec: the types have none; the `age` crate and the program age agree on them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use age::ssh;
use age::{Identity as _, Recipient as _};
use age_core::secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::encoding::array_from_base64;
use crate::file_key::{FileKey, WRAPPED_BYTES};
use crate::{HeaderError, KeyTextError, SealError, SshKeyError, Stanza};

const ED25519_TAG: &str = "ssh-ed25519";
const RSA_TAG: &str = "ssh-rsa";
/// The longest private key file that is read: one of 16 384 bits has 13 KiB.
const FILE_BYTES_MAX: usize = 64 * 1024;
/// What a modulus of 16 384 bits wraps.
const RSA_BODY_BYTES_MAX: usize = 2048;

/// Whether stanzas of type `tag` are dealt with here.
pub(crate) fn is_tag(tag: &str) -> bool {
    tag == ED25519_TAG || tag == RSA_TAG
}

/// Whether `line` is an SSH public key of whatever type.
pub(crate) fn is_public_key(line: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|start| line.starts_with(start))
}

/// Whether `text` is a private key file of SSH.
pub(crate) fn is_private_key(text: &str) -> bool {
    let labels = ["OPENSSH", "RSA", "DSA", "EC", "ENCRYPTED"];
    let begin = text.trim_start().strip_prefix("-----BEGIN ").unwrap_or("");
    begin.starts_with("PRIVATE KEY-----")
        || labels
            .iter()
            .any(|label| begin.strip_prefix(label).is_some_and(|rest| rest.starts_with(" PRIVATE KEY-----")))
}

/// A public key to seal to, as in `authorized_keys`. Clones share it.
#[derive(Clone)]
pub struct SshRecipient(Arc<ssh::Recipient>);

impl SshRecipient {
    pub(crate) fn wrap(&self, file_key: &FileKey) -> Result<Stanza, SealError> {
        let file_key = age_core::format::FileKey::new(Box::new(file_key.0));
        let (stanzas, _labels) = self.0.wrap_file_key(&file_key).map_err(|_| SealError::InvalidRecipient)?;
        let mut stanzas = stanzas.into_iter();
        let (Some(stanza), None) = (stanzas.next(), stanzas.next()) else {
            return Err(SealError::InvalidRecipient);
        };
        let arguments = [vec![stanza.tag], stanza.args].concat();
        Ok(Stanza { arguments, body: stanza.body })
    }
}

impl FromStr for SshRecipient {
    type Err = KeyTextError;

    /// The type and the key; a comment may follow.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use ssh::ParseRecipientKeyError as Error;
        let key: ssh::Recipient = text.parse().map_err(|error| match error {
            Error::RsaModulusTooSmall | Error::RsaModulusTooLarge => KeyTextError::WrongLength,
            // A key cut short looks like one of an unknown type to the parser.
            Error::Unsupported(tag) if !is_tag(&tag) => KeyTextError::Unsupported,
            _ => KeyTextError::InvalidKey,
        })?;
        // One text for each key: the parser itself would let other base64 pass.
        let mut words = text.split(' ');
        let is_canonical = words
            .next()
            .zip(words.next())
            .is_some_and(|(tag, value)| key.to_string().split_once(' ') == Some((tag, value)));
        if is_canonical { Ok(Self(Arc::new(key))) } else { Err(KeyTextError::InvalidKey) }
    }
}

impl fmt::Display for SshRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for SshRecipient {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for SshRecipient {}

impl fmt::Debug for SshRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SshRecipient({self})")
    }
}

/// A private key to open with. Clones share it; wiped when the last is dropped.
#[derive(Clone)]
pub struct SshIdentity(Arc<Private>);

struct Private {
    /// The text that the key was read from, for handing it on.
    file: Zeroizing<String>,
    /// What the file is protected with.
    passphrase: Option<Zeroizing<String>>,
    /// Invariant: without protection.
    key: ssh::Identity,
}

impl SshIdentity {
    /// The key in a private key file without a passphrase.
    ///
    /// # Errors
    /// [`SshKeyError::Protected`] if there is a passphrase; else if it is no such file, or of a type that can't open.
    pub fn from_file_text(text: &str) -> Result<Self, SshKeyError> {
        match parse(text)? {
            key @ ssh::Identity::Unencrypted(_) => Ok(Self::new(text, None, key)),
            ssh::Identity::Encrypted(_) => Err(SshKeyError::Protected),
            ssh::Identity::Unsupported(_) => Err(SshKeyError::Unsupported),
        }
    }

    /// The key in a private key file under a passphrase. Cost: by design up to seconds.
    ///
    /// # Errors
    /// If the passphrase is wrong, or the file as for [`SshIdentity::from_file_text`]. One without a passphrase is accepted.
    pub fn from_protected_text(text: &str, passphrase: &str) -> Result<Self, SshKeyError> {
        let ssh::Identity::Encrypted(protected) = parse(text)? else { return Self::from_file_text(text) };
        let key = protected
            .decrypt(SecretString::from(passphrase.to_owned()))
            .map_err(|_| SshKeyError::WrongPassphrase)?;
        Ok(Self::new(text, Some(Zeroizing::new(passphrase.to_owned())), key.into()))
    }

    fn new(text: &str, passphrase: Option<Zeroizing<String>>, key: ssh::Identity) -> Self {
        Self(Arc::new(Private { file: Zeroizing::new(text.to_owned()), passphrase, key }))
    }

    /// The public half.
    ///
    /// # Errors
    /// If it is a key that nobody should seal to, such as a short one of RSA.
    pub fn to_recipient(&self) -> Result<SshRecipient, KeyTextError> {
        let key = ssh::Recipient::try_from(self.0.key.clone()).map_err(|_| KeyTextError::InvalidKey)?;
        key.to_string().parse()
    }

    /// The file's text and its passphrase.
    pub(crate) fn source(&self) -> (&str, Option<&str>) {
        (&self.0.file, self.0.passphrase.as_ref().map(|passphrase| passphrase.as_str()))
    }

    /// The file key, if `stanza` wraps it for this identity.
    pub(crate) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        check(stanza)?;
        let (tag, args) = stanza.arguments.split_first().expect("a stanza has a type");
        let stanza =
            age_core::format::Stanza { tag: tag.clone(), args: args.to_vec(), body: stanza.body.clone() };
        // Keys are told apart by 32 bits only, so one that doesn't open may be somebody else's.
        Ok(self.0.key.unwrap_stanza(&stanza).and_then(Result::ok).map(|key| FileKey(*key.expose_secret())))
    }
}

fn parse(text: &str) -> Result<ssh::Identity, SshKeyError> {
    if text.len() > FILE_BYTES_MAX {
        return Err(SshKeyError::Malformed);
    }
    match ssh::Identity::from_buffer(text.trim_start().as_bytes(), None) {
        Ok(key) => Ok(key),
        // Other forms of PEM, which ssh-keygen -p -o would convert.
        Err(_) if !text.contains("OPENSSH") && !text.contains("RSA") => Err(SshKeyError::Unsupported),
        Err(_) => Err(SshKeyError::Malformed),
    }
}

/// That a stanza of these types has the arguments it should.
fn check(stanza: &Stanza) -> Result<(), HeaderError> {
    let is_key_hash = |text: &String| array_from_base64::<4>(text.as_bytes()).is_some();
    let is_share = |text: &String| array_from_base64::<32>(text.as_bytes()).is_some();
    let is_sound = match stanza.arguments.as_slice() {
        [tag, hash, share] if tag == ED25519_TAG => {
            is_key_hash(hash) && is_share(share) && stanza.body.len() == WRAPPED_BYTES
        }
        [tag, hash] if tag == RSA_TAG => is_key_hash(hash) && stanza.body.len() <= RSA_BODY_BYTES_MAX,
        _ => false,
    };
    if is_sound { Ok(()) } else { Err(HeaderError::MalformedSsh) }
}

impl fmt::Debug for SshIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SshIdentity(…)")
    }
}
