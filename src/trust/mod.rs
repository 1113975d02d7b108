//! Who may speak for which policy, and whether they did.
//!
//! This is the only module that calls `ed25519_dalek`, the only one that counts signers (`threshold`), and the only one
//! that can make a [`VerifiedBundle`]. It is pure: bytes and time come in as arguments.

mod agent;
mod envelope;
mod key_holder;
mod keys;
mod private_key;
mod requires;
mod root;
mod root_document;
mod sign;
mod sshsig;
mod threshold;
mod verified;
mod verify;

pub use agent::{AgentAnswer, AgentError, AgentIdentity, AgentRequest, MAX_AGENT_MESSAGE};
pub use envelope::{Envelope, EnvelopeError, ROOT_PAYLOAD_TYPE, STATEMENT_PAYLOAD_TYPE};
pub use key_holder::{KeyHolder, SIGNATURE_BYTES, SigningError};
pub use keys::{KeyError, KeyId, PublicKey};
pub use private_key::{Passphrase, PrivateKeyError, PrivateKeyFormat, SecretKey};
pub use requires::{RequiresError, check_requires};
pub use root::{RootChain, RootError, TrustRoot};
pub use root_document::{Principal, Revocations, RevokedRevisions, Role, RootDocument};
pub use sign::{
    NextRevision, SignError, Signed, SshSigned, Unchanged, cosign_root, sign_bundle, sign_root,
    ssh_sign_statement,
};
pub use sshsig::{
    STATEMENT_NAMESPACE, SshSigError, SshSignature, check_statement_signature, enrolled,
};
pub use threshold::Shortfall;
pub use verified::VerifiedBundle;
pub use verify::{Expectation, HighWater, VerifyError, verify};
