//! The one ordered verification pipeline. It stops at the first failure.
//!
//! Before it: size caps, URL and ref lint, fetch, one commit id, walk and lint of the tree (`source`).
//!
//! 1. There is an envelope, and it decodes.
//! 2. Some publisher role has its threshold of signatures over the envelope's PAE.
//! 3. The payload's type is in-toto's; only now is the payload parsed.
//! 4. Predicate type, then bundle name, then namespace: the role that speaks for it is one of those that signed.
//! 5. Epoch and revision, times, revocation.
//! 6. The files are exactly the subjects.
//! 7. Every file has the digest that was signed.
//! 8. `bundle.yaml`, parsed from those bytes, says the same as the statement.
//!
//! Once all bundles of a policy are verified, [`check_requires`](super::check_requires) holds them against one another, and
//! [`crate::resolve`] lets each define only the scopes that its signers speak for.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;

use super::envelope::{Envelope, EnvelopeError, STATEMENT_PAYLOAD_TYPE};
use super::root::TrustRoot;
use super::threshold::{Shortfall, ValidSignatures};
use super::verified::VerifiedBundle;
use crate::bundle::{
    BundlePath, FetchedBundle, Limits, MANIFEST_FILE, Manifest, Predicate, Signer, Statement,
    StatementError,
};
use crate::diag::{Code, Diagnostic};
use crate::digest::Sha256Digest;
use crate::name::{BundleName, Namespace, RoleName};

/// How far in the future a statement may be issued: clocks differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Bytes from which on files are hashed on all cores.
const PARALLEL_BYTES: usize = 1 << 20;

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
    /// The time, fixed once per operation.
    pub now: Timestamp,
    /// The highest revision accepted so far, of lockfile and machine state.
    pub high_water: Option<HighWater>,
    /// The greatest age of a statement, whatever its own expiry.
    pub max_age: Option<SignedDuration>,
}

/// Why a bundle is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No `bundle.dsse.json`.
    #[error("the bundle has no `bundle.dsse.json`")]
    EnvelopeMissing,
    /// It does not decode.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The trust root lets nobody publish anything.
    #[error("the trust root has no publisher")]
    NoPublisher,
    /// No role has enough signatures.
    #[error("the bundle has {} of the {} signatures that role `{}` requires", .0.signed.len(), .0.threshold, .0.role)]
    Threshold(Box<Shortfall>),
    /// Signed as something else.
    #[error("the signed payload's type is `{}`, not `{STATEMENT_PAYLOAD_TYPE}`", found.escape_debug())]
    PayloadType {
        /// What it claims.
        found: String,
    },
    /// The payload is not a statement of ours.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Another bundle's statement.
    #[error("the statement is about bundle `{found}`, not `{expected}`")]
    Name {
        /// What the consumer asked for.
        expected: BundleName,
        /// What was signed.
        found: BundleName,
    },
    /// Signed by people who do not speak for this namespace.
    #[error("the namespace `{namespace}` is for role `{}`, whose signatures are missing", .role.as_ref().map_or_else(|| "(nobody)".to_owned(), ToString::to_string))]
    Namespace {
        /// What the statement claims.
        namespace: Namespace,
        /// The role that speaks for it, if there is one.
        role: Option<RoleName>,
        /// The roles whose thresholds are met.
        signed_by: Vec<RoleName>,
    },
    /// Signed for another epoch than the role is in.
    #[error("the statement is of epoch {found}; role `{role}` is in epoch {expected}")]
    Epoch {
        /// The role.
        role: RoleName,
        /// The role's epoch.
        expected: u64,
        /// The statement's.
        found: u64,
    },
    /// An older revision than one accepted before.
    #[error(
        "the statement is revision {found_epoch}.{found}; revision {seen_epoch}.{seen} was accepted before"
    )]
    Rollback {
        /// The statement's epoch.
        found_epoch: u64,
        /// The statement's revision.
        found: u64,
        /// The high-water mark's epoch.
        seen_epoch: u64,
        /// The high-water mark's revision.
        seen: u64,
    },
    /// Two statements under one revision.
    #[error(
        "revision {epoch}.{revision} was signed twice: {seen} was accepted before, this is {found}"
    )]
    Equivocation {
        /// The epoch of both.
        epoch: u64,
        /// The revision of both.
        revision: u64,
        /// The payload accepted before.
        seen: Sha256Digest,
        /// This payload.
        found: Sha256Digest,
    },
    /// Issued later than now.
    #[error("the statement was issued at {issued}, which is in the future (now {now})")]
    Future {
        /// When it claims to be issued.
        issued: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// Past its expiry.
    #[error("the statement expired at {expires}")]
    Expired {
        /// When.
        expires: Timestamp,
    },
    /// Older than the consumer accepts.
    #[error("the statement was issued at {issued}, longer ago than the `max_age` of {max_age:#}")]
    TooOld {
        /// When it was issued.
        issued: Timestamp,
        /// What the consumer accepts.
        max_age: SignedDuration,
    },
    /// Revoked by the trust root.
    #[error("revision {revision} of the bundle is revoked by the trust root")]
    Revoked {
        /// The revision.
        revision: u64,
    },
    /// A file that nobody signed.
    #[error("file `{path}` is not listed in the signed statement")]
    Unlisted {
        /// The file.
        path: BundlePath,
    },
    /// A signed file that is not there.
    #[error("file `{path}` is listed in the signed statement and missing")]
    MissingFile {
        /// The file.
        path: BundlePath,
    },
    /// A file with other bytes than were signed.
    #[error("file `{path}` has the digest {found}, not the signed {signed}")]
    FileDigest {
        /// The file.
        path: BundlePath,
        /// What was signed.
        signed: Sha256Digest,
        /// What is there.
        found: Sha256Digest,
    },
    /// The manifest does not parse.
    #[error("{0}")]
    Manifest(Box<Diagnostic>),
    /// The manifest says otherwise than the statement.
    #[error("`bundle.yaml` says {field} `{manifest}`, the signed statement says `{statement}`")]
    ManifestDiffers {
        /// Which member.
        field: &'static str,
        /// What the manifest says.
        manifest: String,
        /// What the statement says.
        statement: String,
    },
}

