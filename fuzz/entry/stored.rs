//! Bundles as the store keeps them.
//!
//! An input is such a file; or what is in it, whose lengths are told here, so that a change to a header is one to its length:
//!
//! ```text
//! header, one line of JSON LF  bytes
//! ```

use std::path::Path;

use ordain::bundle::{FetchedBundle, Limits};
use ordain::source::store::Store;

use super::accepted;

const MAGIC: &[u8] = b"ordain-store/v1\n";

fn limits() -> Limits {
    Limits {
        files: 64,
        total_bytes: 1 << 16,
        ..Limits::default()
    }
}

/// The bundle, if it is one; a message must be fit for a terminal.
fn read(file: &[u8]) -> Option<FetchedBundle> {
    let length = u64::try_from(file.len()).expect("a length");
    accepted(Store::read(
        &mut &*file,
        length,
        Path::new("fuzz"),
        &limits(),
    ))
}

/// A bundle in the store: no more than there is comes of it, what was accepted is written and read again as the same, and whoever
/// reads the envelope alone reads the same one.
pub(crate) fn stored(bytes: &[u8]) -> bool {
    let file = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) if !bytes.starts_with(MAGIC) => {
            let length = format!("{end}\n");
            [MAGIC, length.as_bytes(), bytes].concat()
        }
        _ => bytes.to_vec(),
    };
    let found = read(&file);
    let envelope = accepted(Store::read_envelope(
        &mut &*file,
        Path::new("fuzz"),
        &limits(),
    ));
    assert!(envelope.iter().all(|envelope| envelope.len() <= file.len()));
    let Some(bundle) = found else {
        return false;
    };
    let git = bundle.git.as_ref().map_or(0, |git| git.bytes());
    let files: usize = bundle.files.values().map(|file| file.len()).sum();
    let carried = git + files + bundle.envelope.as_ref().map_or(0, Vec::len);
    assert!(carried < file.len(), "more than there is");
    assert_eq!(envelope, bundle.envelope, "two envelopes");
    let mut written = Vec::new();
    Store::write(&mut written, &bundle).expect("memory can be written");
    let again = read(&written).expect("what was written can be read");
    let parts = |bundle: FetchedBundle| (bundle.origin, bundle.envelope, bundle.files, bundle.git);
    assert_eq!(parts(again), parts(bundle));
    true
}
