//! Checks a log from its bytes alone, and names the first line that is wrong.
//!
//! 1. The checkpoint is read, and its signature checked against the given keys.
//! 2. The lines are streamed: each must be the record with its own sequence number, and its leaf hash goes into the tree. The
//!    first one that differs from the leaf hashes in the tiles and the frontier file is remembered as a suspect.
//! 3. At the checkpoint's size the root must be the signed one. If it is, a suspect only shows a damaged index.
//! 4. If it is not, the leaf hashes alone are hashed to a root. If that is the signed one they are proven, and with them that
//!    the suspect is the first bad line. If not, they were changed too, and the suspect is a hint.
//!
//! Memory: one line and one tile.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::checkpoint::Checkpoint;
use super::directory::{Directory, io_error};
use super::error::{LogError, Problem};
use super::note::{KeyName, VerifierKey};
use super::record::{Line, LineDefect, next_line, read_line};
use super::tail::Saved;
use super::tree::{Frontier, Hash, TILE_BYTES, TILE_WIDTH, leaf_hash};

/// Whose signature on a checkpoint counts.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'k> {
    /// That of any of these keys.
    Keys(&'k [VerifierKey]),
    /// Signatures are not checked: shows accidents and careless edits, not what someone with another key did.
    Structure,
}

/// The files that prove the records.
#[derive(Debug)]
pub struct Evidence<'a, T> {
    /// The file `checkpoint`, if there is one.
    pub checkpoint: Option<&'a [u8]>,
    /// The file `frontier`, if there is one.
    pub frontier: Option<&'a [u8]>,
    /// Reads a full tile by its index; `None` if there is none.
    pub tile: T,
}

/// What [`verify()`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The checkpoint, if it could be read and is trusted.
    pub checkpoint: Option<Checkpoint>,
    /// The trusted keys that signed it; empty under [`Trust::Structure`].
    pub signers: Vec<KeyName>,
    /// Whole lines read; all of them unless there is a problem.
    pub lines: u64,
    /// Of these, the lines that the checkpoint covers.
    pub signed: u64,
    /// And those after it, which nothing protects yet.
    pub unsigned: u64,
    /// An unfinished line after the checkpoint, from a write that was stopped or goes on; the next writer cuts it.
    pub torn: Option<Torn>,
    /// Index files that disagree with records that are proven; empty if there is a problem.
    pub damaged: Vec<Damage>,
    /// The first thing that is wrong.
    pub problem: Option<Problem>,
}

/// An unfinished last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// 1-based.
    pub line: u64,
    /// Where it begins.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// An index file that is damaged. It can be built again from the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// The file `frontier`.
    Frontier,
    /// The tile with this index is missing or differs.
    Tile(u64),
}

/// Checks the records in `lines` against `evidence`.
///
/// # Errors
/// Only what reading fails with; everything that is wrong with the log is in the [`Report`].
pub fn verify<T>(
    lines: &mut impl BufRead,
    evidence: Evidence<'_, T>,
    trust: Trust<'_>,
) -> Result<Report, LogError>
where
    T: FnMut(u64) -> Result<Option<Vec<u8>>, LogError>,
{
    let mut report = Report {
        checkpoint: None,
        signers: Vec::new(),
        lines: 0,
        signed: 0,
        unsigned: 0,
        torn: None,
        damaged: Vec::new(),
        problem: None,
    };
    let checkpoint = match (evidence.checkpoint, trust) {
        (None, _) => Err(Problem::CheckpointMissing),
        (Some(bytes), Trust::Structure) => Checkpoint::parse_unverified(bytes)
            .map(|checkpoint| (checkpoint, Vec::new()))
            .map_err(Problem::Checkpoint),
        (Some(bytes), Trust::Keys(keys)) => {
            Checkpoint::verify(bytes, keys).map_err(Problem::Checkpoint)
        }
    };
    let (checkpoint, signers) = match checkpoint {
        Ok(found) => found,
        Err(problem) => {
            report.problem = Some(problem);
            return Ok(report);
        }
    };
    report.signers = signers.iter().map(|key| key.name().clone()).collect();
    let mut pass = Pass {
        index: Index::new(evidence.frontier, evidence.tile, checkpoint.size),
        tree: Frontier::default(),
        root: (checkpoint.size == 0).then(|| Frontier::default().root()),
        suspect: None,
        torn: None,
    };
    let defect = pass.stream(lines, &checkpoint)?;
    report.problem = pass.judge(defect, &checkpoint)?;
    report.lines = pass.tree.size();
    report.signed = report.lines.min(checkpoint.size);
    report.unsigned = report.lines - report.signed;
    report.torn = pass.torn;
    if report.problem.is_none() {
        report.damaged = pass.index.damaged();
    }
    report.checkpoint = Some(checkpoint);
    Ok(report)
}

