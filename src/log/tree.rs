//! The RFC 6962 Merkle tree over the log's lines: hashes, a compact frontier, full tiles.
//!
//! The frontier holds the roots of the complete subtrees that a tree of `size` leaves decomposes into, widest first: one
//! for each 1 in the binary form of `size`. That is all that appending needs, so a log of any length costs at most 64
//! hashes of memory. Proofs are not made here; the tiles hold what they need.

use sha2::{Digest as _, Sha256};

use crate::digest::Sha256Digest;

/// The hash of a leaf or node.
pub type Hash = Sha256Digest;

/// Leaves in a full tile (C2SP tlog-tiles).
pub const TILE_WIDTH: u64 = 256;
/// Bytes of a full tile.
pub const TILE_BYTES: usize = 8192;

/// The hash of a leaf: SHA-256(0x00 ‖ data) (RFC 6962, section 2.1).
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    let hash = Sha256::new().chain_update([0]).chain_update(data);
    Hash::from_bytes(hash.finalize().into())
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962, section 2.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let hash = Sha256::new().chain_update([1]);
    let hash = hash
        .chain_update(left.as_bytes())
        .chain_update(right.as_bytes());
    Hash::from_bytes(hash.finalize().into())
}

/// A tree, reduced to what appending and the root need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    // INVARIANT: one node for each 1 bit of `size`, widest first.
    nodes: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a tree of `size` leaves with these subtree roots, widest first; none if their number is wrong.
    #[must_use]
    pub fn from_nodes(size: u64, nodes: Vec<Hash>) -> Option<Self> {
        (u64::from(size.count_ones()) == nodes.len() as u64).then_some(Self { size, nodes })
    }

    /// Leaves so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, widest first.
    #[must_use]
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    /// Appends a leaf. Two complete subtrees of one width become one: each trailing 1 bit of the old size is one merge.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.nodes.push(hash);
        self.size += 1;
    }

    /// The root of the tree; of the empty tree, the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        match nodes.next() {
            Some(&last) => nodes.fold(last, |right, left| node_hash(left, &right)),
            None => Hash::of(b""),
        }
    }
}

/// 256 consecutive leaf hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Its number: it holds the leaves from `256 × index`.
    pub index: u64,
    /// The hashes, one after the other.
    pub bytes: Vec<u8>,
}

/// The path of the full level-0 tile `index`, relative to the log's directory (C2SP tlog-tiles): `tile/0/x001/234`.
#[must_use]
pub fn tile_path(index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    format!("tile/0/{path}")
}

/// The hashes that `bytes` holds; none if it is not a whole number of them.
pub(super) fn split_hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty()
        .then(|| hashes.iter().copied().map(Hash::from_bytes).collect())
}

/// The hashes, one after the other.
pub(super) fn join_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962's definition, word for word.
    fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(b""),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node_hash(&naive(&leaves[..split]), &naive(&leaves[split..]))
            }
        }
    }

    #[test]
    fn known_roots_of_certificate_transparency() {
        // google/certificate-transparency, merkle_tree_test.cc: the eight reference leaves and their roots.
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Frontier::default();
        assert_eq!(tree.root(), Hash::of(b""));
        for (leaf, root) in leaves.iter().zip(roots) {
            tree.push(leaf_hash(leaf));
            assert_eq!(tree.root().to_hex(), root);
        }
    }

    #[test]
    fn agrees_with_the_definition_and_with_tlog_tiles() {
        use tlog_tiles::tlog;
        struct Stored(Vec<tlog::Hash>);
        impl tlog::HashReader for Stored {
            fn read_hashes(
                &self,
                indexes: &[u64],
            ) -> Result<Vec<tlog::Hash>, tlog_tiles::tlog::Error> {
                Ok(indexes
                    .iter()
                    .map(|&i| self.0[usize::try_from(i).unwrap()])
                    .collect())
            }
        }
        let (mut tree, mut leaves, mut stored) = (Frontier::default(), Vec::new(), Stored(vec![]));
        for size in 0..600_u64 {
            assert_eq!(tree.root(), naive(&leaves), "size {size}");
            let oracle = tlog::tree_hash(size, &stored).unwrap();
            assert_eq!(tree.root().as_bytes(), &oracle.0, "size {size}");
            let back = Frontier::from_nodes(size, tree.nodes().to_vec()).unwrap();
            assert_eq!(back, tree);
            let data = format!("line {size}");
            let new = tlog::stored_hashes(size, data.as_bytes(), &stored).unwrap();
            stored.0.extend(new);
            tree.push(leaf_hash(data.as_bytes()));
            leaves.push(leaf_hash(data.as_bytes()));
        }
        assert!(Frontier::from_nodes(3, vec![Hash::of(b"")]).is_none());
    }

    #[test]
    fn tile_paths_follow_tlog_tiles() {
        for (index, path) in [
            (0, "tile/0/000"),
            (999, "tile/0/999"),
            (1000, "tile/0/x001/000"),
            (1_234_067, "tile/0/x001/x234/067"),
        ] {
            assert_eq!(tile_path(index), path);
            let oracle = tlog_tiles::tile::Tile::new(8, 0, index, 256, false).path();
            assert_eq!(oracle.replace("tile/8/", "tile/"), path);
        }
    }
}
