//! Plain JSON, read without a tree.
//!
//! A text is plain where every value stands as RFC 8785 writes it: no escape, no number but integers of at most 15 digits, no
//! character from U+E000, and no key twice. White space and the order of members are free. Nearly all that programs write is plain.
//!
//! 1. One pass notes each value in a row of tokens, in the order of the text.
//! 2. An object whose members come in another order than RFC 8785's has the order of its members beside that. Equal keys show here.
//! 3. A list or object that needs no change in it is canonical, and is copied whole.
//!
//! What is not plain is not wrong: nothing is refused here, and [`super::parse`] says what is the matter, if anything is.
//!
//! INVARIANT: what is plain, `parse` takes, and it gives what [`Plain::tree`] gives. A property test holds the two together.

use std::ops::Range;

use serde_json::{Map, Value};

use super::MAX_DEPTH;

/// The most digits of an integer that is certainly within ±(2^53 − 1).
const DIGITS: usize = 15;
/// The first byte in UTF-8 of the characters that UTF-16 sorts otherwise than UTF-8: U+E000 and above.
pub(super) const FIRST_OUT_OF_ORDER: u8 = 0xee;
/// Bytes of a text for each token that is made room for.
const BYTES_OF_TOKEN: usize = 6;
/// Members that room is made for where they are out of order.
const ROOM: usize = 16;

/// A text that is plain JSON, and what stands where. The one by default is none: it is memory to read into.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plain {
    text: String,
    tokens: Vec<Token>,
    /// The keys' tokens of the objects that are out of order, as RFC 8785 has them.
    order: Vec<u32>,
}

/// A value of a [`Plain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node(u32);

/// What stands at a [`Node`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Seen<'a> {
    /// `null`.
    Null,
    /// A text.
    Text(&'a str),
    /// A number.
    Number(f64),
    /// A list.
    List,
    /// An object.
    Object,
    /// A boolean.
    Else,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    False,
    True,
    Integer,
    Text,
    /// The next token is a [`Kind::Reach`].
    List,
    /// The next token is a [`Kind::Reach`]; then come keys and values.
    Object,
    /// Not a value: `start` is the number of the first token behind the list or object, `end` where its members stand in
    /// [`Plain::order`].
    Reach,
}

#[derive(Debug, Clone, Copy)]
struct Token {
    kind: Kind,
    /// Whether the bytes of the text are the canonical form.
    is_canonical: bool,
    /// Its bytes in the text; those of a text are without the quotes.
    start: u32,
    end: u32,
}

/// No members in [`Plain::order`]: they stand in the text as they should.
const IN_ORDER: u32 = u32::MAX;
const NO_TOKEN: Token = Token {
    kind: Kind::Null,
    is_canonical: false,
    start: 0,
    end: 0,
};