impl VerifyError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::EnvelopeMissing => Code::ENVELOPE_MISSING,
            Self::Envelope(error) => error.code(),
            Self::NoPublisher => Code::NO_PUBLISHER,
            Self::Threshold(_) => Code::THRESHOLD,
            Self::PayloadType { .. } => Code::PAYLOAD_TYPE,
            Self::Statement(error) => error.code(),
            Self::Name { .. } => Code::WRONG_BUNDLE,
            Self::Namespace { .. } => Code::WRONG_NAMESPACE,
            Self::Epoch { .. } => Code::WRONG_EPOCH,
            Self::Rollback { .. } => Code::ROLLBACK,
            Self::Equivocation { .. } => Code::EQUIVOCATION,
            Self::Future { .. } => Code::FUTURE_DATED,
            Self::Expired { .. } => Code::EXPIRED,
            Self::TooOld { .. } => Code::TOO_OLD,
            Self::Revoked { .. } => Code::REVOKED,
            Self::Unlisted { .. } => Code::UNLISTED_FILE,
            Self::MissingFile { .. } => Code::MISSING_FILE,
            Self::FileDigest { .. } => Code::FILE_DIGEST,
            Self::Manifest(diagnostic) => diagnostic.code,
            Self::ManifestDiffers { .. } => Code::MANIFEST_DIFFERS,
        }
    }
}

impl VerifyError {
    /// Whether the bytes at hand are damaged, so that fetching them again may help; all else is what the signers said.
    #[must_use]
    pub fn is_about_bytes(&self) -> bool {
        matches!(
            self,
            Self::EnvelopeMissing
                | Self::Envelope(_)
                | Self::Threshold(_)
                | Self::Unlisted { .. }
                | Self::MissingFile { .. }
                | Self::FileDigest { .. }
        )
    }
}

/// Verifies a bundle against a trust root.
///
/// Costs one SHA-256 of every file, on all cores, and one signature check for each pair of a signature and a principal's
/// key.
///
/// # Errors
/// [`VerifyError`] for the first check that fails.
pub fn verify(
    fetched: FetchedBundle,
    root: &TrustRoot,
    expected: &Expectation<'_>,
    limits: &Limits,
) -> Result<VerifiedBundle, VerifyError> {
    // Files are hashed on the other cores while the statement is read on this one; which check fails first stays as it is.
    let check_statement = || check_statement(&fetched, root, expected, limits);
    let (found, signed) = if is_small(&fetched) {
        (
            fetched.files.iter().map(digest_of).collect(),
            check_statement(),
        )
    } else {
        rayon::join(|| digests_of(&fetched), check_statement)
    };
    let Signed {
        statement,
        payload,
        role,
        signers,
    } = signed?;
    check_files(&found, &statement)?;
    let manifest = check_manifest(&fetched, &statement.predicate, limits)?;
    let delegated = root
        .document()
        .delegated_within(&statement.predicate.namespace, &role);
    Ok(VerifiedBundle {
        delegated,
        fetched,
        manifest,
        predicate: statement.predicate,
        payload,
        role,
        signers,
        root_version: root.version(),
    })
}

