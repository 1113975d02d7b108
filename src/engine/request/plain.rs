//! Requests that need no tree: those in the AuthZEN form whose text is plain JSON ([`crate::json::Plain`]) and in Unicode form C.
//!
//! Such a request is its canonical form already, but for white space, the order of members and empty objects that were left out.
//! So names, leaves and fingerprint are read off its text, and the tree is built only when a rule asks for what is no leaf.
//!
//! INVARIANT: what is read here is equal to what the steps of [`super`] give, and nothing that they refuse is read: whatever is out
//! of the ordinary is left to them. A property test holds the two together.

use std::borrow::Cow;

use unicode_normalization::is_nfc;

use super::memory::Memory;
use super::{Form, Mapped, Request, forms, is_stable};
use crate::diag::is_hidden;
use crate::digest::Sha256Digest;
use crate::json::{Lazy, Node, Plain, Seen};
use crate::policy::{Leaves, Notes};

/// The names of a request: the type and id of the subject, the action's name, the type and id of the resource.
pub(super) type Names = [Node; 5];

/// The path of an object that may be left out.
type Path = &'static [&'static str];

const CONTEXT: Path = &["context"];

/// An entity's members.
struct Entity {
    kind: Option<Node>,
    /// The `id`, or the `name` of an action.
    id: Node,
    properties: Option<Node>,
}

/// A request in the AuthZEN form.
struct Parts {
    subject: Entity,
    action: Entity,
    resource: Entity,
    context: Option<Node>,
}

/// Reads a request in the memory of one before, if it needs no tree.
pub(super) fn read(bytes: &[u8], memory: &mut Memory) -> Option<Request> {
    let mut plain = memory.take();
    let read = plain
        .read_again(bytes)
        .and_then(|()| Read::of(&plain, memory.room()));
    let Some(read) = read else {
        memory.keep(plain);
        return None;
    };
    Some(Request {
        form: Form::Authzen,
        fingerprint: read.fingerprint,
        leaves: read.leaves,
        mapping: Cow::Borrowed(read.mapping),
        names: Some(read.names),
        attributes: Lazy::of(plain, read.filled),
    })
}

/// What is read off a request's text.
struct Read {
    fingerprint: Sha256Digest,
    leaves: Leaves,
    mapping: &'static [Mapped],
    names: Names,
    filled: Vec<Path>,
}

impl Read {
    /// `form` is memory for the canonical form, `notes` for leaves.
    fn of(plain: &Plain, (form, notes): (&mut Vec<u8>, &mut Notes)) -> Option<Self> {
        // Each part of a text in form C is in form C.
        if !plain.text().is_ascii() && !is_nfc(plain.text()) {
            return None;
        }
        let parts = Parts::of(plain)?;
        let names = parts.names()?;
        names
            .iter()
            .all(|name| plain.text_at(*name).is_some_and(is_name))
            .then_some(())?;
        let filled = parts.filled();
        let mapping: &[Mapped] = match parts.context {
            Some(_) => &forms::AUTHZEN_MAPPING,
            None => &forms::WITHOUT_CONTEXT_MAPPING,
        };
        Some(Self {
            fingerprint: parts.fingerprint(plain, &filled, form),
            leaves: Leaves::of_plain(plain, notes),
            mapping,
            names,
            filled,
        })
    }
}

/// Whether a text is certainly what a name must be: with something to see, and nothing hidden.
fn is_name(text: &str) -> bool {
    let is_shown =
        text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || !text.chars().any(is_hidden);
    is_shown && !text.trim().is_empty()
}

