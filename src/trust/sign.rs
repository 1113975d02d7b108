//! Signing: statements of bundles, and trust roots.

mod cosign;
mod rollback;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use jiff::Timestamp;

use super::allowed_signers::BUNDLE_SIGNATURE_NAMESPACE;
use super::envelope::{Envelope, EnvelopeError, STATEMENT_PAYLOAD_TYPE};
use super::key_holder::{KeyHolder, SigningError};
use super::root_document::RootDocument;
use super::root_standing::{DraftError, RootDraft};
use super::sshsig::SshSignature;
use super::validity::whole_second;
use crate::bundle::{
    BundlePath, FetchedBundle, Limits, MANIFEST_FILE, Manifest, Predicate, Requirement, Statement,
    StatementError,
};
use crate::diag::{Code, Diagnostic};
use crate::digest::Sha256Digest;
use crate::name::BundleName;

pub use cosign::MAX_UNASKED_REVISION;
pub use rollback::{OlderRevision, RevisionName, RevisionNameError};

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The manifest is missing or does not parse.
    #[error("{0}")]
    Manifest(Box<Diagnostic>),
    /// The envelope that is there does not parse.
    #[error("the existing `bundle.dsse.json` does not parse: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The statement that is there does not parse.
    #[error("the existing statement does not parse: {0}")]
    Existing(StatementError),
    /// The new statement breaks its rules.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// A new revision needs an expiry.
    #[error("a new revision needs an expiry")]
    ExpiryNeeded,
    /// The existing statement has expired, so a co-signature would be worth nothing.
    #[error("the statement to co-sign expired at {expires}")]
    Expired {
        /// When.
        expires: Timestamp,
    },
    /// A revision that is not above the last one.
    #[error("revision {wanted} is not above the last revision {last}")]
    Revision {
        /// What was asked for.
        wanted: u64,
        /// The revision of the existing statement.
        last: u64,
    },
    /// A revision that follows from an envelope that nobody verified, and that nobody reaches by counting.
    #[error(
        "revision {revision} follows from the `bundle.dsse.json` that is there, and is above {MAX_UNASKED_REVISION}"
    )]
    Unasked {
        /// The revision.
        revision: u64,
    },
    /// The statement to co-sign says something else than what was asked for.
    #[error("the files are unchanged, and the statement to co-sign says {what}")]
    CoSign {
        /// What it says.
        what: String,
    },
    /// The envelope to return to is another bundle's.
    #[error("the older envelope is of bundle `{found}`, not `{expected}`")]
    RollbackOfAnother {
        /// Whose it is.
        found: BundleName,
        /// The bundle in the directory.
        expected: BundleName,
    },
    /// The directory does not hold the older revision's files.
    #[error("file `{path}` is not as in revision {epoch}.{revision}")]
    RollbackFiles {
        /// The first one that differs.
        path: BundlePath,
        /// The older revision's epoch.
        epoch: u64,
        /// The older revision.
        revision: u64,
    },
    /// The directory's envelope is not of a later revision, so that the next number is not known.
    #[error(
        "the directory's `bundle.dsse.json` is not of a later revision than {epoch}.{revision}, so the next one is not known"
    )]
    NewestUnknown {
        /// The older revision's epoch.
        epoch: u64,
        /// The older revision.
        revision: u64,
    },
    /// There is no statement to sign.
    #[error("the bundle has no `bundle.dsse.json`, so there is no statement to sign")]
    NoStatement,
    /// The files are not those of the statement.
    #[error("`{path}` is not as the statement says")]
    Changed {
        /// The first file that differs, is missing, or is not listed.
        path: BundlePath,
    },
    /// Whoever holds a key gave no signature, or a wrong one.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl SignError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Manifest(diagnostic) => diagnostic.code,
            Self::Envelope(error) => error.code(),
            Self::Existing(error) | Self::Statement(error) => error.code(),
            Self::ExpiryNeeded => Code::SIGN_EXPIRY,
            Self::Expired { .. } => Code::EXPIRED,
            Self::Revision { .. } | Self::NewestUnknown { .. } => Code::SIGN_REVISION,
            Self::Unasked { .. } => Code::SIGN_UNASKED,
            Self::CoSign { .. } => Code::SIGN_COSIGN,
            Self::RollbackOfAnother { .. } | Self::RollbackFiles { .. } => Code::SIGN_ROLLBACK,
            Self::NoStatement => Code::ENVELOPE_MISSING,
            Self::Changed { .. } => Code::SIGN_CHANGED,
            Self::Signing(error) => error.code(),
        }
    }
}

/// What to do when the files are as the existing statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unchanged {
    /// Add the signatures to it.
    CoSign,
    /// Begin a new revision, with a new expiry.
    Renew,
}

