//! Exit codes: the same in every output format. Callers treat every other code as deny.

use std::process::ExitCode;

use crate::diag::Kind;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Allowed, or fine.
    Success,
    /// Denied, or a check found something.
    Denied,
    /// Usage, configuration or invalid policy.
    Invalid,
    /// Not trusted.
    Untrusted,
    /// The source is unavailable.
    Unavailable,
    /// Approval is required.
    ApprovalRequired,
    /// A fault of the program or the machine.
    Internal,
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Finding => Self::Denied,
            Kind::Invalid => Self::Invalid,
            Kind::Untrusted => Self::Untrusted,
            Kind::Unavailable => Self::Unavailable,
            Kind::Internal => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Denied => 1,
            Exit::Invalid => 2,
            Exit::Untrusted => 3,
            Exit::Unavailable => 4,
            Exit::ApprovalRequired => 5,
            Exit::Internal => 70,
        })
    }
}
