//! Policies that were kept, written otherwise by whoever knows the digests.

use serde_json::{Value, json};

use crate::fuzz_smoke::entry::compiled as fuzzed;
use crate::support::checkout;

/// A kept policy, to be written otherwise by whoever knows the digests.
struct Forged {
    head: Value,
    body: Vec<u8>,
    /// What stands last in the body.
    whole: Value,
}

impl Forged {
    /// Of the rules of all kinds.
    fn new() -> Self {
        let path = checkout().join("fuzz/corpus/compiled/good-all-kinds");
        let seed = std::fs::read(path).unwrap();
        let end = seed.iter().position(|byte| *byte == b'\n').unwrap();
        let head: Value = serde_json::from_slice(&seed[..end]).unwrap();
        let mut body = seed[end + 1..].to_vec();
        let whole = body.split_off(place(&head["whole"]));
        let whole = serde_json::from_slice(&whole).unwrap();
        Self { head, body, whole }
    }

    fn input(&self) -> Vec<u8> {
        let Self { head, body, whole } = self;
        let mut head = head.clone();
        let whole = whole.to_string();
        head["whole"]["items"] = whole.len().into();
        head["body"] = (body.len() + whole.len()).into();
        [head.to_string().as_bytes(), b"\n", body, whole.as_bytes()].concat()
    }

    /// Where what is asked of rules ends.
    fn end_of_asks(&self) -> usize {
        place(&self.whole["asks"]) + number(&self.whole["asks"]["items"])
    }

    /// Where this bucket of all stands.
    fn bucket(&self, position: usize) -> usize {
        place(&self.whole["buckets"]) + position * 8
    }