/// What the next statement says beyond the files and the manifest.
#[derive(Debug, Clone)]
pub struct NextRevision {
    /// Now: when it is issued.
    pub now: Timestamp,
    /// What to do when the files are as the existing statement says.
    pub unchanged: Unchanged,
    /// When a new revision expires.
    pub expires: Option<Timestamp>,
    /// The epoch; that of the existing statement, or 1, where none is given.
    pub epoch: Option<NonZeroU64>,
    /// The revision; one more than the existing statement's, or 1, where none is given.
    pub revision: Option<NonZeroU64>,
    /// What it was written against; as the existing statement says, where none is given.
    pub requires: Option<Vec<Requirement>>,
    /// The older revision whose files these are, where the step back is meant.
    pub rolls_back: Option<OlderRevision>,
}

/// What signing did.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The envelope to write.
    pub envelope: Envelope,
    /// What it covers.
    pub statement: Statement,
    /// Whether the existing statement was co-signed rather than replaced.
    pub cosigned: bool,
    /// How many signatures were added.
    pub added: usize,
}

/// Signs a bundle's files. Where they are as the existing statement says, the signatures are added to it, unless a renewal
/// is asked for; otherwise a new revision begins, with these signatures alone.
///
/// The signatures on the existing envelope are not checked. What it says is therefore co-signed only where it does not
/// contradict `next`, and leads to no revision above [`MAX_UNASKED_REVISION`] that `next` does not name.
///
/// # Errors
/// [`SignError`]; nothing was signed.
pub fn sign_bundle<H: KeyHolder>(
    fetched: &FetchedBundle,
    keys: &[H],
    next: &NextRevision,
    limits: &Limits,
) -> Result<Signed, SignError> {
    let manifest = manifest_of(fetched, limits)?;
    let subjects = subjects_of(&fetched.files);
    let existing = fetched
        .envelope
        .as_deref()
        .map(|bytes| existing(bytes, limits))
        .transpose()?;
    let rolls_back = next.rolls_back.as_ref().map(OlderRevision::rolls_back);
    let unchanged = existing.as_ref().filter(|(_, statement)| {
        let predicate = &statement.predicate;
        statement.subjects == subjects
            && predicate.bundle == manifest.name
            && predicate.namespace == manifest.namespace
            // Whoever asks for a step back co-signs that very step, or begins it.
            && (rolls_back.is_none() || predicate.rolls_back == rolls_back)
    });
    let (mut envelope, statement, cosigned) = match (unchanged, next.unchanged) {
        (Some((envelope, statement)), Unchanged::CoSign) => {
            let expires = statement.predicate.expires;
            if expires <= next.now {
                return Err(SignError::Expired { expires });
            }
            next.admit_cosigning(&statement.predicate)?;
            (envelope.clone(), statement.clone(), true)
        }
        _ => {
            let expires = next.expires.ok_or(SignError::ExpiryNeeded)?;
            let last = existing.as_ref().map(|(_, statement)| &statement.predicate);
            let statement = next_statement(manifest, subjects, last, next, expires)?;
            (
                Envelope::new(STATEMENT_PAYLOAD_TYPE, &statement.to_payload()?),
                statement,
                false,
            )
        }
    };
    next.admit_revision(&statement.predicate)?;
    let added = envelope.sign_all(keys)?;
    Ok(Signed {
        envelope,
        statement,
        cosigned,
        added,
    })
}

/// A statement, and one SSH signature over its bytes.
#[derive(Debug, Clone)]
pub struct SshSigned {
    /// The exact bytes that the envelope carries and the signature covers.
    pub payload: Vec<u8>,
    /// What they say.
    pub statement: Statement,
    /// The signature, in [`BUNDLE_SIGNATURE_NAMESPACE`].
    pub signature: SshSignature,
}

/// Signs the statement of a bundle's envelope with an SSH signature, which stands beside the envelope and changes nothing in
/// it. The files must be as the statement says: nobody signs what they cannot see.
///
/// # Errors
/// [`SignError`]; nothing was signed.
pub fn ssh_sign_statement<H: KeyHolder + ?Sized>(
    fetched: &FetchedBundle,
    holder: &H,
    now: Timestamp,
    limits: &Limits,
) -> Result<SshSigned, SignError> {
    let bytes = fetched.envelope.as_deref().ok_or(SignError::NoStatement)?;
    let (envelope, statement) = existing(bytes, limits)?;
    let found = subjects_of(&fetched.files);
    let listed = &statement.subjects;
    let paths = listed.keys().chain(found.keys());
    if let Some(path) = paths
        .into_iter()
        .find(|path| listed.get(*path) != found.get(*path))
    {
        return Err(SignError::Changed { path: path.clone() });
    }
    let expires = statement.predicate.expires;
    if expires <= now {
        return Err(SignError::Expired { expires });
    }
    let signature = SshSignature::sign(holder, BUNDLE_SIGNATURE_NAMESPACE, envelope.payload())?;
    Ok(SshSigned {
        payload: envelope.payload().to_vec(),
        statement,
        signature,
    })
}

