//! A compiled policy as bytes: what a process that has few requests to decide needs not compile again.
//!
//! ```text
//! length of the head, 8 bytes, big-endian; length of the digests, 8 bytes
//! head      JSON: the policy without rules, where the index stands
//! digests   the SHA-256 of each chunk of the body, 32 bytes each
//! body      rules, each JSON; their offsets; the tables of the index
//! ```
//!
//! Whoever opens it says which digest all before the body must have, and that says which each chunk must have, so whatever is used was
//! written by whoever that digest is from, and a request costs the chunks that it touches. From the rules that the index lets through
//! comes an engine for that one request: the others would not match.
//!
//! INVARIANT: that engine's decision is the whole policy's. Where anything does not fit, there is none, and the policy is compiled.
//!
//! It lacks policies with a catalogue, and those with conditions that read data: they hang on more than their rules.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::index::{Section, Tables};
use super::request::Request;
use crate::digest::Sha256Digest;
use crate::resolve::{EffectivePolicy, StoredEffectiveRule, StoredPolicy};
use crate::trust::VerifiedStatement;

const FORMAT: &str = "ordain-compiled/v4";
/// The bytes that have a digest of their own.
const CHUNK: usize = 8 << 10;
/// The bytes of a digest.
const DIGEST: usize = 32;
/// The bytes of the two lengths.
const LENGTHS: usize = 16;
/// The most bytes of a head with its digests.
const MAX_HEAD: u64 = 16 << 20;
/// The most bytes of one rule.
const MAX_RULE: u64 = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    policy: StoredPolicy,
    /// Where each rule begins in the body, and where the last one ends.
    offsets: Section,
    tables: Tables,
    body: u64,
}

/// A compiled policy in bytes that can be sought in.
#[derive(Debug)]
pub struct Compiled<R> {
    head: Head,
    /// What each chunk of the body must have.
    digests: Vec<u8>,
    source: R,
    /// Where the body begins.
    start: u64,
    /// The chunks that were read, verified.
    held: BTreeMap<usize, Vec<u8>>,
}

impl Engine {
    /// The engine as bytes, compiled at `now`, and the digest by which they are opened; none where its policy cannot be kept.
    #[must_use]
    pub fn to_bytes(&self, now: Timestamp) -> Option<(Vec<u8>, Sha256Digest)> {
        let mut body = Vec::new();
        let mut offsets = Vec::new();
        for rule in self.policy().layers().iter().flat_map(|layer| &layer.rules) {
            offsets.push(u32::try_from(body.len()).ok()?);
            if rule.disabled {
                // It may be an operation's of a catalogue.
                rule.written.lowered().is_none().then_some(())?;
                continue;
            }
            let stored = StoredEffectiveRule::of(rule)?;
            let start = body.len();
            serde_json::to_writer(&mut body, &stored).ok()?;
            // What JSON does not give back as it was is not kept.
            let again: StoredEffectiveRule = serde_json::from_slice(body.get(start..)?).ok()?;
            (again == stored).then_some(())?;
        }
        offsets.push(u32::try_from(body.len()).ok()?);
        let offsets = Section::of_numbers(&offsets, &mut body);
        let tables = self.index().store(&mut body);
        let head = Head {
            format: FORMAT.to_owned(),
            policy: StoredPolicy::of(self.policy(), now),
            offsets,
            tables,
            body: body.len() as u64,
        };
        let head = serde_json::to_vec(&head).ok()?;
        let chunks = body.chunks(CHUNK).map(Sha256Digest::of);
        let digests: Vec<u8> = chunks.flat_map(|digest| *digest.as_bytes()).collect();
        let mut bytes = (head.len() as u64).to_be_bytes().to_vec();
        bytes.extend((digests.len() as u64).to_be_bytes());
        bytes.extend(head);
        bytes.extend(digests);
        let digest = Sha256Digest::of(&bytes);
        bytes.extend(body);
        Some((bytes, digest))
    }
}

