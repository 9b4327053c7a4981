//! The CRT exponents of an RSA key, which OpenSSH files omit and aws-lc-rs needs.
//!
//! Owns: one remainder, computed in constant time for numbers of a given length.
//! Does not own: checking the key, which the library does with these exponents.

use zeroize::Zeroizing;

/// `exponent` modulo `prime - 1`; all numbers are big-endian. `prime` has to be odd, as the primes of a key are.
/// The result has the length of `prime`, rounded up to 8 bytes.
pub(super) fn crt_exponent(exponent: &[u8], prime: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut modulus = limbs(prime);
    if let Some(lowest) = modulus.first_mut() {
        *lowest &= !1;
    }
    let mut remainder = Zeroizing::new(vec![0; modulus.len()]);
    let mut difference = Zeroizing::new(vec![0; modulus.len()]);
    for bit in exponent.iter().flat_map(|byte| (0..8).rev().map(move |index| u64::from(byte >> index & 1))) {
        let overflow = shift_in(&mut remainder, bit);
        let borrow = subtract(&remainder, &modulus, &mut difference);
        // All ones where the difference isn't negative, else zero: no branch depends on the key.
        let mask = 0_u64.wrapping_sub(overflow | (borrow ^ 1));
        for (limb, reduced) in remainder.iter_mut().zip(difference.iter()) {
            *limb = (*limb & !mask) | (reduced & mask);
        }
    }
    Zeroizing::new(remainder.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect())
}

/// The limbs of a big-endian number, the lowest first.
fn limbs(bytes: &[u8]) -> Zeroizing<Vec<u64>> {
    let limb = |chunk: &[u8]| chunk.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    Zeroizing::new(bytes.rchunks(8).map(limb).collect())
}

/// Doubles `number`, adds `bit`, and returns the bit that overflows.
fn shift_in(number: &mut [u64], bit: u64) -> u64 {
    number.iter_mut().fold(bit, |carry, limb| {
        let out = *limb >> 63;
        *limb = *limb << 1 | carry;
        out
    })
}

/// Writes `left - right` to `difference` and returns 1 if it is negative, else 0.
fn subtract(left: &[u64], right: &[u64], difference: &mut [u64]) -> u64 {
    let mut borrow = false;
    for ((left, right), out) in left.iter().zip(right).zip(difference) {
        let (partial, first) = left.overflowing_sub(*right);
        let (value, second) = partial.overflowing_sub(u64::from(borrow));
        *out = value;
        borrow = first | second;
    }
    u64::from(borrow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(exponent: u128, prime: u128) {
        let result = crt_exponent(&exponent.to_be_bytes(), &prime.to_be_bytes());
        assert_eq!(*result, (exponent % (prime - 1)).to_be_bytes(), "{exponent} modulo {prime} - 1");
    }

    #[test]
    fn remainders_are_those_of_wide_integers() {
        let primes = [3, 5, 65_537, u128::from(u64::MAX) - 58, (1 << 127) - 1, u128::MAX - 158];
        let exponents =
            [0, 1, 2, 3, 65_536, 1 << 64, (1 << 64) - 1, u128::MAX, u128::MAX - 1, 0xdead_beef << 90];
        for prime in primes {
            for exponent in exponents.into_iter().chain([prime - 2, prime - 1, prime]) {
                check(exponent, prime);
            }
        }
    }

    #[test]
    fn degenerate_primes_do_not_panic() {
        assert!(crt_exponent(&[1, 2, 3], &[]).is_empty());
        assert_eq!(crt_exponent(&[], &[9]).len(), 8);
        assert_eq!(crt_exponent(&[1; 100], &[0; 9]).len(), 16);
    }
}
