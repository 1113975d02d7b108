//! What conditions are judged by.

use jiff::Timestamp;
use serde_json::Value;

use super::Risk;
use super::catalog::Memo;

/// A request and the time at which it is judged. Both are inputs: the same facts give the same answer everywhere.
#[derive(Debug)]
pub struct Facts<'a> {
    request: &'a Value,
    now: Timestamp,
    /// `now` as a request would write it.
    time: Value,
    risk: Option<Risk>,
    memo: Memo,
}

impl<'a> Facts<'a> {
    /// The facts of one evaluation; `request` is in its canonical form.
    #[must_use]
    pub fn new(request: &'a Value, now: Timestamp) -> Self {
        let time = Value::String(now.to_string());
        Self {
            request,
            now,
            time,
            risk: None,
            memo: Memo::default(),
        }
    }

    /// The same, of an operation of this risk.
    #[must_use]
    pub fn with_risk(self, risk: Option<Risk>) -> Self {
        Self { risk, ..self }
    }

    /// The risk of the operation, where a catalogue describes it.
    #[must_use]
    pub fn risk(&self) -> Option<Risk> {
        self.risk
    }

    /// The request in its canonical form.
    #[must_use]
    pub fn request(&self) -> &'a Value {
        self.request
    }

    /// The time of the evaluation.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What was found out about the request so far.
    pub(super) fn memo(&self) -> &Memo {
        &self.memo
    }

    /// The value at a path of the request, null being absent. Where the request gives no `context.time`, that is the time of
    /// the evaluation, so that a rule about the hour needs no help from whoever asks.
    pub(super) fn at(&self, path: &[String]) -> Option<&Value> {
        let found = path
            .iter()
            .try_fold(self.request, |value, key| value.get(key))
            .filter(|value| !value.is_null());
        found.or_else(|| path.iter().eq(["context", "time"]).then_some(&self.time))
    }
}
