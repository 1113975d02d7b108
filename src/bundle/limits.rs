//! Caps on what is read before it is trusted.

use std::time::Duration;

/// Caps on bytes, files, depth and time. Reading stops at the first one passed; nothing is truncated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Files in a bundle, the envelope included.
    pub files: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files together.
    pub total_bytes: u64,
    /// Directories above a file.
    pub depth: usize,
    /// Bytes of `bundle.dsse.json` and of a root's envelope.
    pub envelope_bytes: usize,
    /// Signatures in an envelope.
    pub signatures: usize,
    /// Bytes of a YAML document.
    pub yaml_bytes: usize,
    /// Files below `data/`.
    pub data_files: usize,
    /// Bytes of all of them together.
    pub data_bytes: usize,
    /// Bytes of a YAML document under `policies/` or `tests/`: ten thousand ordinary rules, of some 350 bytes each, fit. It is
    /// read after the signatures, by parsers whose time and memory grow with the bytes alone: no anchors, 64 levels at most.
    pub policy_bytes: usize,
    /// Trust roots walked from the pinned one.
    pub roots: usize,
    /// Bytes received in one fetch.
    pub fetch_bytes: u64,
    /// Longest silence of a server.
    pub stall: Duration,
    /// Longest time of one fetch.
    pub fetch_time: Duration,
    /// Most bytes of one Git object, inflated, before it is allocated.
    pub object_bytes: u64,
    /// Git objects in the closure of a commit's tree.
    pub objects: usize,
    /// Bytes of the commit, the tag and the trees that are kept as evidence beside a bundle.
    pub evidence_bytes: usize,
    /// Bytes of the commit, and of the tag, among them: they are parsed before any signature is checked. A larger one counts
    /// as no evidence.
    pub evidence_object_bytes: usize,
    /// Trees among them, one for each directory above the bundle's.
    pub evidence_trees: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: 50_000,
            file_bytes: 64 << 20,
            total_bytes: 2 << 30,
            depth: 16,
            envelope_bytes: 16 << 20,
            signatures: 64,
            yaml_bytes: 1 << 20,
            data_files: 256,
            data_bytes: 1 << 20,
            policy_bytes: 4 << 20,
            roots: 1024,
            fetch_bytes: 4 << 30,
            stall: Duration::from_secs(30),
            fetch_time: Duration::from_secs(600),
            object_bytes: 64 << 20,
            objects: 100_000,
            evidence_bytes: 16 << 20,
            evidence_object_bytes: 1 << 20,
            evidence_trees: 64,
        }
    }
}
