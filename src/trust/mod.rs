//! Who may speak for which policy, and whether they did.
//!
//! This is the only module that calls `ed25519_dalek`, the only one that counts signers (`threshold`), and the only one
//! that can make a [`VerifiedBundle`]. It is pure: bytes and time come in as arguments.

mod agent;
mod allowed_signers;
mod check;
mod envelope;
mod explain;
mod git_object;
mod git_signature;
mod key_holder;
mod keys;
mod private_key;
mod requires;
mod root;
mod root_diff;
mod root_document;
mod root_edit;
mod root_standing;
mod sign;
mod sshsig;
mod threshold;
mod validity;
mod verified;
mod verify;

pub use agent::{AgentAnswer, AgentError, AgentIdentity, AgentRequest, MAX_AGENT_MESSAGE};
pub use allowed_signers::{
    AllowedSigner, AllowedSigners, AllowedSignersError, BUNDLE_SIGNATURE_NAMESPACE,
    MAX_ALLOWED_SIGNERS_BYTES, SignatureNamespaces, SkippedSigner, read_allowed_signers,
    write_allowed_signers,
};
pub use check::Check;
pub use envelope::{Envelope, EnvelopeError, ROOT_PAYLOAD_TYPE, STATEMENT_PAYLOAD_TYPE};
pub use explain::{Contrast, Fact, Fixer, Tally, facts};
pub use git_object::{GitCommit, GitObjectError, GitTag};
pub use git_signature::{GitObject, GitSignatureError, GitSigned, git_signatures};
pub use key_holder::{KeyHolder, SIGNATURE_BYTES, SigningError};
pub use keys::{KeyError, KeyId, PublicKey};
pub use private_key::{Passphrase, PrivateKeyError, PrivateKeyFormat, SecretKey};
pub use requires::{RequiresError, check_requires};
pub use root::{RootChain, RootError, TrustRoot};
pub use root_diff::{RootDifference, diff_roots};
pub use root_document::{
    GitRequirement, Principal, Revocations, RevokedRevisions, Role, RootDocument,
};
pub use root_edit::{EditError, Renewal, RootChange, next_root};
pub use root_standing::{DraftError, RootDraft, RootStanding, root_drafts};
pub use sign::{
    MAX_UNASKED_REVISION, NextRevision, OlderRevision, RevisionName, RevisionNameError, SignError,
    Signed, SshSigned, Unchanged, cosign_root, manifest_of, sign_bundle, sign_root,
    ssh_sign_statement,
};
pub use sshsig::{SshSigError, SshSignature, check_statement_signature, enrolled};
pub use threshold::Shortfall;
pub use validity::{Freshness, Held, Validity, whole_second};
pub use verified::{VerifiedBundle, VerifiedStatement};
pub use verify::{Expectation, HighWater, VerifyError, verify, verify_statement};
