//! The tree of scopes: as text, for Graphviz, and as a picture.

use std::collections::HashMap;
use std::fmt::Write as _;

use clap::ValueEnum;

use crate::cli::report::Failure;
use crate::cli::ui::{Output, counted};
use crate::name::Scope;
use crate::policy::Effect;
use crate::resolve::{ChangeKind, OverrideView, Said, ScopeNode, ScopeTree};

/// A format for the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
}

/// Writes the tree.
pub(crate) fn write(out: &mut Output, format: Format, tree: &ScopeTree) -> Result<(), Failure> {
    let rows = rows(tree);
    let text = match format {
        Format::Text => text(&rows),
        Format::Dot => dot(&rows),
        Format::Svg => svg(&rows),
    };
    out.raw(text.as_bytes())
}

/// A scope and how deep it stands, in the order of drawing.
struct Row<'a> {
    node: &'a ScopeNode,
    depth: usize,
}

/// Every scope behind the one above it.
fn rows(tree: &ScopeTree) -> Vec<Row<'_>> {
    let mut below: HashMap<Option<&Scope>, Vec<&ScopeNode>> = HashMap::new();
    for node in tree.nodes.iter().rev() {
        below.entry(node.parent.as_ref()).or_default().push(node);
    }
    let mut rows = Vec::with_capacity(tree.nodes.len());
    let mut open: Vec<(&ScopeNode, usize)> = Vec::new();
    open.extend(
        below
            .get(&None)
            .into_iter()
            .flatten()
            .map(|node| (*node, 0)),
    );
    while let Some((node, depth)) = open.pop() {
        rows.push(Row { node, depth });
        let children = below.get(&Some(&node.scope)).into_iter().flatten();
        open.extend(children.map(|node| (*node, depth + 1)));
    }
    rows
}

fn facts(said: &Said) -> String {
    let default = said.default.map_or("abstain", Effect::as_str);
    let mode = said.mode.as_str();
    let rules = counted(said.rules, "rule");
    format!(
        "{rules}, default {default}, mode {mode}, bundle {}",
        said.bundle
    )
}

/// The lines below a scope's name.
fn details(node: &ScopeNode) -> Vec<String> {
    let Some(said) = &node.defined else {
        return vec!["no bundle defines it".to_owned()];
    };
    let packs = said.extends.iter().map(|pack| format!("extends {pack}"));
    let changes = said.overrides.iter().map(|change| {
        let view = change.view();
        let until = view.expires.map(|expires| format!(" until {expires}"));
        format!(
            "{} {}{}{}",
            change.kind.as_str(),
            view.rule,
            asks(&view),
            until.unwrap_or_default()
        )
    });
    packs.chain(changes).collect()
}

/// What an override asks for, in words that begin with a space: nothing where it gives another reason alone.
pub(crate) fn asks(change: &OverrideView<'_>) -> String {
    let effect = change
        .effect
        .map(|effect| format!(" to {}", effect.as_str()));
    let disabled = change.disable.then(|| " disabled".to_owned());
    let mode = change
        .mode
        .map(|mode| format!(" in mode {}", mode.as_str()));
    let precedence = change
        .precedence
        .map(|precedence| format!(" at precedence {precedence}"));
    let words = [effect, disabled, mode, precedence];
    words.into_iter().flatten().collect()
}

fn text(rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for row in rows {
        let indent = "  ".repeat(row.depth);
        let said = row.node.defined.as_ref().map(facts);
        let said = said.map(|said| format!("  {said}")).unwrap_or_default();
        let _ = writeln!(text, "{indent}{}{said}", row.node.scope);
        for line in details(row.node) {
            let _ = writeln!(text, "{indent}    {line}");
        }
    }
    text
}