impl Plain {
    /// Reads a text, if it is plain.
    #[cfg(test)]
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut plain = Self::default();
        plain.read_again(bytes)?;
        Some(plain)
    }

    /// Reads another text in the place of this one, in the same memory; what is left where it is not plain is good for reading again
    /// only.
    pub(crate) fn read_again(&mut self, bytes: &[u8]) -> Option<()> {
        let text = std::str::from_utf8(bytes).ok()?;
        u32::try_from(bytes.len()).ok()?;
        let is_in_order = |so_far, byte: &u8| so_far & (*byte < FIRST_OUT_OF_ORDER);
        if !bytes.iter().fold(true, is_in_order) {
            return None;
        }
        let Self { tokens, order, .. } = self;
        tokens.clear();
        tokens.reserve(bytes.len() / BYTES_OF_TOKEN);
        order.clear();
        let mut reader = Reader {
            bytes,
            at: 0,
            changes: 0,
            tokens,
            order,
        };
        reader.space();
        reader.value(0)?;
        reader.space();
        let is_all = reader.at == bytes.len();
        self.text.clear();
        self.text.push_str(text);
        is_all.then_some(())
    }

    /// Bytes of memory that it holds.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity()
            + self.tokens.capacity() * size_of::<Token>()
            + self.order.capacity() * size_of::<u32>()
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The value that the text is.
    pub(crate) fn root(&self) -> Node {
        Node(0)
    }

    /// What stands at `node`.
    pub(crate) fn see(&self, node: Node) -> Seen<'_> {
        let token = self.token(node.0);
        match token.kind {
            Kind::Null => Seen::Null,
            Kind::Text => Seen::Text(self.slice(token)),
            Kind::Integer => Seen::Number(self.integer(token)),
            Kind::List => Seen::List,
            Kind::Object => Seen::Object,
            _ => Seen::Else,
        }
    }

    /// The text at `node`, if it is one.
    pub(crate) fn text_at(&self, node: Node) -> Option<&str> {
        match self.see(node) {
            Seen::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The members of the object at `node`, in the order of the text; none for anything else.
    pub(crate) fn members(&self, node: Node) -> impl Iterator<Item = (&str, Node)> {
        let mut inside = match self.token(node.0).kind {
            Kind::Object => self.inside(node.0),
            _ => 0..0,
        };
        std::iter::from_fn(move || {
            let key = inside.next()?;
            inside.start = self.after(key + 1);
            Some((self.slice(self.token(key)), Node(key + 1)))
        })
    }

    /// The items of the list at `node`; none for anything else.
    pub(crate) fn items(&self, node: Node) -> impl Iterator<Item = Node> {
        let mut inside = match self.token(node.0).kind {
            Kind::List => self.inside(node.0),
            _ => 0..0,
        };
        std::iter::from_fn(move || {
            let item = inside.next()?;
            inside.start = self.after(item);
            Some(Node(item))
        })
    }

    /// The RFC 8785 form of the value at `node`, if it is what stands in the text.
    pub(crate) fn canonical(&self, node: Node) -> Option<&str> {
        let token = self.token(node.0);
        token.is_canonical.then(|| self.slice(token))
    }

    /// The member whose name is the token `key`, if it stands in the text as RFC 8785 has it.
    fn canonical_member(&self, key: u32) -> Option<&str> {
        let (name, value) = (self.token(key), self.token(key + 1));
        let quote = u32::from(value.kind == Kind::Text);
        // Between a name and its value there are a quote and a colon at least.
        let is_tight = value.start - quote == name.end + 2;
        let start = (name.start as usize).checked_sub(1)?;
        let range = start..(value.end + quote) as usize;
        self.text
            .get(range)
            .filter(|_| is_tight && value.is_canonical)
    }

    /// Writes the RFC 8785 form of the value at `node` to the end of `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>, node: Node) {
        let token = self.token(node.0);
        match token.kind {
            Kind::Text => self.write_text(out, token),
            _ if token.is_canonical => out.extend_from_slice(self.slice(token).as_bytes()),
            Kind::Object => self.write_members(out, node, |_| true),
            _ => {
                let mut next = b'[';
                for item in self.items(node) {
                    out.push(std::mem::replace(&mut next, b','));
                    self.write(out, item);
                }
                if next == b'[' {
                    out.push(next);
                }
                out.push(b']');
            }
        }
    }

    /// Writes the RFC 8785 form of an object of those members of the one at `node` that `keep` keeps.
    pub(crate) fn write_members(&self, out: &mut Vec<u8>, node: Node, keep: impl Fn(&str) -> bool) {
        let mut next = b'{';
        let mut write = |key: u32| {
            let name = self.token(key);
            if keep(self.slice(name)) {
                out.push(std::mem::replace(&mut next, b','));
                if let Some(member) = self.canonical_member(key) {
                    out.extend_from_slice(member.as_bytes());
                    return;
                }
                self.write_text(out, name);
                out.push(b':');
                self.write(out, Node(key + 1));
            }
        };
        match self.sorted(node.0) {
            Some(keys) => keys.iter().copied().for_each(write),
            None => {
                let mut inside = self.inside(node.0);
                while let Some(key) = inside.next() {
                    inside.start = self.after(key + 1);
                    write(key);
                }
            }
        }
        if next == b'{' {
            out.push(next);
        }
        out.push(b'}');
    }

    /// The value at `node` as a tree.
    pub(crate) fn tree(&self, node: Node) -> Value {
        let token = self.token(node.0);
        match token.kind {
            Kind::Null | Kind::Reach => Value::Null,
            Kind::False => Value::Bool(false),
            Kind::True => Value::Bool(true),
            // INVARIANT: so few digits always fit.
            Kind::Integer => Value::from(self.slice(token).parse::<i64>().unwrap_or_default()),
            Kind::Text => Value::String(self.slice(token).to_owned()),
            Kind::List => Value::Array(self.items(node).map(|item| self.tree(item)).collect()),
            Kind::Object => {
                let members = self.members(node);
                let members = members.map(|(name, value)| (name.to_owned(), self.tree(value)));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    fn write_text(&self, out: &mut Vec<u8>, token: Token) {
        out.push(b'"');
        out.extend_from_slice(self.slice(token).as_bytes());
        out.push(b'"');
    }

    fn token(&self, number: u32) -> Token {
        let token = self.tokens.get(number as usize);
        token.copied().unwrap_or(NO_TOKEN)
    }

    fn integer(&self, token: Token) -> f64 {
        let number: i64 = self.slice(token).parse().unwrap_or_default();
        // INVARIANT: a double holds so few digits exactly.
        number as f64
    }

    fn slice(&self, token: Token) -> &str {
        let range = token.start as usize..token.end as usize;
        self.text.get(range).unwrap_or_default()
    }

    /// The tokens of what a list or object holds.
    fn inside(&self, number: u32) -> Range<u32> {
        number + 2..self.token(number + 1).start
    }

    /// The number of the first token behind a value.
    fn after(&self, number: u32) -> u32 {
        match self.token(number).kind {
            Kind::List | Kind::Object => self.token(number + 1).start,
            _ => number + 1,
        }
    }

    /// The keys of an object that is out of order, as they should come.
    fn sorted(&self, number: u32) -> Option<&[u32]> {
        let start = self.token(number + 1).end;
        let inside = self.inside(number);
        let mut count = 0;
        let mut at = inside.start;
        if start == IN_ORDER {
            return None;
        }
        while at < inside.end {
            at = self.after(at + 1);
            count += 1;
        }
        self.order.get(start as usize..start as usize + count)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What the canonical form has otherwise, so far: white space, and objects out of order.
    changes: usize,
    tokens: &'a mut Vec<Token>,
    order: &'a mut Vec<u32>,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.bytes.get(self.at)? {
            b'"' => self.text(),
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'-' | b'0'..=b'9' => self.integer(),
            b't' => self.word(b"true", Kind::True),
            b'f' => self.word(b"false", Kind::False),
            b'n' => self.word(b"null", Kind::Null),
            _ => None,
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
            self.changes += 1;
        }
    }

    /// The next byte, which is behind the reader then.
    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Option<()> {
        let start = self.at;
        self.bytes.get(start..)?.starts_with(word).then_some(())?;
        self.at += word.len();
        self.note(kind, start, self.at)
    }

    fn integer(&mut self) -> Option<()> {
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        let digits = rest.strip_prefix(b"-").unwrap_or(rest);
        let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
        let is_padded = digits.first() == Some(&b'0') && (count > 1 || digits.len() < rest.len());
        let goes_on = matches!(digits.get(count), Some(b'.' | b'e' | b'E'));
        if count == 0 || count > DIGITS || is_padded || goes_on {
            return None;
        }
        self.at += rest.len() - digits.len() + count;
        self.note(Kind::Integer, start, self.at)
    }

    fn text(&mut self) -> Option<()> {
        let start = self.at + 1;
        let length = until_quote(self.bytes.get(start..)?)?;
        self.at = start + length + 1;
        self.note(Kind::Text, start, start + length)
    }

    fn list(&mut self, depth: usize) -> Option<()> {
        let (number, start, changes) = self.open(Kind::List, depth)?;
        if self.bytes.get(self.at) == Some(&b']') {
            self.at += 1;
        } else {
            loop {
                self.value(depth + 1)?;
                self.space();
                match self.next()? {
                    b',' => self.space(),
                    b']' => break,
                    _ => return None,
                }
            }
        }
        self.close(number, start, IN_ORDER, changes)
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        let (number, start, changes) = self.open(Kind::Object, depth)?;
        let mut order = IN_ORDER;
        if self.bytes.get(self.at) == Some(&b'}') {
            self.at += 1;
        } else {
            let mut last = None;
            let mut is_in_order = true;
            loop {
                if self.bytes.get(self.at) != Some(&b'"') {
                    return None;
                }
                let key = self.at + 1;
                self.text()?;
                let key = self.bytes.get(key..self.at - 1)?;
                is_in_order &= last.is_none_or(|last| last < key);
                last = Some(key);
                self.space();
                if self.next()? != b':' {
                    return None;
                }
                self.space();
                self.value(depth + 1)?;
                self.space();
                match self.next()? {
                    b',' => self.space(),
                    b'}' => break,
                    _ => return None,
                }
            }
            if !is_in_order {
                order = self.sort(number)?;
                self.changes += 1;
            }
        }
        self.close(number, start, order, changes)
    }

    /// Begins a list or object: the number of its token, where it begins, and the changes before it.
    fn open(&mut self, kind: Kind, depth: usize) -> Option<(usize, usize, usize)> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let opened = (self.tokens.len(), self.at, self.changes);
        self.note(kind, 0, 0)?;
        self.note(Kind::Reach, 0, 0)?;
        self.at += 1;
        self.space();
        Some(opened)
    }

    fn close(&mut self, number: usize, start: usize, order: u32, changes: usize) -> Option<()> {
        let after = u32::try_from(self.tokens.len()).ok()?;
        let end = u32::try_from(self.at).ok()?;
        let token = self.tokens.get_mut(number)?;
        token.is_canonical = self.changes == changes;
        token.start = u32::try_from(start).ok()?;
        token.end = end;
        let reach = self.tokens.get_mut(number + 1)?;
        reach.start = after;
        reach.end = order;
        Some(())
    }

    /// Notes the order of an object's members: where it stands. None where a key stands twice.
    fn sort(&mut self, number: usize) -> Option<u32> {
        let start = self.order.len();
        self.order.reserve(ROOM);
        let mut at = number + 2;
        while let Some(value) = self.tokens.get(at + 1) {
            self.order.push(u32::try_from(at).ok()?);
            at = match value.kind {
                Kind::List | Kind::Object => self.tokens.get(at + 2)?.start as usize,
                _ => at + 2,
            };
        }
        let (bytes, tokens) = (self.bytes, &*self.tokens);
        let key = |number: &u32| {
            let token = tokens.get(*number as usize).unwrap_or(&NO_TOKEN);
            bytes.get(token.start as usize..token.end as usize)
        };
        let keys = self.order.get_mut(start..)?;
        keys.sort_unstable_by_key(key);
        let is_twice = keys.windows(2).any(|pair| match pair {
            [a, b] => key(a) == key(b),
            _ => false,
        });
        (!is_twice).then_some(u32::try_from(start).ok()?)
    }

    fn note(&mut self, kind: Kind, start: usize, end: usize) -> Option<()> {
        self.tokens.push(Token {
            kind,
            is_canonical: true,
            start: u32::try_from(start).ok()?,
            end: u32::try_from(end).ok()?,
        });
        Some(())
    }
}

/// How many bytes come before the quote that ends a text; none where it does not end, or has what must be escaped.
fn until_quote(bytes: &[u8]) -> Option<usize> {
    first_special(bytes).filter(|at| bytes.get(*at) == Some(&b'"'))
}

/// Where the first byte is that does not stand for itself in a text: a quote, a backslash or a control character.
pub(crate) fn first_special(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let found = specials(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(8 * number + (found.trailing_zeros() / 8) as usize);
        }
    }
    let is_special = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\');
    let at = rest.iter().position(is_special)?;
    Some(bytes.len() - rest.len() + at)
}

/// The highest bit of the first byte of `word`, in little-endian order, that is a quote, a backslash or a control character.
/// Bits above it may be set for nothing.
fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHEST: u64 = ONES << 7;
    // A byte below `least` borrows from its highest bit, which it did not have.
    let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word & HIGHEST;
    let quote = below(word ^ (ONES * u64::from(b'"')), 1);
    let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
    below(word, 0x20) | quote | backslash
}

#[cfg(test)]
mod tests;