/// The manifest of a bundle that is to be signed.
///
/// # Errors
/// [`SignError::Manifest`] when there is none, or it does not parse.
pub fn manifest_of(fetched: &FetchedBundle, limits: &Limits) -> Result<Manifest, SignError> {
    let bytes = fetched
        .files
        .iter()
        .find(|(path, _)| path.as_str() == MANIFEST_FILE)
        .map(|(_, bytes)| bytes);
    let missing = || {
        Diagnostic::error(Code::MANIFEST_MISSING, "the directory has no `bundle.yaml`")
            .hint("run `ordain bundle new` to make a bundle")
    };
    let bytes = bytes.ok_or_else(|| SignError::Manifest(Box::new(missing())))?;
    Manifest::parse(bytes, limits.yaml_bytes)
        .map_err(|diagnostic| SignError::Manifest(Box::new(diagnostic)))
}

fn subjects_of(files: &BTreeMap<BundlePath, Arc<[u8]>>) -> BTreeMap<BundlePath, Sha256Digest> {
    files
        .iter()
        .map(|(path, bytes)| (path.clone(), Sha256Digest::of(bytes)))
        .collect()
}

fn existing(bytes: &[u8], limits: &Limits) -> Result<(Envelope, Statement), SignError> {
    let envelope = Envelope::parse(bytes, limits)?;
    let statement = Statement::parse(envelope.payload()).map_err(SignError::Existing)?;
    Ok((envelope, statement))
}

fn next_statement(
    manifest: Manifest,
    subjects: BTreeMap<BundlePath, Sha256Digest>,
    last: Option<&Predicate>,
    next: &NextRevision,
    expires: Timestamp,
) -> Result<Statement, SignError> {
    let epoch = next
        .epoch
        .or(last.map(|last| last.epoch))
        .unwrap_or(NonZeroU64::MIN);
    // A new epoch counts from one; within an epoch the revision only grows.
    let last_revision = last
        .filter(|last| last.epoch == epoch)
        .map(|last| last.revision);
    let following = last_revision.map_or(NonZeroU64::MIN, |last| last.saturating_add(1));
    let revision = next.revision.unwrap_or(following);
    if let Some(last) = last_revision.filter(|last| revision <= *last) {
        return Err(SignError::Revision {
            wanted: revision.get(),
            last: last.get(),
        });
    }
    // The older contents were written against what the older statement required.
    let older = next.rolls_back.as_ref();
    let before = older.map(OlderRevision::predicate).or(last);
    let requires = next
        .requires
        .clone()
        .or_else(|| before.map(|before| before.requires.clone()))
        .unwrap_or_default();
    let issued = whole_second(next.now);
    let expires = whole_second(expires);
    let predicate = Predicate {
        bundle: manifest.name.clone(),
        version: manifest.version.clone(),
        namespace: manifest.namespace.clone(),
        epoch,
        revision,
        issued,
        expires,
        requires,
        rolls_back: older.map(OlderRevision::rolls_back),
    };
    let statement = Statement {
        subjects,
        predicate,
    };
    if let Some(older) = older {
        older.check(&manifest, &statement, last, next.revision)?;
    }
    Ok(statement)
}

/// Makes the first trust root's envelope and signs it.
///
/// # Errors
/// [`DraftError`] when the document breaks its rules, a key belongs to nobody in it, or whoever holds one gives no signature.
pub fn sign_root<H: KeyHolder>(
    document: &RootDocument,
    keys: &[H],
) -> Result<Envelope, DraftError> {
    let mut draft = RootDraft::new(document.clone())?;
    cosign_root(&mut draft, None, keys)?;
    Ok(draft.envelope)
}

/// Adds signatures to a trust root, all or none; how many were new. `previous` is the root before it, whose principals sign too.
///
/// # Errors
/// [`DraftError`] for the first key whose signature could not count, or whose holder gives none.
pub fn cosign_root<H: KeyHolder>(
    draft: &mut RootDraft,
    previous: Option<&RootDocument>,
    keys: &[H],
) -> Result<usize, DraftError> {
    for key in keys {
        draft.admit(&key.public(), previous)?;
    }
    Ok(draft.envelope.sign_all(keys)?)
}
