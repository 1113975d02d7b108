//! Why a signature of Git's does not count: one variant for each check.

use super::GitObject;
use crate::bundle::Excess;
use crate::diag::Code;
use crate::name::{PrincipalName, RoleName};
use crate::trust::git_object::GitObjectError;
use crate::trust::keys::KeyId;

/// Why a signature of Git's does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitSignatureError {
    /// The bundle did not come from Git, or from a store or file that kept nothing of it.
    #[error("the bundle comes without its Git objects")]
    NoEvidence,
    /// The objects are more or larger than they may be.
    #[error("the bundle's Git objects have {0}")]
    TooLarge(Excess),
    /// The bundle was asked for by something else than a tag.
    #[error("the bundle is not pulled by the name of a tag")]
    NotATag,
    /// A tag without an object of its own.
    #[error("`{}` is a lightweight tag, which cannot be signed", reference.escape_debug())]
    Lightweight {
        /// The ref.
        reference: String,
    },
    /// A commit or tag without a signature.
    #[error("the {object} is not signed")]
    Unsigned {
        /// Which.
        object: GitObject,
    },
    /// Not the object that it should be.
    #[error(transparent)]
    Object(#[from] GitObjectError),
    /// The files are not those of the commit.
    #[error("the files are not those of commit {commit}")]
    OtherFiles {
        /// The id of the commit that came with them.
        commit: String,
    },
    /// A tag object under another name than its own.
    #[error("the tag object names itself `{}`, and the ref is `{}`", found.escape_debug(), reference.escape_debug())]
    OtherName {
        /// The ref.
        reference: String,
        /// The name within the object.
        found: String,
    },
    /// A tag of something else than a commit.
    #[error("the tag is of a {}, not of the commit itself", kind.escape_debug())]
    OtherKind {
        /// What it points at.
        kind: String,
    },
    /// A tag of another commit.
    #[error("the tag is of {found}, not of commit {commit}")]
    OtherCommit {
        /// The commit.
        commit: String,
        /// What the tag points at.
        found: String,
    },
    /// `OpenPGP` or X.509.
    #[error("the {object} has not an SSH signature, but one of another kind")]
    NotSsh {
        /// Which.
        object: GitObject,
    },
    /// A signature that does not decode.
    #[error("the SSH signature of the {object} does not decode")]
    Malformed {
        /// Which.
        object: GitObject,
    },
    /// A key that is none of ours to accept: RSA, a security key, a certificate.
    #[error("the {object} is signed with `{}`: only plain ed25519 keys are accepted", algorithm.escape_debug())]
    Algorithm {
        /// Which.
        object: GitObject,
        /// What kind of key.
        algorithm: String,
    },
    /// A point under which anyone can forge.
    #[error("the {object} is signed with a weak key, under which anyone can forge")]
    Weak {
        /// Which.
        object: GitObject,
    },
    /// A signature made for something else than Git.
    #[error("the signature of the {object} was made for `{}`, not for Git", namespace.escape_debug())]
    Namespace {
        /// Which.
        object: GitObject,
        /// What for.
        namespace: String,
    },
    /// A signature of other bytes.
    #[error("the signature of the {object} does not fit it")]
    Invalid {
        /// Which.
        object: GitObject,
    },
    /// A key that the trust root does not know.
    #[error("the {object} is signed by the key {keyid}, which the trust root does not know")]
    UnknownKey {
        /// Which.
        object: GitObject,
        /// The key.
        keyid: KeyId,
    },
    /// A key that the trust root revokes.
    #[error("the {object} is signed by {principal} with the key {keyid}, which is revoked")]
    Revoked {
        /// Which.
        object: GitObject,
        /// The key.
        keyid: KeyId,
        /// Whose it was.
        principal: PrincipalName,
    },
    /// Somebody else's key.
    #[error("the {object} is signed by {principal}, who is not in role `{role}`")]
    NotInRole {
        /// Which.
        object: GitObject,
        /// Who.
        principal: PrincipalName,
        /// The role.
        role: RoleName,
    },
}

impl GitSignatureError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NoEvidence | Self::TooLarge(_) => Code::GIT_EVIDENCE_MISSING,
            Self::NotATag | Self::Lightweight { .. } | Self::Unsigned { .. } => Code::GIT_UNSIGNED,
            Self::Object(_) | Self::OtherFiles { .. } => Code::GIT_OBJECT,
            Self::OtherName { .. } | Self::OtherKind { .. } | Self::OtherCommit { .. } => {
                Code::GIT_TAG_MOVED
            }
            Self::NotSsh { .. } | Self::Algorithm { .. } | Self::Weak { .. } => {
                Code::GIT_SIGNATURE_KIND
            }
            Self::Malformed { .. } | Self::Namespace { .. } | Self::Invalid { .. } => {
                Code::GIT_SIGNATURE_INVALID
            }
            Self::UnknownKey { .. } | Self::Revoked { .. } | Self::NotInRole { .. } => {
                Code::GIT_SIGNER
            }
        }
    }

    /// Whether nobody claims to have signed: nothing to tell where nothing is required.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::NoEvidence
                | Self::TooLarge(_)
                | Self::NotATag
                | Self::Lightweight { .. }
                | Self::Unsigned { .. }
        )
    }
}
