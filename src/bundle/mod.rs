//! What a bundle is: the files of one directory at one commit, under names that mean the same on every machine.
//!
//! This module is pure: it neither reads files nor trusts anything. `source` makes a [`FetchedBundle`], `trust::verify`
//! turns it into a `VerifiedBundle`.

mod fetched;
mod identity;
mod limits;
mod manifest;
mod path;
mod schema;
mod statement;

pub use fetched::{ENVELOPE_FILE, Excess, FetchedBundle, GitEvidence, MANIFEST_FILE, Origin};
pub use identity::{BundleIdentity, Signer};
pub use limits::Limits;
pub use manifest::Manifest;
pub use path::{BundlePath, PathError, PathSet};
pub use schema::manifest_schema;
pub(crate) use statement::StatementRef;
pub use statement::{
    PREDICATE_TYPE, Predicate, Requirement, RollsBack, STATEMENT_TYPE, Statement, StatementError,
};
