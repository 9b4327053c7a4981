//! The numbers of RSA keys in their encodings, for both libraries that compute with them.
//!
//! Owns: the numbers in an OpenSSH file, the SSH encoding of a public key, age's label.
//! Does not own: which numbers make a good key ([`super`]).
//!
//! Spec: RFC 8017, appendix A.1; RFC 4253, section 6.6.

use ssh_key::private::RsaKeypair;
use zeroize::Zeroizing;

use crate::keys::error::SshKeyError;

pub(super) const LABEL: &[u8] = b"age-encryption.org/v1/ssh-rsa";

/// The numbers of a private key in an OpenSSH file, big-endian without leading zeroes.
pub(super) struct Numbers {
    pub(super) n: Zeroizing<Vec<u8>>,
    pub(super) e: Zeroizing<Vec<u8>>,
    pub(super) d: Zeroizing<Vec<u8>>,
    pub(super) p: Zeroizing<Vec<u8>>,
    pub(super) q: Zeroizing<Vec<u8>>,
    pub(super) q_inverse: Zeroizing<Vec<u8>>,
}

pub(super) fn numbers_of(pair: &RsaKeypair) -> Result<Numbers, SshKeyError> {
    let number = |number: &'_ ssh_key::Mpint| -> Result<Zeroizing<Vec<u8>>, SshKeyError> {
        let bytes = number.as_positive_bytes().map(|bytes| Zeroizing::new(bytes.to_vec()));
        bytes.ok_or(SshKeyError::Malformed)
    };
    let (public, private) = (pair.public(), pair.private());
    let (n, e, d) = (number(public.n())?, number(public.e())?, number(private.d())?);
    let (p, q, q_inverse) = (number(private.p())?, number(private.q())?, number(private.iqmp())?);
    if [&d, &p, &q].iter().any(|number| number.len() > n.len()) {
        return Err(SshKeyError::Malformed);
    }
    Ok(Numbers { n, e, d, p, q, q_inverse })
}

/// The SSH encoding of the `RSAPublicKey` of PKCS#1 in `der`. Both formats encode an integer's bytes in the same way.
pub(super) fn blob_of(der: &[u8]) -> Option<Vec<u8>> {
    const INTEGER: u8 = 0x02;
    const SEQUENCE: u8 = 0x30;
    let (content, []) = der_element(SEQUENCE, der)? else { return None };
    let (modulus, rest) = der_element(INTEGER, content)?;
    let (exponent, []) = der_element(INTEGER, rest)? else { return None };
    let mut blob = Vec::with_capacity(der.len() + 32);
    for part in [b"ssh-rsa", exponent, modulus] {
        blob.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        blob.extend_from_slice(part);
    }
    Some(blob)
}

/// The content of the DER element with `tag` at the start of `der`, and what follows it.
fn der_element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first().filter(|(first, _)| **first == tag)?;
    debug_assert_eq!(*first, tag);
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        short => (usize::from(*short), rest),
    };
    rest.split_at_checked(length)
}