/// Names hold no character that Graphviz would mind, and are quoted all the same.
fn dot(rows: &[Row<'_>]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let quoted = |scope: &Scope| format!("\"{}\"", escaped(scope.as_str()));
    let mut text = String::from("digraph scopes {\n  node [shape=box, fontname=\"monospace\"];\n");
    for Row { node, .. } in rows {
        let name = quoted(&node.scope);
        let mut lines = vec![node.scope.to_string()];
        lines.extend(node.defined.as_ref().map(facts));
        lines.extend(details(node));
        let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
        let style = match &node.defined {
            None => ", style=dashed",
            Some(said) if is_waiving(said) => ", color=\"#b00020\"",
            Some(_) => "",
        };
        let _ = writeln!(
            text,
            "  {name} [label=\"{}\\l\"{style}];",
            lines.join("\\l")
        );
        if let Some(parent) = &node.parent {
            let _ = writeln!(text, "  {} -> {name};", quoted(parent));
        }
        for pack in node.defined.iter().flat_map(|said| &said.extends) {
            let pack = quoted(pack);
            let _ = writeln!(
                text,
                "  {pack} -> {name} [style=dashed, label=\"extends\"];"
            );
        }
    }
    text.push_str("}\n");
    text
}

fn is_waiving(said: &Said) -> bool {
    said.overrides
        .iter()
        .any(|change| change.kind == ChangeKind::Loosens)
}

/// Lengths in pixels.
const LINE: usize = 18;
const PADDING: usize = 8;
const GAP: usize = 14;
const INDENT: usize = 36;
/// The width of a character, for a monospaced font of 12 pixels: no reader's font is known here.
const CHARACTER: usize = 8;

/// A box for each scope, one below the other, a line from each to the one above it, a dashed one to each pack.
fn svg(rows: &[Row<'_>]) -> String {
    let mut boxes = String::new();
    let mut lines = String::new();
    let mut places: HashMap<&Scope, (usize, usize)> = HashMap::new();
    let (mut top, mut width) = (GAP, 0);
    for Row { node, depth } in rows {
        let left = GAP + depth * INDENT;
        let mut texts = vec![node.scope.to_string()];
        texts.extend(node.defined.as_ref().map(facts));
        texts.extend(details(node));
        let longest = texts.iter().map(|text| text.chars().count()).max();
        let box_width = longest.unwrap_or(0) * CHARACTER + 2 * PADDING;
        let box_height = texts.len() * LINE + PADDING;
        let class = match &node.defined {
            None => "gap",
            Some(said) if is_waiving(said) => "waiver",
            Some(_) => "scope",
        };
        let _ = writeln!(
            boxes,
            "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{box_width}\" height=\"{box_height}\" rx=\"4\"/>"
        );
        for (number, line) in texts.iter().enumerate() {
            let (x, y) = (left + PADDING, top + (number + 1) * LINE - 4);
            let class = if number == 0 { " class=\"name\"" } else { "" };
            let line = escaped(line);
            let _ = writeln!(boxes, "<text{class} x=\"{x}\" y=\"{y}\">{line}</text>");
        }
        places.insert(&node.scope, (left, top));
        width = width.max(left + box_width);
        top += box_height + GAP;
    }
    for Row { node, .. } in rows {
        let packs = node.defined.iter().flat_map(|said| &said.extends);
        let above = node.parent.iter().map(|parent| (parent, "tree"));
        for (upper, class) in above.chain(packs.map(|pack| (pack, "pack"))) {
            if let (Some((from_x, from_y)), Some((x, y))) =
                (places.get(upper), places.get(&node.scope))
            {
                let (from_x, from_y, y) = (from_x + PADDING, from_y + LINE, y + LINE / 2);
                let _ = writeln!(
                    lines,
                    "<path class=\"{class}\" d=\"M{from_x} {from_y}V{y}H{x}\"/>"
                );
            }
        }
    }
    let width = width + GAP;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{top}\" viewBox=\"0 0 {width} {top}\">\n<style>\
         text{{font:12px monospace}}.name{{font-weight:bold}}rect{{fill:#fff;stroke:#444}}.gap{{stroke-dasharray:4}}\
         .waiver{{stroke:#b00020;stroke-width:2}}path{{fill:none;stroke:#888}}.pack{{stroke-dasharray:4}}</style>\n{lines}{boxes}</svg>\n"
    )
}

/// Text for an element of XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
