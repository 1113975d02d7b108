//! The fuzz targets, without a fuzzer: every seed, and some thousand mutations of each, the same ones on every machine.
//!
//! Seeds whose name begins with `good-` must be accepted, `bad-` refused; a crash that a fuzzer found is kept as either.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::Path;

use sha2::{Digest as _, Sha256};

#[path = "../../fuzz/entry.rs"]
pub(crate) mod entry;

use entry::{Entry, TARGETS};

const MUTATIONS: usize = 3000;
/// Pieces that mean something to one parser or another.
const TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\n",
    b"\r\n",
    b"\0",
    b"\x1b[2J",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\\u0000",
    b"\\ud800",
    b"e\xcc\x81",
    b"\xe2\x80\xae",
    b"-0",
    b"1e999",
    b"9007199254740993",
    b"null",
    b"true",
    b"&a ",
    b"*a",
    b"!!str ",
    b"<<: ",
    b"---\n",
    b"...\n",
    b"- ",
    b"  ",
    b"\t",
    b"#",
    b"%",
    b"..",
    b"/",
    b".git",
    b"=",
    b"AAAA",
    b"ssh-ed25519 ",
    b"$(",
    b"${",
    b"`",
    b"((",
    b")",
    b"'",
    b"<<a\n",
    b" | sh -c ",
    b"; eval ",
    b" case x in ",
    b" if ",
    b" do ",
];

/// A sequence that depends on nothing but its seed.
struct Sequence {
    seed: [u8; 32],
    drawn: u64,
}

impl Sequence {
    fn below(&mut self, limit: usize) -> usize {
        self.drawn += 1;
        let digest = Sha256::new()
            .chain_update(self.seed)
            .chain_update(self.drawn.to_le_bytes())
            .finalize();
        let number = u64::from_le_bytes(digest[..8].try_into().unwrap());
        usize::try_from(number % limit.max(1) as u64).unwrap()
    }

    /// `bytes` with one to four changes.
    fn mutate(&mut self, bytes: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let from = self.below(bytes.len() + 1);
            let to = (from + self.below(16)).min(bytes.len());
            match self.below(7) {
                0 if from < bytes.len() => bytes[from] ^= 1 << self.below(8),
                1 => drop(bytes.drain(from..to)),
                2 => {
                    let part = bytes[from..to].to_vec();
                    bytes.splice(to..to, part);
                }
                3 => bytes.truncate(from),
                4 => {
                    let other = &others[self.below(others.len())];
                    let start = self.below(other.len() + 1);
                    bytes.splice(from.., other[start..].iter().copied());
                }
                5 => {
                    let token = TOKENS[self.below(TOKENS.len())];
                    bytes.splice(from..to, token.iter().copied());
                }
                _ => {
                    let token = TOKENS[self.below(TOKENS.len())];
                    bytes.splice(from..from, token.iter().copied());
                }
            }
        }
        bytes
    }
}

fn seeds(target: &str) -> BTreeMap<String, Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files =
        std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    files
        .map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, std::fs::read(file.path()).unwrap())
        })
        .collect()
}

fn run(target: &str, run: Entry, bytes: &[u8]) -> bool {
    catch_unwind(|| run(bytes))
        .unwrap_or_else(|_| panic!("{target} panics on b\"{}\"", bytes.escape_ascii()))
}

fn smoke(target: &str) {
    let entry = TARGETS.iter().find(|(name, _)| *name == target).unwrap().1;
    let seeds = seeds(target);
    assert!(
        seeds.keys().any(|name| name.starts_with("good-")),
        "{target} has no good seed"
    );
    let bytes: Vec<Vec<u8>> = seeds.values().cloned().collect();
    for (name, seed) in &seeds {
        let accepted = run(target, entry, seed);
        if name.starts_with("good-") || name.starts_with("bad-") {
            assert_eq!(accepted, name.starts_with("good-"), "{target}/{name}");
        }
        let mut sequence = Sequence {
            seed: Sha256::digest(format!("{target}/{name}")).into(),
            drawn: 0,
        };
        for _ in 0..MUTATIONS {
            run(target, entry, &sequence.mutate(seed, &bytes));
        }
    }
}

/// One test for each target, so that they run side by side.
macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { smoke(stringify!($name)); })*

        #[test]
        fn every_target_is_run_and_has_its_fuzz_target() {
            let run = [$(stringify!($name)),*];
            assert!(TARGETS.iter().map(|(name, _)| *name).eq(run));
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let manifest = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
            for name in run {
                assert!(root.join(format!("fuzz/fuzz_targets/{name}.rs")).is_file(), "{name}");
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            }
        }
    };
}

targets! {
    agent allowed_signers checkpoint command compiled condition envelope format git_commit git_tag input logged manifest path policy policy_test public_key request root ssh_signature statement stored transfer verifier_key yaml
}
