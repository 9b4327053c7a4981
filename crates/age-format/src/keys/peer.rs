//! Agreement with one public key again and again, as when a tree is sealed to one recipient.
//!
//! Multiplying a point by many scalars is faster with a table of its multiples: the same method that makes public keys
//! from secrets, where the point is the curve's base. Making the table costs as much as about a hundred agreements, so
//! a key gets one only when it has been used more often than that. With and without it, the result is that of X25519.
//!
//! Owns: the table, when it is made.
//! Does not own: the arithmetic, which is curve25519-dalek's and in constant time; agreement without a table
//! ([`super::curve`]).
//!
//! Spec: RFC 7748.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use curve25519_dalek::edwards::EdwardsBasepointTable;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::traits::BasepointTable;
use zeroize::{Zeroize, Zeroizing};

use super::curve::{private_key, shared_secret};

/// The number of agreements without a table.
const USES_BEFORE_TABLE: u32 = 256;

/// A public key, and what makes agreeing with it fast. Memory: 30 KiB once it has been used often.
pub(crate) struct Peer {
    public: [u8; 32],
    uses: AtomicU32,
    /// The multiples of the key as a point of the Edwards curve; `None` inside if it is no point of that curve.
    table: OnceLock<Option<Box<EdwardsBasepointTable>>>,
}

impl Peer {
    pub(crate) fn new(public: [u8; 32]) -> Self {
        Self { public, uses: AtomicU32::new(0), table: OnceLock::new() }
    }

    pub(crate) fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The secret that the owner of `secret` shares with the owner of this key; `None` if this key is of low order.
    pub(crate) fn shared_secret(&self, secret: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        if let Some(Some(table)) = self.table.get() {
            return multiply(table, secret);
        }
        // Only this thread makes the table; the others go on without.
        if self.uses.fetch_add(1, Ordering::Relaxed) == USES_BEFORE_TABLE {
            self.table.get_or_init(|| self.new_table());
        }
        shared_secret(&private_key(secret), &self.public)
    }

    /// X25519 uses one coordinate, so either of the two points with it will do.
    fn new_table(&self) -> Option<Box<EdwardsBasepointTable>> {
        let point = MontgomeryPoint(self.public).to_edwards(0)?;
        Some(Box::new(EdwardsBasepointTable::create(&point)))
    }
}

fn multiply(table: &EdwardsBasepointTable, secret: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
    let mut point = table.mul_base_clamped(*secret);
    let shared = Zeroizing::new(point.to_montgomery().to_bytes());
    point.zeroize();
    if shared.iter().all(|byte| *byte == 0) { None } else { Some(shared) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::curve::public_of;

    /// Peers with a table and without, or one whose key is no point of the Edwards curve.
    #[track_caller]
    fn check(public: [u8; 32], has_table: bool) {
        let peer = Peer::new(public);
        let table = peer.new_table();
        assert_eq!(table.is_some(), has_table, "{public:?}");
        assert!(peer.table.set(table).is_ok());
        for byte in 0..=40_u8 {
            // Extremes are among them: all bits of the scalar clear or set.
            let mut secret = [byte.wrapping_mul(151); 32];
            if byte == 40 {
                secret = [0xff; 32];
            }
            secret[31] ^= byte << 2;
            let expected = shared_secret(&private_key(&secret), &public);
            assert_eq!(peer.shared_secret(&secret), expected, "{public:?} and {secret:?}");
        }
    }

    #[test]
    fn a_table_gives_what_x25519_gives() {
        for byte in 1..=20 {
            check(public_of(&private_key(&[byte; 32])), true);
        }
    }

    #[test]
    fn keys_that_nobody_generates_agree_as_well() {
        let small = |value: u8| {
            let mut key = [0; 32];
            key[0] = value;
            key
        };
        // Without a second coordinate on the curve, on its twist; RFC 7748 accepts them.
        check(small(2), false);
        check(small(3), false);
        // The base point, also with the bit set that X25519 ignores, and in a form that isn't reduced.
        check(small(9), true);
        let mut ignored_bit = small(9);
        ignored_bit[31] = 0x80;
        check(ignored_bit, true);
        let mut unreduced = [0xff; 32];
        (unreduced[0], unreduced[31]) = (0xed + 9, 0x7f);
        check(unreduced, true);
        // Low order: every secret agrees on zeroes.
        check(small(0), true);
        check(small(1), true);
    }

    #[test]
    fn a_point_with_a_part_of_low_order_agrees_as_well() {
        let base = MontgomeryPoint(public_of(&private_key(&[7; 32]))).to_edwards(0).expect("it is a point");
        for torsion in curve25519_dalek::constants::EIGHT_TORSION {
            check((base + torsion).to_montgomery().to_bytes(), true);
        }
    }

    #[test]
    fn the_table_is_made_after_enough_uses_by_one_thread() {
        let peer = Peer::new(public_of(&private_key(&[7; 32])));
        let secret = [9; 32];
        let expected = shared_secret(&private_key(&secret), &peer.public);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..USES_BEFORE_TABLE / 2 {
                        assert_eq!(peer.shared_secret(&secret), expected);
                    }
                });
            }
        });
        assert!(peer.table.get().is_none(), "a few files are sealed without");
        assert_eq!(peer.shared_secret(&secret), expected);
        assert!(peer.table.get().is_some());
        assert_eq!(peer.shared_secret(&secret), expected);
    }
}