/// Checks the log in `directory`. A writer may append meanwhile.
///
/// # Errors
/// [`LogError::Io`] for what cannot be read. A directory without any log is a report of a missing checkpoint.
pub fn verify_directory(directory: &Path, trust: Trust<'_>) -> Result<Report, LogError> {
    let directory = Directory::new(directory);
    // INVARIANT: the checkpoint first. Lines that it covers were written before it.
    let checkpoint = directory.read_checkpoint()?;
    let frontier = directory.read_frontier()?;
    let evidence = Evidence {
        checkpoint: checkpoint.as_deref(),
        frontier: frontier.as_deref(),
        tile: |index| directory.read_tile(index),
    };
    let path = directory.records();
    match File::open(&path) {
        Ok(file) => verify(
            &mut BufReader::with_capacity(1 << 18, file),
            evidence,
            trust,
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            verify(&mut io::empty(), evidence, trust)
        }
        Err(error) => Err(io_error("open", &path)(error)),
    }
}

/// A line that is wrong on its face.
struct Defect {
    line: u64,
    offset: u64,
    defect: LineDefect,
}

struct Pass<T> {
    index: Index<T>,
    tree: Frontier,
    /// The root at the checkpoint's size, once that many lines are read.
    root: Option<Hash>,
    /// Line and offset of the first signed record that differs from its leaf hash in the index.
    suspect: Option<(u64, u64)>,
    torn: Option<Torn>,
}

impl<T: FnMut(u64) -> Result<Option<Vec<u8>>, LogError>> Pass<T> {
    /// Reads up to the end, or to the first line that is wrong on its face.
    fn stream(
        &mut self,
        lines: &mut impl BufRead,
        checkpoint: &Checkpoint,
    ) -> Result<Option<Defect>, LogError> {
        let (mut buffer, mut offset) = (Vec::new(), 0_u64);
        loop {
            let seq = self.tree.size();
            let line = seq + 1;
            let found = next_line(lines, &mut buffer)
                .map_err(io_error("read", Path::new("decisions.jsonl")))?;
            let length = buffer.len() as u64;
            let checked = match found {
                Line::End => return Ok(None),
                Line::Torn if seq >= checkpoint.size => {
                    let bytes = length;
                    self.torn = Some(Torn {
                        line,
                        offset,
                        bytes,
                    });
                    return Ok(None);
                }
                Line::Torn => Err(LineDefect::Torn),
                Line::TooLong => Err(LineDefect::TooLong),
                Line::Whole => read_line(&buffer, seq),
            };
            if let Err(defect) = checked {
                return Ok(Some(Defect {
                    line,
                    offset,
                    defect,
                }));
            }
            let leaf = leaf_hash(&buffer);
            self.index.meets_boundary(&self.tree, offset);
            if !self.index.agrees(seq, &leaf)? && seq < checkpoint.size && self.suspect.is_none() {
                self.suspect = Some((line, offset));
            }
            self.tree.push(leaf);
            if self.tree.size() == checkpoint.size {
                self.root = Some(self.tree.root());
            }
            offset += length + 1;
        }
    }

