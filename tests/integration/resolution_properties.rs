//! The invariants that resolution and evaluation keep, on random policies.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ordain::engine::request::Request;
use ordain::engine::{Engine, Origin, Outcome};
use ordain::policy::{Effect, Mode};
use ordain::resolve::{EffectivePolicy, LoadedBundle};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::support::naive::{Answer, Naive, Policies};
use super::support::policies::{NOW, many_bundles, one_bundle, policy, request, resolve};
use super::support::random::{ANY, OPERATORS, TIGHTEN, entry, policies, requests};

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn said(engine: &Engine, value: &Value) -> Answer {
    heard(engine, &request(value))
}

fn heard(engine: &Engine, request: &Request) -> Answer {
    let verdict = engine.evaluate(request, now());
    let layers = engine.policy().layers();
    let name = |origin: Origin| match origin {
        Origin::Rule(at) => {
            let rule = layers[at.layer()].rules.get(at.rule()).unwrap();
            Some(rule.written.name.to_string())
        }
        Origin::Default(_) | Origin::NoMatch => None,
    };
    Answer {
        effect: verdict.effect().as_str().to_owned(),
        rule: verdict.binding().and_then(|pick| name(pick.origin)),
        would: verdict.would().effect.as_str().to_owned(),
        would_rule: name(verdict.would().origin),
        audited: verdict.is_audited(),
    }
}

fn severity(effect: Effect) -> usize {
    match Outcome::from(effect) {
        Outcome::Allowed => 0,
        Outcome::Pending => 1,
        Outcome::Denied => 2,
    }
}

fn at(
    policies: &Policies,
    scope: &str,
    cap: Option<Mode>,
) -> Result<EffectivePolicy, TestCaseError> {
    resolve(&[one_bundle(policies)], scope, cap)
        .map_err(|_| TestCaseError::reject("an override is refused"))
}

/// What a run has seen.
#[derive(Debug, Default)]
struct Seen {
    pairs: usize,
    effects: BTreeMap<String, usize>,
    refused: usize,
    audited: usize,
    would_differ: usize,
    operators: BTreeSet<&'static str>,
}

impl Seen {
    fn note(&mut self, answer: &Answer) {
        self.pairs += 1;
        *self.effects.entry(answer.effect.clone()).or_default() += 1;
        self.audited += usize::from(answer.audited);
        self.would_differ += usize::from(answer.would != answer.effect);
    }

    fn and(mut self, other: Self) -> Self {
        self.pairs += other.pairs;
        self.refused += other.refused;
        self.audited += other.audited;
        self.would_differ += other.would_differ;
        self.operators.extend(other.operators);
        for (effect, count) in other.effects {
            *self.effects.entry(effect).or_default() += count;
        }
        self
    }
}

/// Holds the engine against the naive evaluator for the same policies, requests and cap.
fn compare(
    policies: &Policies,
    requests: &[&(Value, Request)],
    cap: &str,
    seen: &mut Seen,
) -> Result<(), TestCaseError> {
    let mode: Mode = serde_json::from_value(cap.into()).unwrap();
    let bundles = many_bundles(policies);
    for scope in ["acme", "acme/a/b"] {
        let naive = Naive::new(policies, scope, NOW, cap);
        match (resolve(&bundles, scope, Some(mode)), naive.resolve()) {
            (Ok(policy), Ok(naive)) => {
                let engine = Engine::new(policy);
                for (value, request) in requests {
                    let wanted = naive.answer(value);
                    prop_assert_eq!(&heard(&engine, request), &wanted, "{} {}", scope, value);
                    seen.note(&wanted);
                }
            }
            (Err(_), Err(_)) => seen.refused += 1,
            (Ok(_), Err(_)) => prop_assert!(false, "only the engine accepts {}", scope),
            (Err(problems), Ok(_)) => {
                prop_assert!(false, "only the engine refuses: {:?}", problems);
            }
        }
    }
    let text = serde_json::to_string(policies).unwrap();
    let named = OPERATORS
        .iter()
        .filter(|name| text.contains(&format!("\"{name}\":")));
    seen.operators.extend(named);
    Ok(())
}

/// The seeds of the runs: the same policies and requests every time, on any number of cores.
const SEEDS: std::ops::Range<u8> = 1..9;
/// Of one seed: organisations, and requests to choose from.
const CASES: u32 = 125;
const REQUESTS: usize = 400;

