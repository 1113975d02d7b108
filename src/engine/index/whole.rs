//! An index in bytes that are read at once, for whoever has many requests to decide.
//!
//! [`flat`](super::flat) has most of it. Here stands what only an index in memory has: all buckets, what is known of each slot, and
//! what is asked of each rule, as they lie there.

use serde::{Deserialize, Serialize};

use super::asks::{Asks, Place};
use super::flat::{ReadRange, Section, Tables};
use super::known::Known;
use super::table::{Always, Bucket, Lead, Table};
use super::{Index, RuleNumber, Shape, Slot};
use crate::policy::{KeptForm, Order, RequestPath, Sought};

/// What an index has besides its tables, and where in a body of bytes it stands.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::engine) struct Whole {
    /// The paths that are asked about, by their numbers.
    paths: Vec<Vec<String>>,
    /// What is known of each slot, in words of eight bytes.
    known: Vec<Option<Section>>,
    /// How many of the slots are looked up.
    looked_up: usize,
    /// Of each bucket its start and what is known of it.
    buckets: Section,
    asks: Section,
    forms: Vec<String>,
    orders: Vec<Order>,
}

impl Index {
    /// Writes at the end of `body` what the tables have not.
    pub(in crate::engine) fn store_whole(&self, body: &mut Vec<u8>) -> Whole {
        let known = self.slots.iter().map(|slot| {
            let words = slot.known.as_ref()?.words().iter();
            Some(Section::of_items(
                words.map(|word| word.to_le_bytes()),
                body,
            ))
        });
        let known = known.collect();
        let buckets = self.table.buckets().iter();
        let buckets = buckets.flat_map(|Bucket { start, known }| [*start, *known]);
        let buckets: Vec<u32> = buckets.collect();
        let paths = self.sought.paths().iter().map(|path| path.to_vec());
        let (asks, forms, orders) = self.asks.parts();
        Whole {
            paths: paths.collect(),
            known,
            looked_up: self.looked_up,
            buckets: Section::of_numbers(&buckets, body),
            asks: Section::of_items(asks.iter().map(|byte| [*byte]), body),
            forms: forms.iter().map(KeptForm::pattern).collect(),
            orders: orders.to_vec(),
        }
    }
}

impl Tables {
    /// The index of so many rules that was written; none where something does not fit.
    pub(in crate::engine) fn whole(
        &self,
        whole: &Whole,
        rules: usize,
        read: &mut ReadRange<'_>,
    ) -> Option<Index> {
        let forms = whole.forms.iter().map(|pattern| KeptForm::new(pattern));
        let forms = forms.collect::<Option<_>>()?;
        let asks = whole.asks.all_bytes(read)?;
        let (asks, placed) = Asks::of_parts(asks, forms, whole.orders.clone())?;
        let mut places = vec![None; rules];
        for (number, place) in placed {
            *places.get_mut(number as usize)? = Some(place);
        }
        let place = |number: &RuleNumber| *places.get(*number as usize)?;
        let in_memory = |lead: &Lead<RuleNumber>| {
            Some(Lead {
                half: lead.half,
                rule: place(&lead.rule)?,
                marks: lead.marks,
            })
        };
        let mut leads = Vec::new();
        let mut entries = Vec::with_capacity(self.shapes.len());
        let mut listed = Vec::with_capacity(self.shapes.len());
        for shape in &self.shapes {
            let own = shape.all_leads(read)?;
            entries.push(own.len());
            for lead in &own {
                leads.push(in_memory(lead)?);
            }
            let rules = shape.all_rules(read)?;
            listed.push(rules.iter().map(place).collect::<Option<Vec<Place>>>()?);
        }
        let buckets = whole.buckets.all_numbers(read)?;
        let buckets = buckets.as_chunks().0.iter();
        let buckets = buckets.map(|[start, known]| Bucket {
            start: *start,
            known: *known,
        });
        let (table, buckets) = Table::of_parts(buckets.collect(), leads, &entries)?;
        let shapes = self.shapes.iter().zip(buckets).zip(listed);
        let shapes = shapes.map(|((shape, buckets), rules)| Shape {
            slots: shape.slots,
            buckets,
            rules,
        });
        let always = self.always(read)?;
        // SECURITY: no rule stands twice.
        always
            .is_sorted_by(|one, next| one.rule < next.rule)
            .then_some(())?;
        let always = always.iter().map(in_memory);
        let always = always.map(|lead| lead.map(|lead| (lead.marks, lead.rule)));
        let always = always.collect::<Option<Vec<_>>>()?;
        (self.slots.len() == whole.known.len()).then_some(())?;
        let mut slots = Vec::with_capacity(self.slots.len());
        for (slot, known) in self.slots.iter().zip(&whole.known) {
            let known = match known {
                Some(known) => Some(Known::of_words(known.all_words(read)?)?),
                None => None,
            };
            let path = whole.paths.iter().position(|path| *path == slot.path)?;
            slots.push(Slot {
                known,
                ..slot.clone().at(path)
            });
        }
        Some(Index {
            lanes: self.lanes(),
            sought: Sought::new(whole.paths.iter().cloned().map(RequestPath::new)),
            asks,
            slots,
            looked_up: whole.looked_up,
            shapes: shapes.collect(),
            table,
            always: Always::new(always),
        })
    }
}