impl Parts {
    fn of(plain: &Plain) -> Option<Self> {
        let (mut subject, mut action, mut resource, mut context) = (None, None, None, None);
        let root = plain.root();
        if plain.see(root) != Seen::Object {
            return None;
        }
        for (name, node) in plain.members(root) {
            if plain.see(node) != Seen::Object {
                return None;
            }
            match name {
                "subject" => subject = Some(Entity::of(plain, node, "id")?),
                "action" => action = Some(Entity::of(plain, node, "name")?),
                "resource" => resource = Some(Entity::of(plain, node, "id")?),
                "context" => context = Some(node),
                _ => return None,
            }
        }
        let (subject, action, resource) = (subject?, action?, resource?);
        Some(Self {
            subject,
            action,
            resource,
            context,
        })
    }

    fn names(&self) -> Option<Names> {
        let Self {
            subject,
            action,
            resource,
            ..
        } = self;
        if action.kind.is_some() {
            return None;
        }
        Some([
            subject.kind?,
            subject.id,
            action.id,
            resource.kind?,
            resource.id,
        ])
    }

    /// The empty objects of the canonical form that were left out.
    fn filled(&self) -> Vec<Path> {
        const PROPERTIES: [Path; 3] = [
            &["subject", "properties"],
            &["action", "properties"],
            &["resource", "properties"],
        ];
        let entities = [&self.subject, &self.action, &self.resource];
        let mut filled: Vec<Path> = Vec::new();
        for (entity, path) in entities.into_iter().zip(PROPERTIES) {
            if entity.properties.is_none() {
                filled.push(path);
            }
        }
        if self.context.is_none() {
            filled.push(CONTEXT);
        }
        filled
    }

    /// SHA-256 of the RFC 8785 form without what is volatile.
    fn fingerprint(&self, plain: &Plain, filled: &[Path], form: &mut Vec<u8>) -> Sha256Digest {
        let mut context = self
            .context
            .into_iter()
            .flat_map(|node| plain.members(node));
        let is_all_stable = filled.is_empty() && context.all(|(name, _)| is_stable(name));
        match plain.canonical(plain.root()).filter(|_| is_all_stable) {
            Some(canonical) => Sha256Digest::of(canonical.as_bytes()),
            None => {
                self.write_stable(form, plain);
                Sha256Digest::of(form)
            }
        }
    }

    /// The four members and theirs, in the order of their names.
    fn write_stable(&self, out: &mut Vec<u8>, plain: &Plain) {
        // Each of four empty objects may be left out.
        out.reserve(plain.text().len() + 64);
        out.extend_from_slice(b"{\"action\":{\"name\":");
        plain.write(out, self.action.id);
        self.action.write_properties(out, plain);
        out.extend_from_slice(b"},\"context\":");
        match self.context {
            Some(context) => plain.write_members(out, context, is_stable),
            None => out.extend_from_slice(b"{}"),
        }
        for (name, entity) in [
            (&b",\"resource\":{\"id\":"[..], &self.resource),
            (b"},\"subject\":{\"id\":", &self.subject),
        ] {
            out.extend_from_slice(name);
            plain.write(out, entity.id);
            entity.write_properties(out, plain);
            if let Some(kind) = entity.kind {
                out.extend_from_slice(b",\"type\":");
                plain.write(out, kind);
            }
        }
        out.extend_from_slice(b"}}");
    }
}

impl Entity {
    /// The entity at `node`, whose member `id` is what it is called.
    fn of(plain: &Plain, node: Node, id: &str) -> Option<Self> {
        let (mut kind, mut called, mut properties) = (None, None, None);
        for (name, value) in plain.members(node) {
            match name {
                _ if name == id => called = Some(value),
                "type" => kind = Some(value),
                "properties" if plain.see(value) == Seen::Object => properties = Some(value),
                _ => return None,
            }
        }
        let id = called?;
        Some(Self {
            kind,
            id,
            properties,
        })
    }

    fn write_properties(&self, out: &mut Vec<u8>, plain: &Plain) {
        out.extend_from_slice(b",\"properties\":");
        match self.properties {
            Some(properties) => plain.write(out, properties),
            None => out.extend_from_slice(b"{}"),
        }
    }
}