fn runner(seed: u8, cases: u32) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[seed; 16]);
    TestRunner::new_with_rng(ProptestConfig { cases, ..config() }, rng)
}

fn run(seed: u8) -> Seen {
    let mut runner = runner(seed, CASES);
    let pool: Vec<(Value, Request)> = (0..REQUESTS)
        .map(|_| requests().new_tree(&mut runner).unwrap().current())
        .map(|value| (value.clone(), request(&value)))
        .collect();
    let inputs = (
        policies(ANY),
        prop::collection::vec(0..REQUESTS, 76),
        select(vec!["enforce", "enforce", "warn", "audit-only"]),
    );
    let seen = RefCell::new(Seen::default());
    runner
        .run(&inputs, |(policies, chosen, cap)| {
            let requests: Vec<_> = chosen.into_iter().map(|index| &pool[index]).collect();
            compare(&policies, &requests, cap, &mut seen.borrow_mut())
        })
        .unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    seen.into_inner()
}

#[test]
fn a_naive_evaluator_agrees_on_a_hundred_thousand_pairs() {
    let seen = SEEDS
        .into_par_iter()
        .map(run)
        .reduce(Seen::default, Seen::and);
    assert!(seen.pairs >= 100_000, "{seen:?}");
    // What never happens is not tested.
    assert_eq!(seen.operators, OPERATORS.into_iter().collect(), "{seen:?}");
    for effect in ["allow", "require_approval", "deny"] {
        assert!(seen.effects[effect] > seen.pairs / 50, "{seen:?}");
    }
    let rare = [seen.effects["audit"], seen.audited, seen.would_differ];
    assert!(
        rare.iter().all(|count| *count > seen.pairs / 200) && seen.refused > 100,
        "{seen:?}"
    );
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 500,
        max_global_rejects: 40_000,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// Invariant 3.
    #[test]
    fn a_child_can_only_tighten(
        policies in policies(TIGHTEN),
        requests in prop::collection::vec(requests(), 8),
        cap in select(vec![None, Some(Mode::Warn)]),
    ) {
        let mut policies = policies;
        // Whatever would loosen is dropped, not refused: the rest must hold for every request.
        while let Err(problems) = resolve(&[one_bundle(&policies)], "acme/a/b", cap) {
            prop_assert!(!problems.is_empty());
            for policy in policies.values_mut() {
                policy["overrides"].as_array_mut().unwrap().pop();
            }
        }
        let [parent, child] = ["acme", "acme/a/b"].map(|scope| at(&policies, scope, cap).map(Engine::new));
        let (parent, child) = (parent?, child?);
        for value in &requests {
            let (before, after) = (parent.evaluate(&request(value), now()), child.evaluate(&request(value), now()));
            let silent = before.binding().is_some_and(|pick| pick.origin == Origin::NoMatch);
            prop_assert!(silent || severity(after.effect()) >= severity(before.effect()), "{}", value);
            let silent = before.would().origin == Origin::NoMatch;
            prop_assert!(silent || severity(after.would().effect) >= severity(before.would().effect), "{}", value);
        }
    }

    /// Invariant 5.
    #[test]
    fn the_same_inputs_give_the_same_answer(
        policies in policies(ANY),
        order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        request in requests(),
    ) {
        let sorted = many_bundles(&policies);
        let shuffled: Vec<LoadedBundle> = order.iter().filter_map(|index| sorted.get(*index).cloned()).collect();
        let results = [resolve(&sorted, "acme/a/b", None), resolve(&shuffled, "acme/a/b", None), resolve(&[one_bundle(&policies)], "acme/a/b", None)];
        match results {
            [Ok(sorted), Ok(shuffled), Ok(one)] => {
                prop_assert_eq!(serde_json::to_string(&sorted.view()).unwrap(), serde_json::to_string(&shuffled.view()).unwrap());
                prop_assert_eq!(sorted.digest(), one.digest());
                prop_assert_eq!(said(&Engine::new(sorted), &request), said(&Engine::new(one), &request));
            }
            [Err(sorted), Err(shuffled), Err(_)] => prop_assert_eq!(sorted, shuffled),
            _ => prop_assert!(false, "the order of bundles decides whether the policy resolves"),
        }
    }
}

/// Two policies of one condition: of a rule that permits, and of one that refuses.
struct Judges([Engine; 2]);

