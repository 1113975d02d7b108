//! Publishers, root keepers and the server: what they make, as bytes and as facts.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, LazyLock, OnceLock};

use jiff::{SignedDuration, Timestamp};
use ordain::bundle::{BundlePath, FetchedBundle, Limits, MANIFEST_FILE, Origin};
use ordain::digest::Sha256Digest;
use ordain::trust::{
    Envelope, NextRevision, Principal, ROOT_PAYLOAD_TYPE, Revocations, RevokedRevisions, Role,
    RootDocument, SecretKey, Unchanged, sign_bundle,
};

use super::history::{Damage, Epoch, Op, People, Revision, Revoked, Rotation};

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];
/// Those who keep roots and publish `acme`; dave publishes another namespace.
const ACME: People = 0b0111;
const MANIFEST: &[u8] =
    b"apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\n";
const FILE: &str = "data/a.json";

static KEYS: LazyLock<Vec<SecretKey>> = LazyLock::new(|| {
    (1..=4)
        .map(|seed| SecretKey::from_seed(&[seed; 32]))
        .collect()
});

/// Minutes since the beginning, as a time.
pub(super) fn time(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_mins(minutes)
}

/// A root, without its bytes.
#[derive(Debug, Clone)]
pub(super) struct RootFacts {
    pub(super) version: u64,
    pub(super) expires: i64,
    pub(super) signers: People,
    pub(super) epoch: u64,
    pub(super) revoked_keys: People,
    pub(super) revoked_payloads: BTreeSet<usize>,
    pub(super) revoked_revisions: Vec<(u64, u64, u64)>,
    keepers: (People, u32),
    publishers: (People, u32),
}

impl RootFacts {
    fn has(&self, (members, needed): (People, u32), signers: People) -> bool {
        (members & signers & !self.revoked_keys).count_ones() >= needed
    }

    pub(super) fn is_kept_by(&self, signers: People) -> bool {
        self.has(self.keepers, signers)
    }

    pub(super) fn is_published_by(&self, signers: People) -> bool {
        self.has(self.publishers, signers)
    }
}

/// A statement, without its bytes.
#[derive(Debug, Clone)]
pub(super) struct BundleFacts {
    pub(super) epoch: u64,
    pub(super) revision: u64,
    pub(super) issued: i64,
    pub(super) expires: i64,
    /// In the order of the envelope.
    pub(super) signers: Vec<usize>,
}

impl BundleFacts {
    /// Who signed, but for the signature at this place.
    pub(super) fn signers_without(&self, which: usize) -> People {
        let others = self.signers.iter().enumerate();
        others
            .filter(|(index, _)| *index != which)
            .fold(0, |all, (_, who)| all | 1 << who)
    }
}

struct Published {
    facts: BundleFacts,
    fetched: FetchedBundle,
    payload: Sha256Digest,
    /// What was signed when the consumer last pulled it: co-signatures come later.
    pulled: Option<BundleFacts>,
}

pub(super) struct World {
    now: i64,
    roots: Vec<(RootFacts, Arc<[u8]>)>,
    shown: usize,
    flipped_root: Option<(usize, Arc<[u8]>)>,
    bundles: Vec<Published>,
    served: usize,
    damage: Option<(Damage, FetchedBundle)>,
}

fn masked(people: People) -> impl Iterator<Item = usize> {
    (0..NAMES.len()).filter(move |who| people >> who & 1 == 1)
}

impl World {
    /// Root 1 and revision 1, which are sound.
    pub(super) fn new() -> Self {
        let facts = RootFacts {
            version: 1,
            expires: 300 * 24 * 60,
            signers: 0b0011,
            epoch: 1,
            revoked_keys: 0,
            revoked_payloads: BTreeSet::new(),
            revoked_revisions: Vec::new(),
            keepers: (ACME, 2),
            publishers: (ACME, 2),
        };
        let mut world = Self {
            now: 0,
            roots: Vec::new(),
            shown: usize::MAX,
            flipped_root: None,
            bundles: Vec::new(),
            served: 0,
            damage: None,
        };
        let bytes = FIRST.get_or_init(|| world.sign_root(&facts)).clone();
        world.roots.push((facts, bytes));
        let (facts, fetched, payload) = FIRST_BUNDLE.get_or_init(|| {
            world.publish(0b0011, Epoch::Current, Revision::Following, 0, 30);
            let first = world.bundles.remove(0);
            (first.facts, first.fetched, first.payload)
        });
        world.bundles.push(Published {
            facts: facts.clone(),
            fetched: fetched.clone(),
            payload: *payload,
            pulled: None,
        });
        world
    }

    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// The fingerprint of the first root.
    pub(super) fn pin(&self) -> Sha256Digest {
        let envelope = Envelope::parse(&self.roots[0].1, &Limits::default()).unwrap();
        envelope.payload_digest()
    }

