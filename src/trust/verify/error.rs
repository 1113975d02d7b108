//! Why a bundle is not trusted: one variant for each check.

use jiff::{SignedDuration, Timestamp};

use crate::bundle::{BundlePath, StatementError};
use crate::diag::{Code, Diagnostic};
use crate::digest::Sha256Digest;
use crate::name::{BundleName, Namespace, RoleName};
use crate::trust::envelope::{EnvelopeError, STATEMENT_PAYLOAD_TYPE};
use crate::trust::git_signature::GitSignatureError;
use crate::trust::threshold::Shortfall;
use crate::trust::validity::exactly;

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
    #[error("the bundle has {} of the {} signature{} that role `{}` requires", .0.signed.len(), .0.threshold, .0.plural(), .0.role)]
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
    #[error("the statement was issued at {issued}, longer ago than the `max_age` of {}", exactly(*.max_age))]
    TooOld {
        /// When it was issued.
        issued: Timestamp,
        /// What the consumer accepts.
        max_age: SignedDuration,
    },
    /// Revoked by the trust root.
    #[error("{} of the bundle is revoked by the trust root", revoked(*.epoch, *.revision, .payload.as_ref()))]
    Revoked {
        /// The statement's epoch.
        epoch: u64,
        /// The statement's revision.
        revision: u64,
        /// The payload, where the trust root names that; else it names the revision.
        payload: Option<Sha256Digest>,
    },
    /// Without the signature of Git's own that its role requires.
    #[error("role `{role}` requires a Git signature: {error}")]
    GitSignature {
        /// The role.
        role: RoleName,
        /// What is wrong with the commit or tag.
        error: Box<GitSignatureError>,
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

fn revoked(epoch: u64, revision: u64, payload: Option<&Sha256Digest>) -> String {
    match payload {
        Some(payload) => format!("payload {payload}, revision {epoch}.{revision},"),
        None => format!("revision {epoch}.{revision}"),
    }
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
            Self::GitSignature { error, .. } => error.code(),
            Self::Unlisted { .. } => Code::UNLISTED_FILE,
            Self::MissingFile { .. } => Code::MISSING_FILE,
            Self::FileDigest { .. } => Code::FILE_DIGEST,
            Self::Manifest(diagnostic) => diagnostic.code,
            Self::ManifestDiffers { .. } => Code::MANIFEST_DIFFERS,
        }
    }
}

impl VerifyError {
    /// Whether the bytes at hand are not those that were signed.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::EnvelopeMissing
                | Self::Envelope(_)
                | Self::Unlisted { .. }
                | Self::MissingFile { .. }
                | Self::FileDigest { .. }
        )
    }

    /// Whether fetching the bytes again may help: they are damaged, or lack signatures that others may have joined since. A
    /// signature that is missing may as well be one that the trust root no longer counts.
    #[must_use]
    pub fn may_heal(&self) -> bool {
        self.is_damage() || matches!(self, Self::Threshold(_) | Self::GitSignature { .. })
    }
}
