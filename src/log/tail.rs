//! What a writer carries of the log between batches, and the file `frontier` that saves it.
//!
//! The state is cut at a tile boundary that lies strictly before the end: a frontier for the tiles before it, its byte
//! offset, and the leaf hashes since. Whoever opens the log hashes the lines from that boundary again and compares the root
//! at the checkpoint's size with the signed one. That check proves the saved hashes and the offset at once, so the file
//! `frontier` needs no trust: a wrong one costs a full read, never a wrong root.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use super::tree::{Frontier, Hash, TILE_WIDTH, Tile, join_hashes, split_hashes};
use crate::json;

/// The version of the file `frontier`.
const VERSION: u64 = 1;
/// The largest file `frontier` that is read, in bytes; it never grows beyond about 14 000.
pub(super) const MAX_FRONTIER: u64 = 64 * 1024;

/// The log up to some entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tail {
    frontier: Frontier,
    bytes: u64,
    base: Frontier,
    base_bytes: u64,
    // INVARIANT: the leaves from `base.size()` on; at most 256, and none only in an empty log or right at a loaded base.
    leaves: Vec<Hash>,
}

impl Tail {
    /// Entries so far.
    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Bytes of the file that they fill.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The root over them.
    pub(super) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends the hash of a line that fills `length` bytes, LF included; returns the tile that it completes.
    pub(super) fn push(&mut self, leaf: Hash, length: u64) -> Option<Tile> {
        if self.leaves.len() as u64 == TILE_WIDTH {
            self.base.clone_from(&self.frontier);
            self.base_bytes = self.bytes;
            self.leaves.clear();
        }
        self.frontier.push(leaf);
        self.leaves.push(leaf);
        self.bytes += length;
        (self.leaves.len() as u64 == TILE_WIDTH).then(|| Tile {
            index: self.base.size() / TILE_WIDTH,
            bytes: join_hashes(&self.leaves),
        })
    }

    /// The file `frontier`.
    pub(super) fn to_file(&self) -> Vec<u8> {
        let file = FrontierFile {
            v: VERSION,
            size: self.base.size(),
            bytes: self.base_bytes,
            nodes: BASE64_STANDARD.encode(join_hashes(self.base.nodes())),
            leaves: BASE64_STANDARD.encode(join_hashes(&self.leaves)),
        };
        let mut bytes = serde_json::to_vec(&file).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// What the file `frontier` says. SECURITY: proven only by hashing on from it to a signed root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Saved {
    base: Frontier,
    base_bytes: u64,
    leaves: Vec<Hash>,
}

impl Saved {
    /// Reads the file; none if it is not one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let file: FrontierFile = json::from_slice(bytes).ok()?;
        let hashes = |text: &str| split_hashes(&BASE64_STANDARD.decode(text).ok()?);
        let leaves = hashes(&file.leaves)?;
        let sound = file.v == VERSION
            && file.size.is_multiple_of(TILE_WIDTH)
            && leaves.len() as u64 <= TILE_WIDTH;
        let base = Frontier::from_nodes(file.size, hashes(&file.nodes)?)?;
        sound.then_some(Self {
            base,
            base_bytes: file.bytes,
            leaves,
        })
    }

    /// The state at the boundary, from which the lines are hashed again.
    pub(super) fn start(&self) -> Tail {
        Tail {
            frontier: self.base.clone(),
            bytes: self.base_bytes,
            base: self.base.clone(),
            base_bytes: self.base_bytes,
            leaves: Vec::new(),
        }
    }

    /// Whether `tree`, of which the lines fill `bytes`, has the size of the boundary but is not what was saved for it.
    pub(super) fn contradicts(&self, tree: &Frontier, bytes: u64) -> bool {
        self.base.size() == tree.size() && (self.base != *tree || self.base_bytes != bytes)
    }

    /// The hash of leaf `index`, if the file holds it.
    pub(super) fn leaf(&self, index: u64) -> Option<Hash> {
        let place = usize::try_from(index.checked_sub(self.base.size())?).ok()?;
        self.leaves.get(place).copied()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontierFile {
    v: u64,
    /// Entries before the boundary.
    size: u64,
    /// Bytes before the boundary.
    bytes: u64,
    /// Subtree roots before the boundary, widest first.
    nodes: String,
    /// Leaf hashes after it.
    leaves: String,
}

#[cfg(test)]
mod tests {
    use super::super::tree::{TILE_BYTES, leaf_hash};
    use super::*;

    #[test]
    fn every_size_can_be_saved_and_continued() {
        let leaf = |index: u64| leaf_hash(&index.to_be_bytes());
        let mut tail = Tail::default();
        for size in 0..800 {
            let saved = Saved::parse(&tail.to_file()).unwrap();
            let mut again = saved.start();
            assert!(
                size == 0 || again.size() < size,
                "the boundary lies before the end"
            );
            assert!(size - again.size() <= TILE_WIDTH);
            for index in again.size()..size {
                assert_eq!(saved.leaf(index), Some(leaf(index)));
                again.push(leaf(index), 10);
            }
            assert_eq!(again, tail, "size {size}");
            assert_eq!(saved.leaf(size), None);
            let tile = tail.push(leaf(size), 10);
            assert_eq!(
                tile.as_ref().map(|t| t.index),
                (size % 256 == 255).then_some(size / 256)
            );
            assert!(tile.is_none_or(|tile| tile.bytes.len() == TILE_BYTES));
        }
    }

    #[test]
    fn refuses_files_that_cannot_be_a_frontier() {
        let mut tail = Tail::default();
        for index in 0..300_u64 {
            tail.push(leaf_hash(&index.to_be_bytes()), 10);
        }
        let good = String::from_utf8(tail.to_file()).unwrap();
        for text in [
            String::new(),
            "{}".to_owned(),
            good.replace("\"v\":1", "\"v\":2"),
            good.replace("\"size\":256", "\"size\":255"),
            good.replace("\"size\":256", "\"size\":768"),
            good.replace("\"nodes\":\"", "\"nodes\":\"A"),
            good.replace("\"v\":1", "\"v\":1,\"x\":1"),
        ] {
            assert_eq!(Saved::parse(text.as_bytes()), None, "{text}");
        }
    }
}
