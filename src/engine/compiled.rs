//! A compiled policy as bytes: what a process that finds them needs not compile again.
//!
//! ```text
//! length of the head, 8 bytes, big-endian; length of the groups, 8 bytes
//! head      JSON: the policy without rules, where the index stands
//! groups    the SHA-256 of each group of digests, 32 bytes each
//! digests   the SHA-256 of each part of the body, 32 bytes each
//! body      rules, each JSON; their offsets; the tables of the index; what the whole has besides
//! ```
//!
//! Whoever opens it says which digest all before the digests must have, that says which each group of digests must have, and those which
//! each part must have. So whatever is used was written by whoever that digest is from, and a request costs the groups and parts that
//! it touches, both short. From the rules that the index lets through comes an engine for that one request: the others would not match.
//! Who has many requests reads all of it, and has an engine of the whole policy, whose rules are made as they are asked for.
//!
//! INVARIANT: either engine's decision is the policy's. Where anything does not fit, there is none, and the policy is compiled.
//!
//! It lacks policies with a catalogue, and those with conditions that read data: they hang on more than their rules.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::combine::Head as RuleHead;
use super::index::{Section, Tables, Whole};
use super::request::Request;
use crate::digest::Sha256Digest;
use crate::json;
use crate::resolve::{EffectivePolicy, StoredEffectiveRule, StoredPolicy, StoredRules};
use crate::trust::VerifiedStatement;

const FORMAT: &str = "ordain-compiled/v7";
/// The bytes of a part of the body.
const PART: usize = 1 << 10;
/// The bytes of a digest.
const DIGEST: usize = 32;
/// The digests of a group.
const GROUP: usize = 32;
/// The bytes of the two lengths.
const LENGTHS: usize = 16;
/// The most bytes of a head with its groups, and of what the whole has as JSON.
const MAX_HEAD: u64 = 16 << 20;
/// As many bytes of those are made room for at once: what is not there takes no more memory.
const STEP: usize = 1 << 20;
/// The most bytes of one rule.
const MAX_RULE: u64 = 1 << 20;
/// The most bytes of the body that one request reads: who needs more has compiled the policy as soon.
const MAX_READ: u64 = 64 << 20;
/// The most bytes of a body that is read at once.
const MAX_WHOLE: u64 = 1 << 30;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    policy: StoredPolicy,
    /// Where each rule begins in the body, and where the last one ends.
    offsets: Section,
    tables: Tables,
    /// What combining needs of each rule, in a byte.
    heads: Section,
    /// What the index has besides, as JSON.
    whole: Section,
    body: u64,
}

impl Head {
    /// Whether `groups` are of a body of so many bytes, and all that is said to stand there takes no more than that.
    fn fits(&self, groups: &[u8]) -> bool {
        let parts = self.body.div_ceil(PART as u64);
        let known = parts.div_ceil(GROUP as u64).checked_mul(DIGEST as u64);
        let tables = self.tables.bytes();
        let others = [self.heads, self.whole].map(|section| Some(section.items()));
        let sections = [tables, self.offsets.bytes_of_numbers()].into_iter();
        let bytes = sections
            .chain(others)
            .try_fold(0_u64, |all, bytes| all.checked_add(bytes?));
        known == Some(groups.len() as u64) && bytes.is_some_and(|bytes| bytes <= self.body)
    }
}

/// A compiled policy in bytes that can be sought in.
#[derive(Debug)]
pub struct Compiled<R> {
    head: Head,
    body: Body<R>,
}

impl Engine {
    /// The engine as bytes, compiled at `now`, and the digest by which they are opened; none where its policy cannot be kept.
    #[must_use]
    pub fn to_bytes(&self, now: Timestamp) -> Option<(Vec<u8>, Sha256Digest)> {
        let mut body = Vec::new();
        let mut offsets = Vec::new();
        for rule in self.policy().layers().iter().flat_map(|layer| &layer.rules) {
            offsets.push(u32::try_from(body.len()).ok()?);
            let stored = StoredEffectiveRule::of(rule)?;
            let start = body.len();
            serde_json::to_writer(&mut body, &stored).ok()?;
            let written = body.get(start..)?;
            // What JSON does not give back as it was is not kept, and neither is what would not be read.
            let again: StoredEffectiveRule = json::from_slice(written).ok()?;
            (again == stored && written.len() as u64 <= MAX_RULE).then_some(())?;
        }
        offsets.push(u32::try_from(body.len()).ok()?);
        let offsets = Section::of_numbers(&offsets, &mut body);
        let tables = self.index().store(&mut body);
        let heads = self.heads().iter().map(|head| [head.to_byte()]);
        let heads = Section::of_items(heads, &mut body);
        let whole = self.index().store_whole(&mut body);
        let whole = serde_json::to_vec(&whole).ok()?;
        (whole.len() as u64 <= MAX_HEAD).then_some(())?;
        let whole = Section::of_items(whole.iter().map(|byte| [*byte]), &mut body);
        let head = Head {
            format: FORMAT.to_owned(),
            policy: StoredPolicy::of(self.policy(), now),
            offsets,
            tables,
            heads,
            whole,
            body: body.len() as u64,
        };
        let head = serde_json::to_vec(&head).ok()?;
        let digests = digests_of(&body, PART);
        let groups = digests_of(&digests, GROUP * DIGEST);
        ((head.len() + groups.len()) as u64 <= MAX_HEAD).then_some(())?;
        let mut bytes = (head.len() as u64).to_be_bytes().to_vec();
        bytes.extend((groups.len() as u64).to_be_bytes());
        bytes.extend(head);
        bytes.extend(groups);
        let digest = Sha256Digest::of(&bytes);
        bytes.extend(digests);
        bytes.extend(body);
        Some((bytes, digest))
    }
}

