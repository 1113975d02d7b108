//! What conditions are judged by.

use std::sync::OnceLock;

use cel::common::value::Val;
use jiff::Timestamp;
use serde_json::Value;

use super::catalog::Memo;
use super::condition::{self, Purse};
use super::{Cell, Leaves, RequestPath, Risk, Seats, Sought, Stands};
use crate::json::Lazy;

/// A request and the time at which it is judged. Both are inputs: the same facts give the same answer everywhere.
#[derive(Debug)]
pub struct Facts<'a> {
    request: Asked<'a>,
    now: Timestamp,
    risk: Option<Risk>,
    leaves: Option<&'a Leaves>,
    purse: Purse,
    /// Few rules ask for these.
    rare: OnceLock<Box<Rare>>,
}

/// What is made when a condition first asks.
#[derive(Debug, Default)]
struct Rare {
    /// The time of the evaluation as a request would write it.
    time: OnceLock<Value>,
    memo: Memo,
    views: Views,
}

/// The parts of the request as conditions see them.
#[derive(Debug, Default)]
struct Views {
    subject: OnceLock<Box<dyn Val>>,
    action: OnceLock<Box<dyn Val>>,
    resource: OnceLock<Box<dyn Val>>,
    context: OnceLock<Box<dyn Val>>,
}

/// A request in its canonical form.
#[derive(Debug, Clone, Copy)]
enum Asked<'a> {
    Tree(&'a Value),
    Lazy(&'a Lazy),
}

/// A path goes on where no mapping stands, so that nobody knows what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked;

impl<'a> Facts<'a> {
    /// The facts of one evaluation; `request` is in its canonical form.
    #[must_use]
    pub fn new(request: &'a Value, now: Timestamp) -> Self {
        Self::of(Asked::Tree(request), now, None)
    }

    /// The same, of a request whose leaves are noted, and whose tree is built only when a rule asks for what they do not tell.
    #[must_use]
    #[inline]
    pub fn lazily(request: &'a Lazy, leaves: &'a Leaves, now: Timestamp) -> Self {
        Self::of(Asked::Lazy(request), now, Some(leaves))
    }

    #[inline]
    fn of(request: Asked<'a>, now: Timestamp, leaves: Option<&'a Leaves>) -> Self {
        Self {
            request,
            now,
            risk: None,
            leaves,
            purse: Purse::default(),
            rare: OnceLock::new(),
        }
    }

    /// The same, of an operation of this risk.
    #[must_use]
    pub fn with_risk(mut self, risk: Option<Risk>) -> Self {
        self.set_risk(risk);
        self
    }

    /// The risk of the operation that the request is for, where that is found out by these facts.
    pub fn set_risk(&mut self, risk: Option<Risk>) {
        self.risk = risk;
    }

    /// The risk of the operation, where a catalogue describes it.
    #[must_use]
    pub fn risk(&self) -> Option<Risk> {
        self.risk
    }

    /// The request in its canonical form.
    #[must_use]
    pub fn request(&self) -> &'a Value {
        match self.request {
            Asked::Tree(tree) => tree,
            Asked::Lazy(lazy) => lazy.tree(),
        }
    }

    /// The time of the evaluation.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    fn time(&self) -> &Value {
        self.rare()
            .time
            .get_or_init(|| Value::String(self.now.to_string()))
    }

    /// What was found out about the request so far.
    pub(super) fn memo(&self) -> &Memo {
        &self.rare().memo
    }

    /// What conditions may still spend on the request.
    pub(super) fn purse(&self) -> &Purse {
        &self.purse
    }

    /// The value at a path of the request, null being absent. Where the request gives no `context.time`, that is the time of
    /// the evaluation, so that a rule about the hour needs no help from whoever asks.
    ///
    /// # Errors
    /// [`Blocked`]: whoever asks chooses the types, and a mapping in a list must not pass for one that is not there.
    pub fn at(&self, path: &RequestPath) -> Result<Option<&Value>, Blocked> {
        let found = self.walk(path)?;
        Ok(found.or_else(|| path.iter().eq(["context", "time"]).then(|| self.time())))
    }

    /// What stands at a path, as far as that is known without walking there.
    #[must_use]
    pub fn stands(&self, path: &RequestPath) -> Stands<'a> {
        self.leaves.map_or(Stands::Else, |leaves| leaves.at(path))
    }

    /// The same for many paths at once.
    #[must_use]
    #[inline]
    pub fn seats<'s>(&self, sought: &'s Sought) -> Seats<'a, 's> {
        Seats::new(self.leaves, sought)
    }

    /// What stands in each of these cells, nearly.
    #[must_use]
    #[inline]
    pub fn marks<const N: usize>(&self, cells: &[Cell; N]) -> [u8; N] {
        self.leaves
            .map_or([u8::MAX; N], |leaves| leaves.marks(cells))
    }

    fn walk(&self, path: &[String]) -> Result<Option<&'a Value>, Blocked> {
        let mut at = self.request();
        for key in path {
            at = match at {
                Value::Object(members) => match members.get(key) {
                    Some(member) => member,
                    None => return Ok(None),
                },
                Value::Null => break,
                _ => return Err(Blocked),
            };
        }
        Ok(Some(at).filter(|value| !value.is_null()))
    }

    /// The part of the request with this name, as conditions see it.
    pub(super) fn view(&self, name: &str) -> Option<&dyn Val> {
        let views = &self.rare().views;
        let cell = match name {
            "subject" => &views.subject,
            "action" => &views.action,
            "resource" => &views.resource,
            "context" => &views.context,
            _ => return None,
        };
        Some(
            cell.get_or_init(|| condition::view(&self.part(name)))
                .as_ref(),
        )
    }

    /// A part of the request, with `context.time` as [`Self::at`] has it.
    fn part(&self, name: &str) -> Value {
        let mut part = self.request().get(name).cloned().unwrap_or_default();
        if let Some(context) = part.as_object_mut().filter(|_| name == "context")
            && context.get("time").is_none_or(Value::is_null)
        {
            context.insert("time".to_owned(), self.time().clone());
        }
        part
    }
}