impl<R: Read + Seek> Compiled<R> {
    /// Opens what [`Engine::to_bytes`] wrote; none where all before the body has another digest than `expected`.
    pub fn open(mut source: R, expected: Sha256Digest) -> Option<Self> {
        let mut lengths = [0; LENGTHS];
        source.read_exact(&mut lengths).ok()?;
        let [head, digests] = lengths.as_chunks().0 else {
            return None;
        };
        let (head, digests) = (u64::from_be_bytes(*head), u64::from_be_bytes(*digests));
        let length = head
            .checked_add(digests)
            .filter(|length| *length <= MAX_HEAD)?;
        let mut bytes = lengths.to_vec();
        bytes.resize(LENGTHS + usize::try_from(length).ok()?, 0);
        source.read_exact(bytes.get_mut(LENGTHS..)?).ok()?;
        // SECURITY: nothing is parsed that is not as it was written.
        if Sha256Digest::of(&bytes) != expected {
            return None;
        }
        let start = LENGTHS as u64 + length;
        let digests = bytes.split_off(LENGTHS + usize::try_from(head).ok()?);
        let head: Head = serde_json::from_slice(bytes.get(LENGTHS..)?).ok()?;
        (head.format == FORMAT).then_some(Self {
            head,
            digests,
            source,
            start,
            held: BTreeMap::new(),
        })
    }

    /// Whether it is the policy at `now`, too.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.head.policy.holds(now)
    }

    /// The policy without its rules, for which `bundles` were verified: its scope, its modes, its times.
    #[must_use]
    pub fn outline(&self, bundles: &[impl AsRef<VerifiedStatement>]) -> Option<EffectivePolicy> {
        self.head.policy.restore(bundles, [])
    }

    /// An engine that decides `request` at `now` as the whole policy does, for which `bundles` were verified; none where the
    /// bytes are not as they were written. It decides no other request.
    pub fn engine(
        &mut self,
        request: &Request,
        now: Timestamp,
        bundles: &[impl AsRef<VerifiedStatement>],
    ) -> Option<Engine> {
        let Self {
            head,
            digests,
            source,
            start,
            held,
        } = self;
        let mut body = Body {
            length: head.body,
            digests: digests.as_chunks().0,
            source,
            start: *start,
            held,
        };
        let facts = request.facts(now);
        let mut read = |range: Range<u64>| body.read(range);
        let candidates = head.tables.candidates(&facts, &mut read)?;
        let mut rules = Vec::with_capacity(candidates.len());
        for number in candidates {
            let offsets = head.offsets.numbers(u64::from(number), 2, &mut read)?;
            let [start, end] = offsets.try_into().ok()?;
            let (start, end) = (u64::from(start), u64::from(end));
            if end.checked_sub(start)? > MAX_RULE {
                return None;
            }
            let rule = serde_json::from_slice(&read(start..end)?).ok()?;
            rules.push((usize::try_from(number).ok()?, rule));
        }
        let policy = head.policy.restore(bundles, rules)?;
        Some(Engine::new(policy))
    }
}

/// The body, read by verified chunks.
struct Body<'a, R> {
    length: u64,
    digests: &'a [[u8; DIGEST]],
    source: &'a mut R,
    start: u64,
    held: &'a mut BTreeMap<usize, Vec<u8>>,
}

impl<R: Read + Seek> Body<'_, R> {
    fn read(&mut self, range: Range<u64>) -> Option<Vec<u8>> {
        if range.start > range.end || range.end > self.length {
            return None;
        }
        let (start, end) = (
            usize::try_from(range.start).ok()?,
            usize::try_from(range.end).ok()?,
        );
        let mut bytes = Vec::with_capacity(end - start);
        let mut at = start;
        while at < end {
            let chunk = self.chunk(at / CHUNK)?;
            let from = at % CHUNK;
            let until = chunk.len().min(from + (end - at));
            bytes.extend(chunk.get(from..until).filter(|part| !part.is_empty())?);
            at = start + bytes.len();
        }
        Some(bytes)
    }

    fn chunk(&mut self, number: usize) -> Option<&[u8]> {
        if !self.held.contains_key(&number) {
            let expected = self.digests.get(number)?;
            let at = (number * CHUNK) as u64;
            let length = usize::try_from(self.length - at).ok()?.min(CHUNK);
            let mut bytes = vec![0; length];
            self.source.seek(SeekFrom::Start(self.start + at)).ok()?;
            self.source.read_exact(&mut bytes).ok()?;
            if Sha256Digest::of(&bytes).as_bytes() != expected {
                return None;
            }
            self.held.insert(number, bytes);
        }
        self.held.get(&number).map(Vec::as_slice)
    }
}
