//! Google's Wycheproof cases for ed25519, through the project's own strict verification.
//!
//! They cannot tell strict from lax verification (both pass), which is why `low_order` exists.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ordain::bundle::Limits;
use ordain::trust::{Envelope, EnvelopeError, PublicKey};
use wycheproof::TestResult;
use wycheproof::eddsa::{TestFlag, TestName, TestSet};

/// Whether a signature of any length counts. One that is not 64 bytes does not get past the envelope's parser.
fn is_accepted(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let whole: Result<&[u8; 64], _> = signature.try_into();
    match whole {
        Ok(signature) => key.verify(message, signature),
        Err(_) => {
            let text = STANDARD.encode(signature);
            let envelope =
                format!(r#"{{"payloadType":"t","payload":"","signatures":[{{"sig":"{text}"}}]}}"#);
            let parsed = Envelope::parse(envelope.as_bytes(), &Limits::default());
            assert!(
                matches!(parsed, Err(EnvelopeError::SignatureLength { size, .. }) if size == signature.len()),
                "{parsed:?}"
            );
            false
        }
    }
}

#[test]
fn every_wycheproof_case_of_ed25519_passes() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let (mut valid, mut invalid, mut malleable) = (0, 0, 0);
    for group in &set.test_groups {
        let key: [u8; 32] = group.key.pk[..].try_into().unwrap();
        // The three forms that the set gives of a key are one key to us.
        let key = PublicKey::from_bytes(&key).unwrap();
        assert_eq!(group.pem.parse().as_ref(), Ok(&key));
        assert_eq!(key.to_openssh().parse().as_ref(), Ok(&key));
        for test in &group.tests {
            let accepted = is_accepted(&key, &test.msg, &test.sig);
            let case = format!("case {}: {}", test.tc_id, test.comment);
            match test.result {
                TestResult::Valid => {
                    assert!(accepted, "{case}");
                    valid += 1;
                }
                TestResult::Invalid => {
                    assert!(!accepted, "{case}");
                    invalid += 1;
                }
                TestResult::Acceptable => panic!("{case} leaves it open"),
            }
            malleable += usize::from(test.flags.contains(&TestFlag::SignatureMalleability));
        }
    }
    assert_eq!(valid + invalid, set.number_of_tests);
    // A set that lost its cases would pass as well.
    assert!(valid >= 80 && invalid >= 60, "{valid} and {invalid}");
    assert!(malleable >= 5, "{malleable}");
}
