//! Random histories of publishers, roots, attackers, clocks and a consumer, held against a small model of what the consumer
//! must accept, what it must refuse and why, and what is active afterwards.
//!
//! A history is a list of [`Op`]s, each of which means something in every situation, so that any part of a failing history is
//! a history again and proptest can shrink it. `world` makes what they make, signed with real keys, and writes down the facts
//! beside the bytes; `model` reads the facts alone, and `consumer` the bytes alone. They meet here.
//!
//! `ORDAIN_MODEL_CASES` sets how many histories each test runs, `ORDAIN_MODEL_SEED` which ones: the same ones otherwise.

mod consumer;
mod history;
mod model;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use consumer::Consumer;
use history::{Op, histories};
use model::{Kind, Machine};
use world::World;

/// Histories of one run.
const CASES: u32 = 10_000;

/// How often each answer was given, over all histories: a property that never meets a case shows nothing about it.
#[derive(Debug, Default)]
struct Tally(Mutex<BTreeMap<Option<Kind>, u64>>);

impl Tally {
    fn count(&self, answer: Option<Kind>) {
        *self.0.lock().unwrap().entry(answer).or_default() += 1;
    }
}

fn variable(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

fn run(cases: u32, stream: u8, tally: &Tally) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 5_000,
        ..Config::default()
    };
    let mut seed = [stream; 32];
    seed[..4].copy_from_slice(&variable("ORDAIN_MODEL_SEED", 1).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    if let Err(error) = runner.run(&histories(), |history| live(&history, tally)) {
        panic!("{error}");
    }
}

/// Lives through a history, and says where consumer and model differ.
fn live(history: &[Op], tally: &Tally) -> Result<(), TestCaseError> {
    let mut world = World::new();
    let mut machine = Machine::default();
    let mut consumer = Consumer::new(world.pin());
    for (step, op) in history.iter().enumerate() {
        world.apply(op);
        let mut just_taken = None;
        match op {
            Op::Restart => consumer.restart(),
            Op::LoseLock => {
                machine.lose_lock();
                consumer.lose_lock();
            }
            Op::RestoreLock => {
                machine.restore_lock();
                consumer.restore_lock();
            }
            Op::LoseState => {
                machine.lose_state();
                consumer.lose_state();
            }
            Op::Pull => {
                let before = machine.clone();
                let expected = machine.pull(&world);
                let found = consumer.pull(&world);
                if world.is_flipped() {
                    // What one flipped bit does depends on where it fell. It may be harmless; it never helps.
                    if found.is_err() {
                        machine = before;
                    } else if found != expected {
                        return Err(differ(history, step, &expected, &found));
                    }
                } else if found != expected {
                    return Err(differ(history, step, &expected, &found));
                }
                tally.count(found.err());
                match found {
                    // Which signatures the flipped copy has left, nobody wrote down.
                    Ok(_) if world.is_flipped() => return Ok(()),
                    Ok(_) => {
                        world.was_pulled();
                        just_taken = machine.marks().lock;
                    }
                    Err(_) => {}
                }
            }
            _ => {}
        }
        if machine.marks() != consumer.marks() {
            return Err(differ(history, step, &machine.marks(), &consumer.marks()));
        }
        // What decides now: what was just taken does, and is not asked again.
        let is_asked = match op {
            Op::Pull => machine.marks().lock != just_taken,
            Op::Use => true,
            _ => false,
        };
        if is_asked && !world.is_flipped() {
            let (expected, found) = (machine.active(&world), consumer.active(&world));
            if expected != found {
                return Err(differ(history, step, &expected, &found));
            }
        }
    }
    Ok(())
}

fn differ(
    history: &[Op],
    step: usize,
    expected: &dyn std::fmt::Debug,
    found: &dyn std::fmt::Debug,
) -> TestCaseError {
    let op = &history[step];
    TestCaseError::fail(format!(
        "step {step}, {op:?}: the model says {expected:?}, the program {found:?}"
    ))
}

#[test]
fn random_histories_end_as_the_model_says() {
    let cases = variable("ORDAIN_MODEL_CASES", CASES);
    let tally = Tally::default();
    std::thread::scope(|scope| {
        for stream in 0..4 {
            let tally = &tally;
            scope.spawn(move || run(cases.div_ceil(4), stream, tally));
        }
    });
    let tally = tally.0.into_inner().unwrap();
    println!("{tally:?}");
    // Every answer that there is was given, and not once only.
    if cases >= CASES {
        for answer in std::iter::once(None).chain(Kind::ALL.into_iter().map(Some)) {
            let times = tally.get(&answer).copied().unwrap_or_default();
            assert!(times >= 30, "{answer:?}: {times} in {tally:?}");
        }
    }
}
