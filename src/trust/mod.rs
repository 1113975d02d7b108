//! Who may speak for which policy, and whether they did.
//!
//! This is the only module that calls `ed25519_dalek`, the only one that counts signers (`threshold`), and the only one
//! that can make a [`VerifiedBundle`]. It is pure: bytes and time come in as arguments.

mod check;
mod envelope;
mod explain;
mod keys;
mod private_key;
mod requires;
mod root;
mod root_document;
mod sign;
mod threshold;
mod validity;
mod verified;
mod verify;

pub use check::Check;
pub use envelope::{Envelope, EnvelopeError, ROOT_PAYLOAD_TYPE, STATEMENT_PAYLOAD_TYPE};
pub use explain::{Contrast, Fact, Fixer, Tally, facts};
pub use keys::{KeyError, KeyId, PublicKey};
pub use private_key::{Passphrase, PrivateKeyError, PrivateKeyFormat, SecretKey};
pub use requires::{RequiresError, check_requires};
pub use root::{RootChain, RootError, TrustRoot};
pub use root_document::{Principal, Revocations, RevokedRevisions, Role, RootDocument};
pub use sign::{
    NextRevision, OlderRevision, RevisionName, RevisionNameError, SignError, Signed, Unchanged,
    cosign_root, manifest_of, sign_bundle, sign_root,
};
pub use threshold::Shortfall;
pub use validity::{Freshness, Held, Validity};
pub use verified::VerifiedBundle;
pub use verify::{Expectation, HighWater, VerifyError, verify};
