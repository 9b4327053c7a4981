//! How SSH keys and their stanzas are recognised, whether or not the build can use them.
//!
//! Owns: the beginnings of public keys and private key files, the tags of stanzas.
//! Does not own: reading either (`keys::ssh`).

pub(crate) const ED25519_TAG: &str = "ssh-ed25519";
pub(crate) const RSA_TAG: &str = "ssh-rsa";

/// Whether `tag` is that of a stanza for an SSH key.
pub(crate) fn is_tag(tag: &str) -> bool {
    tag == ED25519_TAG || tag == RSA_TAG
}

/// Whether `line` has the form of an SSH public key of any type.
pub(crate) fn is_public_key(line: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|start| line.starts_with(start))
}

/// Whether `text` begins like a private key file of any type.
pub(crate) fn is_private_key(text: &str) -> bool {
    let labels = ["", "OPENSSH ", "RSA ", "DSA ", "EC ", "ENCRYPTED "];
    let begin = text.trim_start().strip_prefix("-----BEGIN ").unwrap_or("");
    labels
        .iter()
        .any(|label| begin.strip_prefix(label).is_some_and(|rest| rest.starts_with("PRIVATE KEY-----")))
}
