//! Trees: made of a bundle's files, and looked for in the trees above them.

use rayon::prelude::*;

use super::{GitObjectError, Hash, Id};
use crate::bundle::{ENVELOPE_FILE, FetchedBundle};

/// The id of the tree that Git makes of the bundle's files, the envelope among them.
pub(crate) fn tree_of(bundle: &FetchedBundle, hash: Hash) -> Result<Id, GitObjectError> {
    let envelope = bundle
        .envelope
        .as_deref()
        .map(|bytes| (ENVELOPE_FILE, bytes));
    let files = bundle
        .files
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.as_ref()));
    let mut files: Vec<(&str, &[u8])> = files.chain(envelope).collect();
    // Git's order of entries is that of whole paths, since a directory counts as its name and a slash.
    files.sort_unstable_by_key(|(path, _)| *path);
    let blobs = files
        .par_iter()
        .with_min_len(16)
        .map(|(path, bytes)| Ok((*path, hash.id("blob", bytes)?)))
        .collect::<Result<Vec<_>, _>>()?;
    tree(&blobs, hash)
}

/// The id of one directory's tree; `blobs` are sorted, their paths relative to it. As deep as the longest path, which is linted.
fn tree(blobs: &[(&str, Id)], hash: Hash) -> Result<Id, GitObjectError> {
    let mut data = Vec::new();
    let mut rest = blobs;
    while let Some((path, blob)) = rest.first() {
        let (mode, name, id) = match path.split_once('/') {
            None => {
                rest = rest.get(1..).unwrap_or_default();
                ("100644", *path, blob.clone())
            }
            Some((name, _)) => {
                let within = |path: &str| path.split_once('/').is_some_and(|(top, _)| top == name);
                let count = rest.iter().take_while(|(path, _)| within(path)).count();
                let (inside, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
                let inside: Vec<(&str, Id)> = inside
                    .iter()
                    .filter_map(|(path, id)| Some((path.split_once('/')?.1, id.clone())))
                    .collect();
                rest = after;
                ("40000", name, tree(&inside, hash)?)
            }
        };
        data.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        data.extend_from_slice(&id.0);
    }
    hash.id("tree", &data)
}

/// Whether a raw tree has a directory of this id.
pub(crate) fn has_directory(tree: &[u8], directory: &Id, hash: Hash) -> bool {
    let mut rest = tree;
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let (entry, after) = rest.split_at_checked(end + 1).unwrap_or((rest, &[]));
        let Some((id, after)) = after.split_at_checked(hash.bytes()) else {
            return false;
        };
        if entry.starts_with(b"40000 ") && id == directory.0 {
            return true;
        }
        rest = after;
    }
    false
}