    /// Has all buckets begin at a lead.
    fn start_all_at(&mut self, lead: u8) {
        for position in 0..=32 {
            let at = self.bucket(position);
            self.body[at] = lead;
        }
    }
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn place(section: &Value) -> usize {
    number(&section["at"])
}

/// A change, and its name.
type Forgery = (&'static str, fn(&mut Forged));

/// What one request does not touch, each with one defect.
const FORGERIES: [Forgery; 20] = [
    ("asks that end within a rule", |all| {
        let items = &mut all.whole["asks"]["items"];
        *items = (number(items) - 2).into();
    }),
    ("a rule that there is not", |all| {
        let at = all.end_of_asks() - 6;
        all.body[at] = 7;
    }),
    ("rules in another order", |all| {
        let at = place(&all.whole["asks"]);
        assert_eq!((all.body[at], all.body[at + 36]), (0, 1));
        all.body.swap(at, at + 36);
    }),
    ("another kind of ask", |all| {
        let at = place(&all.whole["asks"]) + 8;
        all.body[at] = 9;
    }),
    ("a form that nobody asks for", |all| {
        all.whole["forms"]
            .as_array_mut()
            .unwrap()
            .push("a*b*".into());
    }),
    ("a form that is too long", |all| {
        all.whole["forms"][0] = format!("a*b*{}", "c".repeat(1_021)).into();
    }),
    ("rules beyond the last bucket", |all| all.start_all_at(0)),
    ("a bucket that ends before it begins", |all| {
        let at = all.bucket(31);
        assert_eq!(all.body[at], 1);
        all.body[at] = 0;
    }),
    ("rules before the first bucket", |all| all.start_all_at(1)),
    ("a bucket less", |all| {
        let items = &mut all.whole["buckets"]["items"];
        *items = (number(items) - 2).into();
    }),
    ("a bucket more", |all| {
        let items = &mut all.whole["buckets"]["items"];
        *items = (number(items) + 2).into();
    }),
    ("words that are no set", |all| {
        all.whole["known"][0] = json!({"at": 0, "items": 3});
    }),
    ("what is known read again and again", |all| {
        for known in all.whole["known"].as_array_mut().unwrap() {
            *known = json!({"at": 0, "items": 256});
        }
    }),
    ("a slot less", |all| {
        all.whole["known"].as_array_mut().unwrap().pop();
    }),
    ("a slot of no path", |all| {
        let paths = all.whole["paths"].as_array_mut().unwrap();
        let zone = paths.iter_mut().find(|path| path[1] == "zone");
        zone.unwrap()[1] = "zones".into();
    }),
    ("a head less", |all| {
        let items = &mut all.head["heads"]["items"];
        *items = (number(items) - 1).into();
    }),
    ("no head", |all| {
        let at = place(&all.head["heads"]);
        all.body[at] |= 0x80;
    }),
    ("a head of no mode", |all| {
        let at = place(&all.head["heads"]);
        all.body[at] |= 3;
    }),
    ("a rule of the layer that is not there", |all| {
        all.head["policy"]["layers"][0]["rules"] = 8.into();
    }),
    ("one rule found twice", |all| {
        let at = place(&all.head["tables"]["always"]);
        all.body.copy_within(at + 4..at + 8, at + 20);
    }),
];

/// SECURITY: what stands there for the whole alone is looked at, too, though who wrote it knew the digests.
#[test]
fn a_whole_that_does_not_fit_decides_nothing() {
    let now = fuzzed::NOW.parse().unwrap();
    let whole = |input: &[u8]| fuzzed::open(input).unwrap().whole(&[fuzzed::bundle()]);
    assert!(whole(&Forged::new().input()).is_some());
    for (name, forge) in FORGERIES {
        let mut forged = Forged::new();
        forge(&mut forged);
        let input = forged.input();
        assert!(whole(&input).is_none(), "{name}");
        let mut kept = fuzzed::open(&input).unwrap();
        for request in fuzzed::requests() {
            let one = kept.engine(&request, now, &[fuzzed::bundle()]);
            assert!(one.is_some(), "{name}");
        }
    }
    // Who has one request might not meet the rule of no layer.
    let mut forged = Forged::new();
    forged.head["policy"]["layers"][0]["rules"] = 6.into();
    assert!(whole(&forged.input()).is_none());
}

/// As a rule is long that is read for one request.
#[test]
fn a_rule_is_no_longer_than_it_may_be() {
    let whole = |more: usize| {
        let mut forged = Forged::new();
        let end = place(&forged.head["offsets"]) + 4 * 7;
        let start = forged.body[end - 4..end].try_into().unwrap();
        let length = u32::from_le_bytes(start) as usize + (1 << 20) + more;
        let bytes = u32::try_from(length).unwrap().to_le_bytes();
        forged.body[end..end + 4].copy_from_slice(&bytes);
        forged.body.resize(length, b' ');
        forged.head["whole"]["at"] = length.into();
        let mut kept = fuzzed::open(&forged.input()).unwrap();
        kept.whole(&[fuzzed::bundle()]).is_some()
    };
    assert!(whole(0));
    assert!(!whole(1));
}

/// SECURITY: a rule that was kept and cannot be made denies where it may have denied, and permits nothing.
#[test]
fn a_rule_that_cannot_be_made_again_never_permits() {
    let path = checkout().join("fuzz/corpus/compiled/good-all-kinds");
    let seed = std::fs::read(path).unwrap();
    let asked = fuzzed::requests().next().unwrap();
    let decision = |broken: Option<&str>| {
        let mut input = seed.clone();
        if let Some(rule) = broken {
            let written = format!("{{\"written\":{{\"id\":\"{rule}\"");
            let mut found = input.windows(written.len());
            let at = found.position(|bytes| bytes == written.as_bytes());
            input[at.unwrap() + 2] = b'x';
        }
        let mut kept = fuzzed::open(&input).unwrap();
        let engine = kept.whole(&[fuzzed::bundle()]).unwrap();
        let decision = fuzzed::decided(&engine, &asked);
        let rules = decision["matched"].as_array().unwrap().iter();
        let rules: Vec<&str> = rules.map(|rule| rule["rule"].as_str().unwrap()).collect();
        (
            decision["effect"].as_str().unwrap().to_owned(),
            rules.join(" "),
        )
    };
    for (broken, effect, matched) in [
        (None, "audit", "acme#r0 acme#r6"),
        // It might have held.
        (Some("r4"), "deny", "acme#r0 acme#r6"),
        (Some("r5"), "require_approval", "acme#r0 acme#r6"),
        (Some("r6"), "audit", "acme#r0"),
        // The index alone says that it matches, or that it does not.
        (Some("r0"), "audit", "acme#r6"),
        (Some("r1"), "audit", "acme#r0 acme#r6"),
    ] {
        assert_eq!(
            decision(broken),
            (effect.to_owned(), matched.to_owned()),
            "{broken:?}"
        );
    }
}