    /// Says what the first bad line is, given one that is wrong on its face.
    fn judge(
        &mut self,
        defect: Option<Defect>,
        checkpoint: &Checkpoint,
    ) -> Result<Option<Problem>, LogError> {
        let signed = checkpoint.size;
        let sound = self.root == Some(checkpoint.root);
        // A suspect stands before the defect, but counts only if the index is proven.
        if let Some((line, offset)) = self.suspect.filter(|_| !sound)
            && self.index.root(signed)? == Some(checkpoint.root)
        {
            let defect = LineDefect::Changed;
            return Ok(Some(Problem::Line {
                line,
                offset,
                defect,
            }));
        }
        if self.root.is_some() && !sound {
            let suspect = self.suspect.map(|(line, _)| line);
            return Ok(Some(Problem::Root { signed, suspect }));
        }
        if let Some(Defect {
            line,
            offset,
            defect,
        }) = defect
        {
            return Ok(Some(Problem::Line {
                line,
                offset,
                defect,
            }));
        }
        let lines = self.tree.size();
        Ok((lines < signed).then_some(Problem::Truncated { lines, signed }))
    }
}

/// The leaf hashes of the tiles and of the frontier file.
struct Index<T> {
    read_tile: T,
    /// Tiles that must be there.
    full_tiles: u64,
    loaded: Option<(u64, Option<Vec<u8>>)>,
    saved: Option<Saved>,
    bad_frontier: bool,
    /// The first tile that is missing or differs.
    bad_tile: Option<u64>,
}

impl<T: FnMut(u64) -> Result<Option<Vec<u8>>, LogError>> Index<T> {
    fn new(frontier: Option<&[u8]>, read_tile: T, signed: u64) -> Self {
        let saved = frontier.and_then(Saved::parse);
        Self {
            read_tile,
            full_tiles: signed / TILE_WIDTH,
            loaded: None,
            bad_frontier: saved.is_none(),
            saved,
            bad_tile: None,
        }
    }

    /// The hash that the tiles hold for leaf `index`.
    fn tiled(&mut self, index: u64) -> Result<Option<Hash>, LogError> {
        let number = index / TILE_WIDTH;
        if self.loaded.as_ref().is_none_or(|(at, _)| *at != number) {
            let tile = (self.read_tile)(number)?.filter(|tile| tile.len() == TILE_BYTES);
            self.loaded = Some((number, tile));
        }
        let tile = self.loaded.as_ref().and_then(|(_, tile)| tile.as_deref());
        let place = usize::try_from(index % TILE_WIDTH).unwrap_or_default();
        let hashes = tile.map(|tile| tile.as_chunks::<32>().0);
        Ok(hashes
            .and_then(|hashes| hashes.get(place))
            .map(|hash| Hash::from_bytes(*hash)))
    }

    /// Whether the index holds this hash for this leaf, or none; remembers which file is damaged.
    fn agrees(&mut self, index: u64, leaf: &Hash) -> Result<bool, LogError> {
        let number = index / TILE_WIDTH;
        let tiled = self.tiled(index)?;
        if tiled.map_or(number < self.full_tiles, |hash| hash != *leaf) {
            self.bad_tile = self.bad_tile.or(Some(number));
        }
        let saved = self.saved.as_ref().and_then(|saved| saved.leaf(index));
        self.bad_frontier |= saved.is_some_and(|hash| hash != *leaf);
        Ok(saved.or(tiled).is_none_or(|hash| hash == *leaf))
    }

    /// Compares the frontier file with the tree and offset before the line where its last tile begins.
    fn meets_boundary(&mut self, tree: &Frontier, offset: u64) {
        let differs = |saved: &Saved| saved.contradicts(tree, offset);
        self.bad_frontier |= self.saved.as_ref().is_some_and(differs);
    }

    /// The root over the first `size` leaf hashes; none if some are missing.
    fn root(&mut self, size: u64) -> Result<Option<Hash>, LogError> {
        let mut tree = Frontier::default();
        for index in 0..size {
            let saved = self.saved.as_ref().and_then(|saved| saved.leaf(index));
            match saved.map_or_else(|| self.tiled(index), |leaf| Ok(Some(leaf)))? {
                Some(leaf) => tree.push(leaf),
                None => return Ok(None),
            }
        }
        Ok(Some(tree.root()))
    }

    /// The index files that are damaged, given that the signed records are proven.
    fn damaged(&self) -> Vec<Damage> {
        let frontier = self.bad_frontier.then_some(Damage::Frontier);
        let tile = self.bad_tile.map(Damage::Tile);
        frontier.into_iter().chain(tile).collect()
    }
}
