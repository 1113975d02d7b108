//! The one ordered verification pipeline. It stops at the first failure.
//!
//! Before it: size caps, URL and ref lint, fetch, one commit id, walk and lint of the tree (`source`).
//!
//! 1. There is an envelope, and it decodes.
//! 2. Some publisher role has its threshold of signatures over the envelope's PAE.
//! 3. The payload's type is in-toto's; only now is the payload parsed.
//! 4. Predicate type, then bundle name, then namespace: the role that speaks for it is one of those that signed.
//! 5. Epoch and revision, times, revocation.
//! 6. The commit or tag is signed, where the role requires that.
//! 7. The files are exactly the subjects.
//! 8. Every file has the digest that was signed.
//! 9. `bundle.yaml`, parsed from those bytes, says the same as the statement.
//!
//! Once all bundles of a policy are verified, [`check_requires`](super::check_requires) holds them against one another, and
//! [`crate::resolve`] lets each define only the scopes that its signers speak for.

mod checks;
mod error;
mod files;

use jiff::{SignedDuration, Timestamp};

use super::envelope::{Envelope, STATEMENT_PAYLOAD_TYPE};
use super::git_signature::{check_git_signature, requires_git_signature};
use super::root::TrustRoot;
use super::validity::Held;
use super::verified::{VerifiedBundle, VerifiedStatement};
use crate::bundle::{FetchedBundle, Limits, Predicate, StatementRef};
use crate::digest::{CommitId, Sha256Digest};
use crate::name::{BundleName, RoleName};

use checks::{check_authority, check_manifest, check_revision, check_times};
pub(super) use checks::{check_revocation, satisfied_roles};
pub use error::VerifyError;
use files::{Files, check_digests, check_file_set, while_hashing};

/// The highest revision of a bundle that was ever accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HighWater {
    /// Its epoch.
    pub epoch: u64,
    /// Its revision within the epoch.
    pub revision: u64,
    /// Its payload's digest.
    pub payload: Sha256Digest,
}

/// What the consumer knows before it looks.
#[derive(Debug, Clone)]
pub struct Expectation<'a> {
    /// The bundle's name, where the consumer has one for it.
    pub name: Option<&'a BundleName>,
    /// The ref that was asked for, as it was given; none for what no ref leads to, such as a directory. Where a role requires a
    /// tag's signature, only that of this very tag counts.
    pub reference: Option<&'a str>,
    /// The time, fixed once per operation.
    pub now: Timestamp,
    /// The highest revision accepted so far, of lockfile and machine state.
    pub high_water: Option<HighWater>,
    /// The greatest age of a statement, whatever its own expiry.
    pub max_age: Option<SignedDuration>,
    /// Where the bytes are held: only what is active may be late.
    pub held: Held,
}

/// Verifies a bundle against a trust root.
///
/// Costs one SHA-256 of every file, on all cores, and one signature check for each signature whose `keyid` is honest; for one
/// that is not, a check under each key of the trust root.
///
/// # Errors
/// [`VerifyError`] for the first check that fails.
pub fn verify(
    fetched: FetchedBundle,
    root: &TrustRoot,
    expected: &Expectation<'_>,
    limits: &Limits,
) -> Result<VerifiedBundle, VerifyError> {
    // The files are hashed while the statement is read; which check fails first stays as it is.
    let files: Files<'_> = fetched.files.iter().collect();
    let (found, signed) = while_hashing(&files, || {
        let envelope = fetched
            .envelope
            .as_deref()
            .ok_or(VerifyError::EnvelopeMissing)?;
        let commit = fetched.origin.commit().cloned();
        check_statement(
            envelope,
            commit,
            root,
            expected,
            limits,
            |role, statement| {
                check_git_signature(&fetched, role, root, expected.reference, limits)?;
                check_file_set(&files, statement)
            },
        )
    });
    let (statement, digests) = signed?;
    check_digests(&files, &found, &digests)?;
    let manifest = check_manifest(&fetched, &statement.predicate, limits)?;
    Ok(VerifiedBundle {
        fetched,
        manifest,
        statement,
    })
}

/// Verifies what was signed of a bundle whose files are elsewhere: steps 1 to 5. None where the role requires a signature of Git's
/// own, which is one over the files.
///
/// # Errors
/// [`VerifyError`] for the first check that fails.
pub fn verify_statement(
    envelope: &[u8],
    commit: Option<CommitId>,
    root: &TrustRoot,
    expected: &Expectation<'_>,
    limits: &Limits,
) -> Result<Option<VerifiedStatement>, VerifyError> {
    let (statement, needs_files) = check_statement(
        envelope,
        commit,
        root,
        expected,
        limits,
        |role, statement| Ok((statement.predicate, requires_git_signature(role, root))),
    )?;
    Ok((!needs_files).then_some(statement))
}

/// Steps 1 to 5: all that needs no file; then `check`, which takes what the role's signers say.
fn check_statement<T>(
    envelope: &[u8],
    commit: Option<CommitId>,
    root: &TrustRoot,
    expected: &Expectation<'_>,
    limits: &Limits,
    check: impl FnOnce(&RoleName, StatementRef<'_>) -> Result<(Predicate, T), VerifyError>,
) -> Result<(VerifiedStatement, T), VerifyError> {
    let envelope = Envelope::parse(envelope, limits)?;
    let satisfied = satisfied_roles(&envelope, root)?;
    if envelope.payload_type() != STATEMENT_PAYLOAD_TYPE {
        return Err(VerifyError::PayloadType {
            found: envelope.payload_type().chars().take(120).collect(),
        });
    }
    let statement = StatementRef::parse(envelope.payload())?;
    let payload = envelope.payload_digest();
    let (role, signers) = check_authority(&statement.predicate, satisfied, root, expected)?;
    check_revision(&statement.predicate, &role, payload, root, expected)?;
    let validity = check_times(&statement.predicate, expected)?;
    check_revocation(&statement.predicate, payload, root)?;
    let (predicate, checked) = check(&role, statement)?;
    let statement = VerifiedStatement {
        commit,
        delegated: root
            .document()
            .delegated_within(&predicate.namespace, &role),
        predicate,
        payload,
        role,
        signers,
        root_version: root.version(),
        // SECURITY: whoever signed is trusted by this root alone, so nothing outlives it.
        validity: validity.ending_by(root.document().expires),
    };
    Ok((statement, checked))
}