/// What the envelope says, once it is known who says it.
struct Signed {
    statement: Statement,
    payload: Sha256Digest,
    role: RoleName,
    signers: Vec<Signer>,
}

/// Steps 1 to 5: all that needs no file.
fn check_statement(
    fetched: &FetchedBundle,
    root: &TrustRoot,
    expected: &Expectation<'_>,
    limits: &Limits,
) -> Result<Signed, VerifyError> {
    let bytes = fetched
        .envelope
        .as_deref()
        .ok_or(VerifyError::EnvelopeMissing)?;
    let envelope = Envelope::parse(bytes, limits)?;
    let satisfied = satisfied_roles(&envelope, root)?;
    if envelope.payload_type() != STATEMENT_PAYLOAD_TYPE {
        return Err(VerifyError::PayloadType {
            found: envelope.payload_type().chars().take(120).collect(),
        });
    }
    let statement = Statement::parse(envelope.payload())?;
    let payload = envelope.payload_digest();
    let (role, signers) = check_authority(&statement.predicate, satisfied, root, expected)?;
    check_revision(&statement.predicate, &role, payload, root, expected)?;
    check_times(&statement.predicate, expected)?;
    check_revocation(&statement.predicate, payload, root)?;
    Ok(Signed {
        statement,
        payload,
        role,
        signers,
    })
}

/// The publisher roles whose thresholds are met, with their signers. Nothing of the payload is known yet.
fn satisfied_roles(
    envelope: &Envelope,
    root: &TrustRoot,
) -> Result<Vec<(RoleName, Vec<Signer>)>, VerifyError> {
    let valid = ValidSignatures::check(envelope, root.document());
    let mut satisfied = Vec::new();
    let mut nearest: Option<Shortfall> = None;
    for (name, role) in root.document().publishers() {
        match valid.count(name, role) {
            Ok(signers) => satisfied.push((name.clone(), signers)),
            Err(shortfall) => {
                if nearest
                    .as_ref()
                    .is_none_or(|nearest| shortfall.signed.len() > nearest.signed.len())
                {
                    nearest = Some(shortfall);
                }
            }
        }
    }
    match nearest {
        _ if !satisfied.is_empty() => Ok(satisfied),
        Some(shortfall) => Err(VerifyError::Threshold(Box::new(shortfall))),
        None => Err(VerifyError::NoPublisher),
    }
}

/// The bundle is the one that was asked for, and the role that speaks for its namespace signed it.
fn check_authority(
    predicate: &Predicate,
    mut satisfied: Vec<(RoleName, Vec<Signer>)>,
    root: &TrustRoot,
    expected: &Expectation<'_>,
) -> Result<(RoleName, Vec<Signer>), VerifyError> {
    if let Some(name) = expected.name.filter(|name| **name != predicate.bundle) {
        return Err(VerifyError::Name {
            expected: name.clone(),
            found: predicate.bundle.clone(),
        });
    }
    let role = root.document().publisher_of(&predicate.namespace);
    match satisfied.iter().position(|(name, _)| Some(name) == role) {
        Some(index) => Ok(satisfied.swap_remove(index)),
        None => Err(VerifyError::Namespace {
            namespace: predicate.namespace.clone(),
            role: role.cloned(),
            signed_by: satisfied.into_iter().map(|(name, _)| name).collect(),
        }),
    }
}

/// `(epoch, revision)` only grows, and stands for one payload.
fn check_revision(
    predicate: &Predicate,
    role: &RoleName,
    payload: Sha256Digest,
    root: &TrustRoot,
    expected: &Expectation<'_>,
) -> Result<(), VerifyError> {
    let (epoch, revision) = (predicate.epoch.get(), predicate.revision.get());
    if let Some(current) = root
        .document()
        .roles
        .get(role)
        .map(|role| role.epoch.get())
        .filter(|e| *e != epoch)
    {
        return Err(VerifyError::Epoch {
            role: role.clone(),
            expected: current,
            found: epoch,
        });
    }
    let Some(seen) = expected.high_water else {
        return Ok(());
    };
    if (epoch, revision) < (seen.epoch, seen.revision) {
        return Err(VerifyError::Rollback {
            found_epoch: epoch,
            found: revision,
            seen_epoch: seen.epoch,
            seen: seen.revision,
        });
    }
    if (epoch, revision) == (seen.epoch, seen.revision) && payload != seen.payload {
        return Err(VerifyError::Equivocation {
            epoch,
            revision,
            seen: seen.payload,
            found: payload,
        });
    }
    Ok(())
}

