//! Tagged recipients, opened with keys that only hardware has outside of tests.

use base64::Engine;
use haul_age_format::{Header, Parsed, Recipient, StreamSealer, seal_header};

fn random(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).unwrap();
}

fn seal(recipients: &[Recipient], plain: &[u8]) -> Vec<u8> {
    let header = seal_header(recipients, &mut random).unwrap();
    let (mut sealer, mut file) = (StreamSealer::new(header.payload_key), header.bytes);
    sealer.push(plain, &mut file);
    sealer.finish(&mut file);
    file
}

#[test]
fn tagged_recipients_are_sealed_to_as_the_specification_says() {
    use hpke::aead::ChaCha20Poly1305;
    use hpke::kdf::HkdfSha256;
    use hpke::kem::{DhP256HkdfSha256, MlKem768P256};
    use hpke::{Deserializable, Kem, OpModeR, Serializable, single_shot_open};

    fn check<K: Kem>(
        prefix: &str,
        stanza_tag: &str,
        key_bytes: impl Fn(&[u8]) -> Vec<u8>,
        hashed_from: usize,
    ) {
        let (secret, public) = K::derive_keypair(&[7; 32]);
        let bytes = key_bytes(&public.to_bytes());
        let text = bech32::encode::<Long>(bech32::Hrp::parse(prefix).unwrap(), &bytes).unwrap();
        let recipient: Recipient = text.parse().unwrap();
        assert_eq!(recipient.to_secret_text().as_str(), text);
        assert_eq!(recipient.plugin(), None, "no plugin is needed to seal");
        let file = seal(&[recipient], b"Dear Ada");
        let Parsed::Complete { header, .. } = Header::parse(&file).unwrap() else { panic!() };
        let [stanza] = header.stanzas() else { panic!() };
        let [tag, short, encapsulated] = stanza.arguments.as_slice() else {
            panic!("{:?}", stanza.arguments)
        };
        assert_eq!(tag, stanza_tag);
        let decode = |text: &str| base64::prelude::BASE64_STANDARD_NO_PAD.decode(text).unwrap();
        let encapsulated = decode(encapsulated);
        let info = format!("age-encryption.org/{stanza_tag}");
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes[hashed_from..]);
        let salt = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, info.as_bytes());
        let extracted = aws_lc_rs::hmac::sign(&salt, &[&encapsulated, &hash.as_ref()[..4]].concat());
        assert_eq!(decode(short), extracted.as_ref()[..4]);
        let encapsulated = K::EncappedKey::from_bytes(&encapsulated).unwrap();
        let opened = single_shot_open::<ChaCha20Poly1305, HkdfSha256, K>(
            &OpModeR::Base,
            &secret,
            &encapsulated,
            info.as_bytes(),
            &stanza.body,
            &[],
        );
        assert_eq!(opened.unwrap().len(), 16);
    }

    let compressed = |point: &[u8]| [&[2 + (point[64] & 1)], &point[1..33]].concat();
    check::<DhP256HkdfSha256>("age1tag", "p256tag", compressed, 0);
    check::<MlKem768P256>("age1tagpq", "mlkem768p256tag", <[u8]>::to_vec, 1184);
    // The example of the specification.
    let text = "age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e";
    let Recipient::Tagged(recipient) = text.parse().unwrap() else { panic!() };
    assert!(!recipient.is_post_quantum());
    assert_eq!(recipient.to_string(), text);
    for refused in [&text.to_uppercase(), &text.replace("qt8", "qt9"), "age1tagpq1qqqqqq", "age1tag1"] {
        assert!(refused.parse::<Recipient>().is_err(), "{refused}");
    }
}

/// Bech32 without a limit on its length.
enum Long {}

impl bech32::Checksum for Long {
    type MidstateRepr = <bech32::Bech32 as bech32::Checksum>::MidstateRepr;
    type CorrectionField = <bech32::Bech32 as bech32::Checksum>::CorrectionField;
    const ROOT_GENERATOR: Self::CorrectionField = <bech32::Bech32 as bech32::Checksum>::ROOT_GENERATOR;
    const ROOT_EXPONENTS: std::ops::RangeInclusive<usize> =
        <bech32::Bech32 as bech32::Checksum>::ROOT_EXPONENTS;
    const CODE_LENGTH: usize = 4096;
    const CHECKSUM_LENGTH: usize = <bech32::Bech32 as bech32::Checksum>::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = <bech32::Bech32 as bech32::Checksum>::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = <bech32::Bech32 as bech32::Checksum>::TARGET_RESIDUE;
}
