//! The decision log: JSON Lines under an RFC 6962 tree with signed checkpoints, so that tampering shows.
//!
//! A log is a directory:
//!
//! | file | what |
//! | --- | --- |
//! | `decisions.jsonl` | the records, one a line; each line is a leaf of the tree |
//! | `checkpoint` | the signed size and root (C2SP tlog-checkpoint) |
//! | `tile/0/…` | leaf hashes, 256 to a file (C2SP tlog-tiles) |
//! | `frontier` | where the last tile begins, and the leaf hashes since; proven when read |
//! | `lock` | taken by a writer for one batch |
//! | `torn-…` | bytes of unfinished lines that were cut |
//!
//! [`Log`] writes, [`verify()`] checks. All but the writer and the reading of files is pure.
//!
//! Invariants: a record is acknowledged only after it is written (and, but for [`SyncMode::None`], on the disk). A
//! checkpoint is signed only over bytes that were written, and its size never shrinks. Readers need no lock: they read
//! the checkpoint first, and the lines that it covers are there and final.
//!
//! What it cannot show: whoever holds the log's key can rewrite everything after the last checkpoint that someone else
//! has seen, and a restored older directory agrees with itself. Not here yet: rotation, purge, queries, proofs.

mod checkpoint;
mod directory;
mod error;
mod glance;
mod logged;
mod note;
mod options;
mod prepared;
mod record;
mod tail;
pub mod tree;
mod verify;
mod writer;

pub use checkpoint::Checkpoint;
pub use error::{LogError, Problem};
pub use glance::{Glance, expect_log, glance};
pub use logged::{Logged, LoggedDecision, LoggedEntity, LoggedLines, LoggedMatch, LoggedRequest};
pub use note::{KeyName, MAX_NOTE, MAX_SIGNATURES, Note, NoteError, Signer, VerifierKey};
pub(crate) use options::Salter;
pub use options::{FirstCheckpoint, Options, Salts, SyncMode, system_salts};
pub use prepared::Prepared;
pub use record::{LineDefect, MAX_LINE, RECORD_VERSION, RecordError};
pub use verify::{Damage, Evidence, Report, Torn, Trust, verify, verify_directory};
pub use writer::{Cut, Log, Recovery};