impl Judges {
    fn of(condition: &Value) -> Self {
        let judge = |effect: &str, default: &str| {
            let rule =
                json!({"id": "r", "effect": effect, "reason": "because", "match": condition});
            let policy = policy("acme", json!({"default": default, "rules": [rule]}));
            let bundle = one_bundle(&Policies::from([policy]));
            Engine::new(resolve(&[bundle], "acme", None).unwrap())
        };
        Self([judge("allow", "deny"), judge("deny", "allow")])
    }

    /// Whether the condition holds; none where the two rules see it differently.
    fn judge(&self, request: &Request) -> Option<bool> {
        let [permits, refuses] = &self.0;
        let permits = permits.evaluate(request, now()).effect() == Effect::Allow;
        let refuses = refuses.evaluate(request, now()).effect() == Effect::Deny;
        assert!(refuses || !permits, "what is permitted is not refused");
        (permits == refuses).then_some(permits)
    }
}

/// Invariant 4, for every operator: whoever permits by a condition or by its opposite knows that it holds.
#[test]
fn what_cannot_be_judged_never_permits() {
    let seen: RefCell<BTreeMap<String, BTreeSet<Option<bool>>>> = RefCell::default();
    let inputs = (entry(), prop::collection::vec(requests(), 10));
    runner(1, 700)
        .run(&inputs, |((path, condition), values)| {
            let judges = Judges::of(&json!({path: condition}));
            let opposite = Judges::of(&json!({"not": {path: condition}}));
            for value in &values {
                let request = request(value);
                let answer = judges.judge(&request);
                let denied = opposite.judge(&request).map(|holds| !holds);
                prop_assert_eq!(answer, denied, "{} {}", condition, value);
                if let Some(operators) = condition.as_object().filter(|all| all.len() == 1) {
                    let (name, _) = operators.iter().next().unwrap();
                    let mut seen = seen.borrow_mut();
                    seen.entry(name.clone()).or_default().insert(answer);
                }
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    let seen = seen.into_inner();
    for operator in OPERATORS {
        // Of a list of capabilities there is always an answer; of a path that something stands in the way of there is none.
        let answers = if operator == "missing_any" { 2 } else { 3 };
        assert_eq!(seen[operator].len(), answers, "{operator}: {seen:?}");
    }
}

/// Invariant 4, for conditions that meet a value they cannot judge.
#[test]
fn an_error_never_permits() {
    let failing = [
        json!({"gt": 1}),
        json!({"gte": 1}),
        json!({"lt": 1}),
        json!({"lte": 1}),
        json!({"not": {"gt": 1}}),
        json!({"prefix": "a"}),
        json!({"glob": "a*"}),
        json!({"contains": "a"}),
        json!({"contains_any": ["a"]}),
        json!({"contains_all": ["a"]}),
        json!({"suffix": "a"}),
        json!({"regex": "^"}),
        json!({"cidr": ["0.0.0.0/0", "::/0"]}),
        json!({"semver": "*"}),
        json!({"time_of_day": {"from": "00:00", "until": "12:00", "zone": "UTC"}}),
        json!({"weekday": {"in": "mon-sun", "zone": "UTC"}}),
        json!({"ref": "subject"}),
        json!({"not": {"ref": "subject.properties.n"}}),
        json!({"in": {"ref": "subject"}}),
        json!({"contains": {"ref": "subject"}}),
        json!({"gte": {"ref": "subject"}}),
    ];
    let request = json!({
        "subject": {"type": "user", "id": "a", "properties": {"n": {"not": "scalar"}}},
        "action": {"name": "x"},
        "resource": {"type": "stack", "id": "r"},
    });
    for condition in failing {
        for (effect, default, wanted) in [
            ("deny", "allow", "deny"),
            ("require_approval", "allow", "require_approval"),
            ("allow", "deny", "deny"),
            ("audit", "deny", "deny"),
        ] {
            let rule = json!({"id": "r", "effect": effect, "reason": "because", "match": {"subject.properties.n": condition}});
            let policies =
                Policies::from([policy("acme", json!({"default": default, "rules": [rule]}))]);
            let engine = Engine::new(resolve(&[one_bundle(&policies)], "acme", None).unwrap());
            assert_eq!(
                said(&engine, &request).effect,
                wanted,
                "{condition} {effect}"
            );
        }
    }
}