/// The digests of all pieces of so many bytes, one after the other.
fn digests_of(bytes: &[u8], piece: usize) -> Vec<u8> {
    let digests = bytes.chunks(piece).map(Sha256Digest::of);
    digests.flat_map(|digest| *digest.as_bytes()).collect()
}

impl<R: Read + Seek> Compiled<R> {
    /// Opens what [`Engine::to_bytes`] wrote; none where all before the digests has another digest than `expected`.
    pub fn open(mut source: R, expected: Sha256Digest) -> Option<Self> {
        let mut lengths = [0; LENGTHS];
        source.read_exact(&mut lengths).ok()?;
        let [head, groups] = lengths.as_chunks().0 else {
            return None;
        };
        let (head, groups) = (u64::from_be_bytes(*head), u64::from_be_bytes(*groups));
        let length = head
            .checked_add(groups)
            .filter(|length| *length <= MAX_HEAD)?;
        let mut bytes = lengths.to_vec();
        let end = LENGTHS + usize::try_from(length).ok()?;
        while bytes.len() < end {
            let start = bytes.len();
            bytes.resize(end.min(start + STEP), 0);
            source.read_exact(bytes.get_mut(start..)?).ok()?;
        }
        // SECURITY: nothing is parsed that is not as it was written.
        if Sha256Digest::of(&bytes) != expected {
            return None;
        }
        let groups = bytes.split_off(LENGTHS + usize::try_from(head).ok()?);
        let head: Head = json::from_slice(bytes.get(LENGTHS..)?).ok()?;
        if head.format != FORMAT || !head.fits(&groups) {
            return None;
        }
        let digests = Stretch {
            start: LENGTHS as u64 + length,
            length: head.body.div_ceil(PART as u64).checked_mul(DIGEST as u64)?,
            piece: GROUP * DIGEST,
            held: BTreeMap::new(),
        };
        let parts = Stretch {
            start: digests.start.checked_add(digests.length)?,
            length: head.body,
            piece: PART,
            held: BTreeMap::new(),
        };
        let body = Body {
            source,
            groups,
            digests,
            parts,
            allowance: 0,
        };
        Some(Self { head, body })
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
        let Self { head, body } = self;
        body.allowance = MAX_READ;
        let facts = request.facts(now);
        let mut read = |range: Range<u64>| body.read(range);
        let candidates = head.tables.candidates(&facts, &mut read)?;
        let mut rules = Vec::with_capacity(candidates.len());
        let mut last_end = 0;
        for number in candidates {
            let offsets = head.offsets.numbers(u64::from(number), 2, &mut read)?;
            let [start, end] = offsets.try_into().ok()?;
            let (start, end) = (u64::from(start), u64::from(end));
            if start < last_end || end.checked_sub(start)? > MAX_RULE {
                return None;
            }
            last_end = end;
            let rule = json::from_slice(&read(start..end)?).ok()?;
            rules.push((usize::try_from(number).ok()?, rule));
        }
        let policy = head.policy.restore(bundles, rules)?;
        Some(Engine::new(policy))
    }

