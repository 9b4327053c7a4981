//! X25519 key agreement, for the recipient types built on it.
//!
//! Owns: the agreement, and the refusal of public keys of low order.
//! Does not own: what a type derives from the shared secret.
//!
//! Spec: RFC 7748.

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use zeroize::Zeroizing;

pub(crate) fn private_key(secret: &[u8; 32]) -> PrivateKey {
    PrivateKey::from_private_key(&X25519, secret).expect("any 32 bytes are an X25519 secret")
}

pub(crate) fn public_of(key: &PrivateKey) -> [u8; 32] {
    let public = key.compute_public_key().expect("every X25519 secret has a public key");
    public.as_ref().try_into().expect("X25519 public keys have 32 bytes")
}

/// The secret that the owner of `own` shares with the owner of `peer`; `None` if `peer` is of low order, so that the
/// secret would be all zeroes.
pub(crate) fn shared_secret(own: &PrivateKey, peer: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
    agree(own, UnparsedPublicKey::new(&X25519, peer), (), |shared| {
        let shared: &[u8; 32] = shared.try_into().map_err(|_| ())?;
        if shared.iter().all(|byte| *byte == 0) { Err(()) } else { Ok(Zeroizing::new(*shared)) }
    })
    .ok()
}

/// Whether every secret agrees on zeroes with `public`: such a key keeps nothing secret.
pub(crate) fn is_low_order(public: &[u8; 32]) -> bool {
    // X25519 makes every secret a multiple of 8, so any one of them shows it.
    shared_secret(&private_key(&[1; 32]), public).is_none()
}