    /// Whether a bit was flipped somewhere, so that only the consumer knows what it hit.
    pub(super) fn is_flipped(&self) -> bool {
        let flip = matches!(self.damage, Some((Damage::Flip { .. }, _)));
        flip || self
            .flipped_root
            .as_ref()
            .is_some_and(|(which, _)| *which < self.shown_count())
    }

    fn shown_count(&self) -> usize {
        self.shown.clamp(1, self.roots.len())
    }

    pub(super) fn shown_facts(&self) -> Vec<&RootFacts> {
        let shown = &self.roots[..self.shown_count()];
        shown.iter().map(|(facts, _)| facts).collect()
    }

    pub(super) fn shown_roots(&self) -> Vec<Arc<[u8]>> {
        let shown = &self.roots[..self.shown_count()];
        let mut bytes: Vec<_> = shown.iter().map(|(_, bytes)| bytes.clone()).collect();
        if let Some((which, flipped)) = &self.flipped_root
            && let Some(place) = bytes.get_mut(*which)
        {
            *place = flipped.clone();
        }
        bytes
    }

    pub(super) fn served_facts(&self) -> (usize, &BundleFacts, Option<Damage>) {
        let damage = self.damage.as_ref().map(|(damage, _)| *damage);
        (self.served, &self.bundles[self.served].facts, damage)
    }

    pub(super) fn served(&self) -> FetchedBundle {
        match &self.damage {
            Some((_, damaged)) => damaged.clone(),
            None => self.bundles[self.served].fetched.clone(),
        }
    }

    /// The number of a payload.
    pub(super) fn number(&self, payload: Sha256Digest) -> usize {
        self.bundles
            .iter()
            .position(|published| published.payload == payload)
            .expect("nothing else is ever accepted")
    }

    /// The facts of what the consumer keeps: co-signatures that came later are not among them.
    pub(super) fn facts_when_pulled(&self, number: usize) -> &BundleFacts {
        let published = &self.bundles[number];
        published.pulled.as_ref().unwrap_or(&published.facts)
    }

