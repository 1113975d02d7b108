//! What is asked of each risk: the standard table, and what a catalogue makes of it.

use std::collections::BTreeMap;

use super::Arguments;
use crate::diag::Code;
use crate::policy::fields::{Fields, Report};
use crate::policy::{Effect, Risk};
use crate::yaml::Path;

/// The standard answers: with ordinary arguments, and with dangerous ones.
const STANDARD: [(Risk, Effect, Effect); 4] = [
    (Risk::Low, Effect::Allow, Effect::Audit),
    (Risk::Medium, Effect::Audit, Effect::RequireApproval),
    (Risk::High, Effect::Audit, Effect::RequireApproval),
    (
        Risk::Critical,
        Effect::RequireApproval,
        Effect::RequireApproval,
    ),
];

/// The answer to each risk.
///
/// INVARIANT: no answer is weaker than the standard's, than that to a lower risk, or, of dangerous arguments, than that to
/// ordinary ones. So a greater risk and another pattern never weaken an answer.
#[derive(Debug)]
pub(super) struct Table(BTreeMap<Risk, (Effect, Effect)>);

impl Table {
    pub(super) fn answer(&self, risk: Risk, arguments: Arguments) -> Effect {
        let (ordinary, dangerous) = self
            .0
            .get(&risk)
            .copied()
            .unwrap_or((Effect::Deny, Effect::Deny));
        match arguments {
            Arguments::Ordinary => ordinary,
            Arguments::Dangerous => dangerous,
        }
    }

    /// Reads the field `table`. An answer that is not given is the standard's, or that to a lower risk or to ordinary
    /// arguments where it is stricter.
    pub(super) fn read(fields: &mut Fields, report: &mut Report<'_>) -> Self {
        let path = fields.path("table");
        let given = fields.take("table").filter(|value| !value.is_null());
        let mut rows = given.and_then(|value| Fields::of(value, path.clone(), report));
        let mut answers = BTreeMap::new();
        let (mut least, mut least_dangerous) = (Effect::Allow, Effect::Allow);
        for (risk, ordinary, dangerous) in STANDARD {
            let row = rows.as_mut().and_then(|rows| {
                let path = rows.path(risk.as_str());
                let row = rows.take(risk.as_str()).filter(|value| !value.is_null())?;
                Fields::of(row, path, report)
            });
            let mut row = Row { row, report };
            least = row.answer("ordinary", risk, [(ordinary, STANDARDS), (least, LOWER)]);
            least_dangerous = row.answer(
                "dangerous",
                risk,
                [
                    (dangerous, STANDARDS),
                    (least_dangerous, LOWER),
                    (least, MILDER),
                ],
            );
            row.finish();
            answers.insert(risk, (least, least_dangerous));
        }
        if let Some(rows) = rows {
            rows.finish(report);
        }
        Self(answers)
    }
}

const STANDARDS: &str = "that of the standard table";
const LOWER: &str = "that to a lower risk";
const MILDER: &str = "that to ordinary arguments";

/// One risk's entry, where there is one.
struct Row<'report, 'spans> {
    row: Option<Fields>,
    report: &'report mut Report<'spans>,
}

impl Row<'_, '_> {
    /// The answer in `column`, at least as strict as each of `floors`.
    fn answer<const N: usize>(
        &mut self,
        column: &'static str,
        risk: Risk,
        floors: [(Effect, &str); N],
    ) -> Effect {
        let least = floors.iter().map(|(floor, _)| *floor).max();
        let least = least.unwrap_or(Effect::Deny);
        let row = self.row.as_mut();
        let given: Option<(Effect, Path)> = row.and_then(|row| {
            let given = row.optional(column, self.report)?;
            Some((given, row.path(column)))
        });
        let Some((given, path)) = given else {
            return least;
        };
        let Some((floor, whose)) = floors.iter().find(|(floor, _)| given < *floor) else {
            return given;
        };
        let message = format!(
            "the answer `{}` to {} risk with {column} arguments is weaker than {whose}, `{}`",
            given.as_str(),
            risk.as_str(),
            floor.as_str()
        );
        let hint = "a catalogue may only tighten the table; to permit more, give the operation a lower risk, or `override: any` for a waiver";
        self.report
            .problem(Code::CATALOG_TABLE, &path, message, hint);
        least
    }

    fn finish(self) {
        if let Some(row) = self.row {
            row.finish(self.report);
        }
    }
}
