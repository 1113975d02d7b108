use proptest::prelude::*;

use super::*;
use crate::bundle::Limits;
use crate::trust::{RootChain, RootDraft, SecretKey, cosign_root};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn name(text: &str) -> PrincipalName {
    text.parse().unwrap()
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// Alice and Bob (2 of 2) are root and publish `acme`; Carol publishes `acme/payments`, with two keys.
pub(in crate::trust) fn sample() -> RootDocument {
    let people = [("alice", vec![1]), ("bob", vec![2]), ("carol", vec![3, 4])];
    let both: BTreeSet<PrincipalName> = [name("alice"), name("bob")].into();
    let role = |text: &str, members: &BTreeSet<PrincipalName>, threshold| {
        let role: RoleName = text.parse().unwrap();
        (
            role.clone(),
            Role::new(&role, members.clone(), count(threshold)),
        )
    };
    let mut roles: BTreeMap<RoleName, Role> = [
        role("root", &both, 1),
        role("publisher/acme", &both, 2),
        role("publisher/acme/payments", &[name("carol")].into(), 1),
    ]
    .into();
    // Bob may be removed in one test.
    roles
        .get_mut(&"publisher/acme".parse().unwrap())
        .unwrap()
        .principals
        .insert(name("carol"));
    RootDocument {
        version: 1.try_into().unwrap(),
        expires: "2027-01-01T00:00:00Z".parse().unwrap(),
        principals: people
            .into_iter()
            .map(|(who, seeds)| {
                let keys = seeds
                    .into_iter()
                    .map(|seed| secret(seed).public())
                    .collect();
                (name(who), Principal { keys })
            })
            .collect(),
        roles,
        revoked: crate::trust::Revocations::default(),
    }
}

fn edit(changes: &[RootChange]) -> Result<RootDocument, EditError> {
    next_root(&sample(), changes, None, Renewal::NotAsked, NOW)
}

#[test]
fn what_is_not_there_cannot_be_changed() {
    let nobody = secret(99).public();
    let acme: Namespace = "acme".parse().unwrap();
    let cases = [
        RootChange::RetireKey(nobody.id()),
        RootChange::RevokeKey(nobody.id()),
        RootChange::RemovePrincipal(name("mallory")),
        RootChange::RemoveRole(RoleName::Log),
        RootChange::RemoveRole(RoleName::Root),
        RootChange::RaiseEpoch("publisher/pci".parse().unwrap()),
        RootChange::SetThreshold {
            role: RoleName::Log,
            threshold: count(1),
        },
        RootChange::AddNamespace {
            publisher: "pci".parse().unwrap(),
            namespace: acme.clone(),
        },
        RootChange::RemoveNamespace {
            publisher: acme.clone(),
            namespace: acme.clone(),
        },
        RootChange::RemoveNamespace {
            publisher: acme,
            namespace: "pci".parse().unwrap(),
        },
    ];
    for change in cases {
        let found = edit(std::slice::from_ref(&change)).unwrap_err();
        assert_eq!(found.code(), Code::ROOT_EDIT, "{change:?}: {found}");
    }
}

#[test]
fn nobody_who_is_needed_goes() {
    let gone = |who: &str| RootChange::RemovePrincipal(name(who));
    assert!(matches!(
        edit(&[gone("carol")]),
        Err(EditError::StillNeeded { principal, role, threshold: 1, left: 0 })
            if principal == name("carol") && role.to_string() == "publisher/acme/payments"
    ));
    // Of three two may sign still; of those two the second may not go.
    assert!(edit(&[gone("bob")]).is_ok());
    let both = edit(&[gone("alice"), gone("bob")]).unwrap_err();
    assert_eq!(both.code(), Code::ROOT_STILL_NEEDED);
    let role: RoleName = "publisher/acme/payments".parse().unwrap();
    assert!(
        edit(&[
            gone("carol"),
            RootChange::SetRole {
                role,
                principals: [name("alice")].into(),
                threshold: count(1)
            }
        ])
        .is_ok()
    );
    let key = secret(9).public();
    let returned = edit(&[
        RootChange::AddKey {
            principal: name("dan"),
            key,
        },
        gone("dan"),
    ]);
    assert!(matches!(returned, Err(EditError::Contradiction { .. })));
    let left = edit(&[RootChange::RetireKey(secret(1).public().id())]);
    assert!(matches!(left, Err(EditError::LastKey { .. })));
}

#[test]
fn a_revocation_that_leaves_too_few_says_so() {
    let revoke = |seed| RootChange::RevokeKey(secret(seed).public().id());
    assert!(edit(&[revoke(3)]).is_ok(), "carol has another key");
    assert!(matches!(
        edit(&[revoke(3), revoke(4)]),
        Err(EditError::Unreachable {
            threshold: 1,
            usable: 0,
            ..
        })
    ));
    let key = secret(9).public();
    let with_new = [
        revoke(3),
        revoke(4),
        RootChange::AddKey {
            principal: name("carol"),
            key,
        },
    ];
    assert!(edit(&with_new).is_ok());
    let key = secret(3).public();
    let again = [
        revoke(3),
        RootChange::AddKey {
            principal: name("carol"),
            key,
        },
    ];
    assert!(matches!(edit(&again), Err(EditError::RevokedKey { .. })));
}

#[test]
fn an_edit_that_changes_nothing_is_refused_unless_a_renewal_is_asked_for() {
    let later = Some("2030-01-01T00:00:00Z".parse().unwrap());
    let key = secret(1).public();
    let known = RootChange::AddKey {
        principal: name("alice"),
        key,
    };
    for changes in [&[][..], &[known]] {
        let found = next_root(&sample(), changes, later, Renewal::NotAsked, NOW);
        assert_eq!(found, Err(EditError::Unchanged { version: 1 }));
        assert!(next_root(&sample(), changes, later, Renewal::Asked, NOW).is_ok());
    }
}

#[test]
fn the_expiry_is_kept_and_never_silently_extended() {
    let change = [RootChange::RevokePayload(Sha256Digest::of(b"x"))];
    assert_eq!(edit(&change).unwrap().expires, sample().expires);
    let late = "2028-01-01T00:00:00Z".parse().unwrap();
    let found = next_root(&sample(), &change, None, Renewal::NotAsked, late).unwrap_err();
    assert_eq!(found.code(), Code::ROOT_EDIT_EXPIRED);
}

#[test]
fn the_rules_of_the_document_hold_for_what_comes_out() {
    let acme_payments: Namespace = "acme/payments".parse().unwrap();
    let overlap = RootChange::AddNamespace {
        publisher: "acme".parse().unwrap(),
        namespace: acme_payments,
    };
    assert_eq!(edit(&[overlap]).unwrap_err().code(), Code::ROOT_OVERLAP);
    let key = secret(1).public();
    let shared = RootChange::AddKey {
        principal: name("bob"),
        key,
    };
    assert_eq!(edit(&[shared]).unwrap_err().code(), Code::ROOT_SHARED_KEY);
    let threshold = RootChange::SetThreshold {
        role: RoleName::Root,
        threshold: count(3),
    };
    assert_eq!(edit(&[threshold]).unwrap_err().code(), Code::ROOT_THRESHOLD);
    let range = RevokedRevisions {
        bundle: "acme".parse().unwrap(),
        epoch: 1.try_into().unwrap(),
        from: 3.try_into().unwrap(),
        to: 2.try_into().unwrap(),
    };
    let found = edit(&[RootChange::RevokeRevisions(range)]).unwrap_err();
    assert_eq!(found.code(), Code::ROOT_EDIT);
}

#[test]
fn a_revoked_key_counts_in_the_old_root_and_no_longer_in_the_new_one() {
    let mut first = sample();
    first
        .roles
        .get_mut(&RoleName::Root)
        .unwrap()
        .principals
        .insert(name("carol"));
    let change = RootChange::RevokeKey(secret(3).public().id());
    let second = next_root(&first, &[change], None, Renewal::NotAsked, NOW).unwrap();
    let mut draft = RootDraft::new(second).unwrap();
    cosign_root(&mut draft, Some(&first), &[secret(3)]).unwrap();
    let [old, new]: [_; 2] = draft.standings(Some(&first)).try_into().unwrap();
    assert!(old.met && old.by == 1);
    assert!(!new.met && new.by == 2 && new.signed.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// However often the whole `root` role is replaced: signed by the old and the new threshold a root follows, signed by
    /// one of them alone it does not.
    #[test]
    fn a_root_role_that_is_replaced_whole_takes_both_sides(
        steps in proptest::collection::vec((1u8..=3, 0u8..=2, any::<bool>()), 1..6)
    ) {
        let limits = Limits::default();
        let mut next_seed = 10u8;
        let mut people = |size: u8| -> Vec<u8> {
            let from = next_seed;
            next_seed += size;
            (from..from + size).collect()
        };
        let who = |seed: u8| name(&format!("p{seed}"));
        let add = |seeds: &[u8]| -> Vec<RootChange> {
            let key = |seed: &u8| RootChange::AddKey { principal: who(*seed), key: secret(*seed).public() };
            seeds.iter().map(key).collect()
        };
        let fill = |seeds: &[u8], threshold: u32| RootChange::SetRole {
            role: RoleName::Root,
            principals: seeds.iter().map(|seed| who(*seed)).collect(),
            threshold: count(threshold),
        };
        let signed = |document: &RootDocument, previous: Option<&RootDocument>, seeds: &[u8]| {
            let mut draft = RootDraft::new(document.clone()).unwrap();
            let keys: Vec<SecretKey> = seeds.iter().map(|seed| secret(*seed)).collect();
            cosign_root(&mut draft, previous, &keys).unwrap();
            draft.envelope().to_json().into_bytes()
        };
        let mut current = vec![1, 2];
        let mut threshold = 1usize;
        let mut document = sample();
        let mut files = vec![signed(&document, None, &current)];
        for (size, short, by_old) in steps {
            let fresh = people(size);
            let fresh_threshold = usize::from(size - short.min(size - 1));
            let mut changes = add(&fresh);
            changes.push(fill(&fresh, u32::try_from(fresh_threshold).unwrap()));
            let next = next_root(&document, &changes, None, Renewal::NotAsked, NOW).unwrap();
            let walk = |last: &[u8]| {
                let mut chain = RootChain::begin(&files[0], None, &limits).unwrap();
                for bytes in &files[1..] {
                    chain.step(bytes, &limits).unwrap();
                }
                chain.step(last, &limits)
            };
            let one_side = if by_old { &current[..threshold] } else { &fresh[..fresh_threshold] };
            let found = walk(&signed(&next, Some(&document), one_side)).unwrap_err();
            prop_assert_eq!(found.code(), Code::ROOT_UNSIGNED);
            let both = [&current[..threshold], &fresh[..fresh_threshold]].concat();
            let file = signed(&next, Some(&document), &both);
            prop_assert_eq!(walk(&file), Ok(()));
            files.push(file);
            (current, threshold, document) = (fresh, fresh_threshold, next);
        }
    }
}

/// The sample, whose `publisher/acme` burnt an epoch, speaks for one more namespace, and requires Git's signatures.
fn in_epoch_two() -> RootDocument {
    let acme: Namespace = "acme".parse().unwrap();
    edit(&[
        RootChange::RaiseEpoch(RoleName::Publisher(acme.clone())),
        RootChange::AddNamespace {
            publisher: acme.clone(),
            namespace: "pci".parse().unwrap(),
        },
        RootChange::RequireGit {
            publisher: acme,
            required: Some(GitRequirement::Either),
        },
    ])
    .unwrap()
}

#[test]
fn a_role_removed_and_set_by_one_edit_stays_in_its_epoch() {
    let acme: RoleName = "publisher/acme".parse().unwrap();
    let last = in_epoch_two();
    let set = RootChange::SetRole {
        role: acme.clone(),
        principals: [name("carol")].into(),
        threshold: count(1),
    };
    let changes = [RootChange::RemoveRole(acme.clone()), set];
    let next = next_root(&last, &changes, None, Renewal::NotAsked, NOW).unwrap();
    let (was, is) = (&last.roles[&acme], &next.roles[&acme]);
    assert_eq!(is.epoch.get(), 2);
    assert_eq!(is.namespaces, was.namespaces);
    assert_eq!(is.git_signature, was.git_signature);
    assert_eq!(is.principals, [name("carol")].into());
}

#[test]
fn a_publisher_that_comes_back_later_can_begin_in_a_later_epoch() {
    let role: RoleName = "publisher/pci".parse().unwrap();
    let set = RootChange::SetRole {
        role: role.clone(),
        principals: [name("carol")].into(),
        threshold: count(1),
    };
    let next = edit(&[set, RootChange::RaiseEpoch(role.clone())]).unwrap();
    assert_eq!(next.roles[&role].epoch.get(), 2);
}

#[test]
fn no_root_lowers_an_epoch() {
    let acme: RoleName = "publisher/acme".parse().unwrap();
    let last = in_epoch_two();
    let mut next = last.clone();
    next.roles.get_mut(&acme).unwrap().epoch = 1.try_into().unwrap();
    let found = next.check_epochs(&last).unwrap_err();
    assert_eq!(found.code(), Code::ROOT_RULES);
    assert!(last.check_epochs(&next).is_ok());
    next.roles.remove(&acme);
    assert!(next.check_epochs(&last).is_ok());
}
