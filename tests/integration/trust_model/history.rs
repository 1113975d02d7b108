//! What may happen, and random lists of it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A set of people, by bit: alice, bob, carol, dave.
pub(super) type People = u8;

/// One event. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Publish {
        signers: People,
        epoch: Epoch,
        revision: Revision,
        issued_minutes: i64,
        lifetime_days: i64,
    },
    /// Someone adds a signature to what is served.
    CoSign(u8),
    /// The server shows an older or newer commit: a rollback, a replay, or nothing of the kind.
    Serve(usize),
    Rotate(Rotation),
    /// The newest root is taken back.
    Retract,
    /// The server shows this many roots only.
    Withhold(usize),
    /// What is served is damaged.
    Tamper(Damage),
    /// A bit of a root that is shown is flipped.
    FlipRoot {
        which: usize,
        at: usize,
        bit: u8,
    },
    /// Time passes, in minutes; a negative number is a clock that goes back.
    Pass(i64),
    Restart,
    LoseLock,
    /// The lockfile before the last one comes back.
    RestoreLock,
    LoseState,
    Pull,
    /// A decision without a pull.
    Use,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Epoch {
    Current,
    Last,
    Next,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Revision {
    /// One more than the highest of its epoch.
    Following,
    /// The highest again, with other contents.
    Again,
    /// Further on by this many.
    Ahead(u64),
    /// Lower than the highest by this many.
    Behind(u64),
}

#[derive(Debug, Clone)]
pub(super) struct Rotation {
    pub(super) signers: People,
    pub(super) keepers: People,
    pub(super) keepers_needed: u32,
    pub(super) publishers: People,
    pub(super) publishers_needed: u32,
    pub(super) raises_epoch: bool,
    pub(super) lifetime_days: i64,
    pub(super) revokes: Option<Revoked>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Revoked {
    Key(u8),
    /// A published statement, by its number.
    Payload(usize),
    /// The last so many revisions.
    Revisions(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// A byte of a file.
    File,
    FileAdded,
    FileDropped,
    /// A byte of the payload, under the old signatures.
    Payload,
    /// A byte of one signature.
    Signature(usize),
    /// Any bit of the envelope as it is written.
    Flip {
        at: usize,
        bit: u8,
    },
}

fn people() -> impl Strategy<Value = People> {
    prop_oneof![
        4 => Just(0b0011),
        3 => Just(0b0111),
        2 => 0..16_u8,
        1 => select(vec![0b0001, 0b0010, 0b1000]),
    ]
}

fn publish() -> impl Strategy<Value = Op> {
    let epoch =
        prop_oneof![12 => Just(Epoch::Current), 1 => Just(Epoch::Last), 1 => Just(Epoch::Next)];
    let revision = prop_oneof![
        10 => Just(Revision::Following),
        2 => Just(Revision::Again),
        1 => (1..5_u64).prop_map(Revision::Ahead),
        1 => Just(Revision::Ahead(1 << 50)),
        1 => (1..3_u64).prop_map(Revision::Behind),
    ];
    let issued = prop_oneof![10 => Just(0_i64), 2 => -60_000..-30_000_i64, 2 => 1..20_i64];
    (people(), epoch, revision, issued, 1..60_i64).prop_map(
        |(signers, epoch, revision, issued_minutes, lifetime_days)| Op::Publish {
            signers,
            epoch,
            revision,
            issued_minutes,
            lifetime_days,
        },
    )
}

fn rotate() -> impl Strategy<Value = Op> {
    let revokes = prop_oneof![
        4 => Just(None),
        2 => (0..4_u8).prop_map(|who| Some(Revoked::Key(who))),
        1 => (0..8_usize).prop_map(|which| Some(Revoked::Payload(which))),
        1 => (1..4_u64).prop_map(|last| Some(Revoked::Revisions(last))),
    ];
    let signers = prop_oneof![8 => Just(0b0111_u8), 1 => people()];
    let lifetime = prop_oneof![4 => 60..400_i64, 1 => 1..15_i64];
    (
        signers,
        people(),
        1..4_u32,
        people(),
        1..4_u32,
        prop::bool::weighted(0.3),
        lifetime,
        revokes,
    )
        .prop_map(
            |(
                signers,
                keepers,
                keepers_needed,
                publishers,
                publishers_needed,
                raises_epoch,
                lifetime_days,
                revokes,
            )| {
                Op::Rotate(Rotation {
                    signers,
                    keepers,
                    keepers_needed,
                    publishers,
                    publishers_needed,
                    raises_epoch,
                    lifetime_days,
                    revokes,
                })
            },
        )
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::File),
        Just(Damage::FileAdded),
        Just(Damage::FileDropped),
        Just(Damage::Payload),
        (0..3_usize).prop_map(Damage::Signature),
        (any::<usize>(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let flip = (any::<usize>(), any::<usize>(), 0..8_u8)
        .prop_map(|(which, at, bit)| Op::FlipRoot { which, at, bit });
    let pass =
        prop_oneof![3 => 1..3_000_i64, 2 => 3_000..30_000_i64, 1 => -3_000..0_i64, 1 => -6..0_i64];
    prop_oneof![
        16 => publish(),
        3 => (0..4_u8).prop_map(Op::CoSign),
        5 => (0..8_usize).prop_map(Op::Serve),
        6 => rotate(),
        1 => Just(Op::Retract),
        2 => (1..4_usize).prop_map(Op::Withhold),
        4 => damage().prop_map(Op::Tamper),
        1 => flip,
        5 => pass.prop_map(Op::Pass),
        1 => Just(Op::Restart),
        2 => Just(Op::LoseLock),
        2 => Just(Op::RestoreLock),
        1 => Just(Op::LoseState),
        28 => Just(Op::Pull),
        2 => Just(Op::Use),
    ]
}

pub(super) fn histories() -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 1..16)
}