    /// Notes who had signed when the consumer took it.
    pub(super) fn was_pulled(&mut self) {
        let facts = match self.served_facts() {
            (_, facts, Some(Damage::Signature(which))) => {
                let mut facts = facts.clone();
                let which = which % facts.signers.len();
                facts.signers.remove(which);
                facts
            }
            (_, facts, _) => facts.clone(),
        };
        self.bundles[self.served].pulled = Some(facts);
    }

    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::Publish {
                signers,
                epoch,
                revision,
                issued_minutes,
                lifetime_days,
            } => self.publish(*signers, *epoch, *revision, *issued_minutes, *lifetime_days),
            Op::CoSign(who) => self.cosign(usize::from(*who)),
            Op::Serve(which) => {
                self.served = which % self.bundles.len();
                self.damage = None;
            }
            Op::Rotate(rotation) => self.rotate(rotation),
            Op::Retract => {
                if self.roots.len() > 1 {
                    self.roots.pop();
                }
                self.flipped_root = None;
            }
            Op::Withhold(count) => self.shown = *count,
            Op::Tamper(damage) => self.tamper(*damage),
            Op::FlipRoot { which, at, bit } => {
                let which = which % self.roots.len();
                let mut bytes = self.roots[which].1.to_vec();
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
                self.flipped_root = Some((which, bytes.into()));
            }
            Op::Pass(minutes) => self.now += minutes,
            Op::Restart | Op::LoseLock | Op::RestoreLock | Op::LoseState | Op::Pull | Op::Use => {}
        }
    }

    fn publish(
        &mut self,
        signers: People,
        epoch: Epoch,
        revision: Revision,
        issued: i64,
        days: i64,
    ) {
        let current = self.roots.last().expect("a root").0.epoch;
        let epoch = match epoch {
            Epoch::Current => current,
            Epoch::Last => current.saturating_sub(1).max(1),
            Epoch::Next => current + 1,
        };
        let of_epoch = self
            .bundles
            .iter()
            .filter(|other| other.facts.epoch == epoch);
        let highest = of_epoch
            .map(|other| other.facts.revision)
            .max()
            .unwrap_or(0);
        let revision = match revision {
            Revision::Following => highest + 1,
            Revision::Again => highest,
            Revision::Ahead(by) => highest + by,
            Revision::Behind(by) => highest.saturating_sub(by),
        };
        let facts = BundleFacts {
            epoch,
            // The largest number that a statement may carry.
            revision: revision.clamp(1, (1 << 53) - 1),
            issued: self.now + issued,
            expires: self.now + issued + days * 24 * 60,
            signers: masked(signers).collect(),
        };
        let text = format!("{{\"number\": {}}}\n", self.bundles.len());
        let files: [(BundlePath, Arc<[u8]>); 2] = [
            (MANIFEST_FILE.parse().unwrap(), MANIFEST.into()),
            (FILE.parse().unwrap(), text.into_bytes().into()),
        ];
        let path = String::new();
        let mut fetched = FetchedBundle {
            origin: Origin::Directory { path },
            envelope: None,
            files: files.into(),
            git: None,
        };
        let next = NextRevision {
            now: time(facts.issued),
            unchanged: Unchanged::Renew,
            expires: Some(time(facts.expires)),
            epoch: NonZeroU64::new(facts.epoch),
            revision: NonZeroU64::new(facts.revision),
            requires: None,
            rolls_back: None,
        };
        let keys: Vec<SecretKey> = masked(signers).map(|who| KEYS[who].clone()).collect();
        let signed = sign_bundle(&fetched, &keys, &next, &Limits::default()).unwrap();
        fetched.envelope = Some(signed.envelope.to_json().into_bytes());
        self.served = self.bundles.len();
        self.damage = None;
        self.bundles.push(Published {
            facts,
            fetched,
            payload: signed.envelope.payload_digest(),
            pulled: None,
        });
    }

    /// The envelope may be unsigned, which no parser takes: then somebody would have to begin anew.
    fn cosign(&mut self, who: usize) {
        let published = &mut self.bundles[self.served];
        let bytes = published.fetched.envelope.as_deref().expect("an envelope");
        if let Ok(mut envelope) = Envelope::parse(bytes, &Limits::default())
            && envelope.sign(&KEYS[who]).unwrap()
        {
            published.facts.signers.push(who);
            published.fetched.envelope = Some(envelope.to_json().into_bytes());
            self.damage = None;
        }
    }

    fn rotate(&mut self, rotation: &Rotation) {
        let last = &self.roots.last().expect("a root").0;
        // Nobody is in no role, and a threshold is at most the number of its members.
        let role = |members: People, needed: u32| {
            let members = if members & ACME == 0 {
                ACME
            } else {
                members & ACME
            };
            (members, needed.min(members.count_ones()))
        };
        let mut next = RootFacts {
            version: last.version + 1,
            expires: self.now + rotation.lifetime_days * 24 * 60,
            signers: rotation.signers,
            epoch: last.epoch + u64::from(rotation.raises_epoch),
            keepers: role(rotation.keepers, rotation.keepers_needed),
            publishers: role(rotation.publishers, rotation.publishers_needed),
            ..last.clone()
        };
        match rotation.revokes {
            None => {}
            Some(Revoked::Key(who)) => next.revoked_keys |= 1 << who,
            Some(Revoked::Payload(which)) => {
                next.revoked_payloads.insert(which % self.bundles.len());
            }
            Some(Revoked::Revisions(last)) => {
                let of_epoch = self
                    .bundles
                    .iter()
                    .filter(|other| other.facts.epoch == next.epoch);
                let highest = of_epoch
                    .map(|other| other.facts.revision)
                    .max()
                    .unwrap_or(1);
                let from = highest.saturating_sub(last).max(1);
                next.revoked_revisions.push((next.epoch, from, highest));
            }
        }
        let bytes = self.sign_root(&next);
        self.roots.push((next, bytes));
        self.shown = usize::MAX;
        self.flipped_root = None;
    }

    fn sign_root(&self, facts: &RootFacts) -> Arc<[u8]> {
        let role = |(members, needed): (People, u32), epoch: u64, namespace: Option<&str>| Role {
            principals: masked(members)
                .map(|who| NAMES[who].parse().unwrap())
                .collect(),
            threshold: NonZeroU32::new(needed).unwrap(),
            epoch: NonZeroU64::new(epoch).unwrap(),
            namespaces: namespace.iter().map(|name| name.parse().unwrap()).collect(),
            git_signature: None,
        };
        let principals = NAMES.iter().zip(KEYS.iter()).map(|(name, key)| {
            let keys = vec![key.public()];
            (name.parse().unwrap(), Principal { keys })
        });
        let revoked = Revocations {
            keys: masked(facts.revoked_keys)
                .map(|who| KEYS[who].public().id())
                .collect(),
            payloads: facts
                .revoked_payloads
                .iter()
                .map(|number| self.bundles[*number].payload)
                .collect(),
            revisions: facts
                .revoked_revisions
                .iter()
                .map(|(epoch, from, to)| RevokedRevisions {
                    bundle: "acme".parse().unwrap(),
                    epoch: NonZeroU64::new(*epoch).unwrap(),
                    from: NonZeroU64::new(*from).unwrap(),
                    to: NonZeroU64::new(*to).unwrap(),
                })
                .collect(),
        };
        let document = RootDocument {
            version: NonZeroU64::new(facts.version).unwrap(),
            expires: time(facts.expires),
            principals: principals.collect(),
            roles: BTreeMap::from([
                ("root".parse().unwrap(), role(facts.keepers, 1, None)),
                (
                    "publisher/acme".parse().unwrap(),
                    role(facts.publishers, facts.epoch, Some("acme")),
                ),
                (
                    "publisher/other".parse().unwrap(),
                    role((0b1000, 1), 1, Some("other")),
                ),
            ]),
            revoked,
        };
        let mut envelope = Envelope::new(ROOT_PAYLOAD_TYPE, &document.to_payload().unwrap());
        for who in masked(facts.signers) {
            envelope.sign(&KEYS[who]).unwrap();
        }
        envelope.to_json().into_bytes().into()
    }

    fn tamper(&mut self, damage: Damage) {
        let published = &self.bundles[self.served];
        let mut fetched = published.fetched.clone();
        let file: BundlePath = FILE.parse().unwrap();
        match damage {
            Damage::File => drop(fetched.files.insert(file, (*b"{}").into())),
            Damage::FileAdded => {
                drop(
                    fetched
                        .files
                        .insert("data/b.json".parse().unwrap(), (*b"{}").into()),
                );
            }
            Damage::FileDropped => drop(fetched.files.remove(&file)),
            Damage::Flip { at, bit } => {
                let bytes = fetched.envelope.as_mut().expect("an envelope");
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
            }
            Damage::Payload => change(&mut fetched, "payload", None),
            Damage::Signature(which) => {
                if let Some(last) = published.facts.signers.len().checked_sub(1) {
                    change(&mut fetched, "sig", Some(which % (last + 1)));
                }
            }
        }
        self.damage = Some((damage, fetched));
    }
}

/// Every history begins with these.
static FIRST: OnceLock<Arc<[u8]>> = OnceLock::new();
static FIRST_BUNDLE: OnceLock<(BundleFacts, FetchedBundle, Sha256Digest)> = OnceLock::new();

/// Changes one byte of what a base64 field of the envelope holds.
fn change(fetched: &mut FetchedBundle, field: &str, which: Option<usize>) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let bytes = fetched.envelope.as_deref().expect("an envelope");
    let mut envelope: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    let place = match which {
        None => &mut envelope[field],
        Some(which) => &mut envelope["signatures"][which][field],
    };
    let mut content = STANDARD.decode(place.as_str().unwrap()).unwrap();
    content[10] ^= 1;
    *place = STANDARD.encode(content).into();
    fetched.envelope = Some(envelope.to_string().into_bytes());
}