fn check_times(predicate: &Predicate, expected: &Expectation<'_>) -> Result<(), VerifyError> {
    let Predicate {
        issued, expires, ..
    } = *predicate;
    let now = expected.now;
    if issued.duration_since(now) > CLOCK_SKEW {
        return Err(VerifyError::Future { issued, now });
    }
    if expires <= now {
        return Err(VerifyError::Expired { expires });
    }
    match expected.max_age {
        Some(max_age) if now.duration_since(issued) > max_age => {
            Err(VerifyError::TooOld { issued, max_age })
        }
        _ => Ok(()),
    }
}

fn check_revocation(
    predicate: &Predicate,
    payload: Sha256Digest,
    root: &TrustRoot,
) -> Result<(), VerifyError> {
    let revoked = &root.document().revoked;
    let in_range = revoked.revisions.iter().any(|range| {
        range.bundle == predicate.bundle
            && range.epoch == predicate.epoch
            && (range.from..=range.to).contains(&predicate.revision)
    });
    if in_range || revoked.payloads.contains(&payload) {
        return Err(VerifyError::Revoked {
            revision: predicate.revision.get(),
        });
    }
    Ok(())
}

/// The digest of every file, by name, computed on all cores.
fn digests_of(fetched: &FetchedBundle) -> Vec<(&BundlePath, Sha256Digest)> {
    let files: Vec<_> = fetched.files.iter().collect();
    files.into_par_iter().map(digest_of).collect()
}

fn digest_of<'a>((path, bytes): (&'a BundlePath, &Arc<[u8]>)) -> (&'a BundlePath, Sha256Digest) {
    (path, Sha256Digest::of(bytes))
}

/// Whether hashing takes less time than it takes to begin threads for it.
fn is_small(fetched: &FetchedBundle) -> bool {
    // A hash costs about as much as that of some hundred bytes more than there are.
    let sizes = fetched.files.values().map(|bytes| bytes.len() + 256);
    sizes.sum::<usize>() < PARALLEL_BYTES
}

/// The files are exactly the subjects, and each has its signed digest. Both are sorted by name.
fn check_files(
    found: &[(&BundlePath, Sha256Digest)],
    statement: &Statement,
) -> Result<(), VerifyError> {
    let subjects = &statement.subjects;
    if !found.iter().map(|(path, _)| *path).eq(subjects.keys()) {
        let names: BTreeSet<&BundlePath> = found.iter().map(|(path, _)| *path).collect();
        if let Some(path) = names.iter().find(|path| !subjects.contains_key(**path)) {
            let path = (*path).clone();
            return Err(VerifyError::Unlisted { path });
        }
        if let Some(path) = subjects.keys().find(|path| !names.contains(path)) {
            return Err(VerifyError::MissingFile { path: path.clone() });
        }
    }
    let differing = found
        .iter()
        .zip(subjects.values())
        .find(|((_, found), signed)| found != *signed);
    differing.map_or(Ok(()), |((path, found), signed)| {
        Err(VerifyError::FileDigest {
            path: (*path).clone(),
            signed: *signed,
            found: *found,
        })
    })
}
fn check_manifest(
    fetched: &FetchedBundle,
    predicate: &Predicate,
    limits: &Limits,
) -> Result<Manifest, VerifyError> {
    let bytes = fetched
        .files
        .iter()
        .find(|(path, _)| path.as_str() == MANIFEST_FILE)
        .map(|(_, bytes)| bytes);
    let missing = || Diagnostic::error(Code::MANIFEST_MISSING, "the bundle has no `bundle.yaml`");
    let bytes = bytes.ok_or_else(|| VerifyError::Manifest(Box::new(missing())))?;
    let manifest = Manifest::parse(bytes, limits.yaml_bytes)
        .map_err(|diagnostic| VerifyError::Manifest(Box::new(diagnostic)))?;
    let fields = [
        (
            "name",
            manifest.name.to_string(),
            predicate.bundle.to_string(),
        ),
        (
            "version",
            manifest.version.to_string(),
            predicate.version.to_string(),
        ),
        (
            "namespace",
            manifest.namespace.to_string(),
            predicate.namespace.to_string(),
        ),
    ];
    for (field, manifest, statement) in fields {
        if manifest != statement {
            return Err(VerifyError::ManifestDiffers {
                field,
                manifest,
                statement,
            });
        }
    }
    Ok(manifest)
}