    /// An engine of the whole policy, for any number of requests; none where the bytes are not as they were written. All of them are
    /// read and verified, and a rule is made of its own when it is first asked for: most are judged by the index alone.
    pub fn whole(&mut self, bundles: &[impl AsRef<VerifiedStatement>]) -> Option<Engine> {
        let Self { head, body } = self;
        let mut bytes = body.all()?;
        // What stands there is told once.
        let mut allowance = bytes.len() as u64;
        let mut read = |range: Range<u64>| {
            allowance = allowance.checked_sub(range.end.checked_sub(range.start)?)?;
            let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
            bytes.get(range).map(<[u8]>::to_vec)
        };
        let offsets = head.offsets.all_numbers(&mut read)?;
        let rules = offsets.len().checked_sub(1)?;
        // SECURITY: no rule stands twice, and none is longer than it may be.
        let are_rules = offsets.array_windows().all(|[start, end]| {
            let length = end.checked_sub(*start);
            length.is_some_and(|length| u64::from(length) <= MAX_RULE)
        });
        (are_rules && head.whole.items() <= MAX_HEAD).then_some(())?;
        let heads = head.heads.all_bytes(&mut read)?.into_iter();
        let heads: Option<Vec<RuleHead>> = heads.map(RuleHead::of_byte).collect();
        let heads = heads.filter(|heads| heads.len() == rules)?;
        let whole: Whole = json::from_slice(&head.whole.all_bytes(&mut read)?).ok()?;
        let index = head.tables.whole(&whole, rules, &mut read)?;
        // The rules stand first.
        let end = usize::try_from(*offsets.last()?).ok()?;
        bytes.get(..end)?;
        bytes.truncate(end);
        bytes.shrink_to_fit();
        let texts = StoredRules {
            texts: bytes,
            offsets,
        };
        let policy = head.policy.whole(bundles, texts)?;
        Some(Engine::of_parts(policy, index, heads, Vec::new()))
    }
}

/// The body, read by verified parts.
#[derive(Debug)]
struct Body<R> {
    source: R,
    /// What each group of digests must have. INVARIANT: verified.
    groups: Vec<u8>,
    /// What each part must have, in groups.
    digests: Stretch,
    parts: Stretch,
    /// The bytes that the request at hand may still read.
    allowance: u64,
}

/// Some of the bytes, in pieces that have a digest each.
#[derive(Debug)]
struct Stretch {
    start: u64,
    length: u64,
    /// The bytes of each piece; the last may have fewer.
    piece: usize,
    /// The pieces that were read, verified.
    held: BTreeMap<usize, Vec<u8>>,
}

impl<R: Read + Seek> Body<R> {
    /// All of it.
    fn all(&mut self) -> Option<Vec<u8>> {
        let mut read = |start: u64, length: u64| {
            (length <= MAX_WHOLE).then_some(())?;
            self.source.seek(SeekFrom::Start(start)).ok()?;
            let mut bytes = Vec::new();
            let mut source = self.source.by_ref().take(length);
            // It takes as much memory as is found to be there.
            source.read_to_end(&mut bytes).ok()?;
            (bytes.len() as u64 == length).then_some(bytes)
        };
        // SECURITY: nothing is used that is not as it was written.
        let digests = read(self.digests.start, self.digests.length)?;
        (digests_of(&digests, GROUP * DIGEST) == self.groups).then_some(())?;
        let body = read(self.parts.start, self.parts.length)?;
        (digests_of(&body, PART) == digests).then_some(body)
    }

    fn read(&mut self, range: Range<u64>) -> Option<Vec<u8>> {
        if range.end > self.parts.length {
            return None;
        }
        let wanted = range.end.checked_sub(range.start)?;
        self.allowance = self.allowance.checked_sub(wanted)?;
        let (start, end) = (
            usize::try_from(range.start).ok()?,
            usize::try_from(range.end).ok()?,
        );
        // What is longer grows as it is found to be there.
        let mut bytes = Vec::with_capacity((end - start).min(GROUP * PART));
        let mut at = start;
        while at < end {
            let part = self.part(at / PART)?;
            let from = at % PART;
            let until = part.len().min(from + (end - at));
            bytes.extend(part.get(from..until).filter(|some| !some.is_empty())?);
            at = start + bytes.len();
        }
        Some(bytes)
    }

    fn part(&mut self, number: usize) -> Option<&[u8]> {
        let Self {
            source,
            groups,
            digests,
            parts,
            ..
        } = self;
        parts.piece(source, number, |source| {
            let group = number / GROUP;
            let known = groups.as_chunks().0;
            let digests = digests.piece(source, group, |_| known.get(group).copied())?;
            digests.as_chunks().0.get(number % GROUP).copied()
        })
    }
}

impl Stretch {
    /// A piece, which has the digest that `expected` says once it is read; none where it has not.
    fn piece<R: Read + Seek>(
        &mut self,
        source: &mut R,
        number: usize,
        expected: impl FnOnce(&mut R) -> Option<[u8; DIGEST]>,
    ) -> Option<&[u8]> {
        let entry = match self.held.entry(number) {
            Entry::Occupied(held) => return Some(held.into_mut()),
            Entry::Vacant(entry) => entry,
        };
        let expected = expected(source)?;
        let at = number.checked_mul(self.piece)? as u64;
        let rest = self.length.checked_sub(at)?;
        let length = usize::try_from(rest).ok()?.min(self.piece);
        let mut bytes = vec![0; length];
        source
            .seek(SeekFrom::Start(self.start.checked_add(at)?))
            .ok()?;
        source.read_exact(&mut bytes).ok()?;
        // SECURITY: nothing is used that is not as it was written.
        (Sha256Digest::of(&bytes).as_bytes() == &expected).then(|| entry.insert(bytes).as_slice())
    }
}
