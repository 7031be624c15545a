//! The machine: opcodes in, values out.

use super::{
    error::{PickleError, PickleFault},
    limits::Limits,
    opcodes as op,
    reader::Reader,
    value::{EMPTY, Id, NOT_KEPT, Node, Object, Pickle, Span, Value},
};
use crate::checkpoint::source::Section;

/// Values that are the same in every pickle.
const NONE: Id = Id(0);
const TRUE: Id = Id(1);
const FALSE: Id = Id(2);
const EMPTY_TUPLE: Id = Id(3);
/// Longer bytes are the data of an array; they stay where they are.
const KEPT_BYTES: usize = 4096;

/// Reads the pickle at the start of `source`, which is a slice or a part of a file. What lies behind its STOP is left
/// alone ([`Pickle::end`]), and long bytes are passed over ([`Value::Blob`]).
///
/// # Errors
/// The first opcode that is damaged, refused or past a limit.
pub fn parse<'a>(source: impl Into<Section<'a>>, limits: Limits) -> Result<Pickle<'a>, PickleError> {
    let section: Section<'a> = source.into();
    let nodes = vec![Node::None, Node::Bool(true), Node::Bool(false), Node::Tuple(Span { start: 0, len: 0 })];
    let pickle = Pickle {
        section,
        borrowed: section.in_memory(),
        kept: Vec::new(),
        nodes,
        children: Vec::new(),
        lists: Vec::new(),
        dicts: Vec::new(),
        objects: Vec::new(),
        texts: Vec::new(),
        root: NONE,
        end: 0,
    };
    let mut machine = Machine {
        pickle,
        reader: Reader::new(section),
        limits,
        position: 0,
        frame_end: None,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
    };
    let mut at = 0;
    let result = machine.run(&mut at);
    result.map_err(|fault| PickleError { at, fault })?;
    Ok(machine.pickle)
}

struct Machine<'a> {
    pickle: Pickle<'a>,
    reader: Reader<'a>,
    limits: Limits,
    position: usize,
    frame_end: Option<usize>,
    stack: Vec<Id>,
    /// Heights of the stack at which marks stand.
    marks: Vec<usize>,
    memo: Vec<Option<Id>>,
}

pub(super) type Step<T = ()> = Result<T, PickleFault>;

impl<'a> Machine<'a> {
    fn run(&mut self, at: &mut usize) -> Step {
        // Positions are kept in 32 bits.
        if u32::try_from(self.pickle.section.len()).is_err() {
            return Err(PickleFault::TooMany { what: "bytes", limit: u32::MAX as usize });
        }
        for _ in 0..self.limits.opcodes {
            *at = self.position;
            let opcode = self.byte()?;
            if opcode == op::STOP {
                self.pickle.root = self.pop()?;
                self.pickle.end = self.position;
                return Ok(());
            }
            self.step(opcode)?;
        }
        Err(PickleFault::TooMany { what: "opcodes", limit: self.limits.opcodes })
    }

    fn step(&mut self, opcode: u8) -> Step {
        match opcode {
            op::PROTO => match self.byte()? {
                0..=5 => Ok(()),
                other => Err(PickleFault::Protocol(other)),
            },
            op::FRAME => self.frame(),
            op::MARK => {
                within(self.marks.len(), self.limits.marks, "nested marks")?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::POP => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                    return Ok(());
                }
                self.pop().map(drop)
            }
            op::POP_MARK => {
                let height = self.mark()?;
                self.stack.truncate(height);
                Ok(())
            }
            op::DUP => {
                let top = self.top()?;
                self.push(top)
            }
            op::NONE => self.push(NONE),
            op::NEWTRUE => self.push(TRUE),
            op::NEWFALSE => self.push(FALSE),
            op::EMPTY_TUPLE => self.push(EMPTY_TUPLE),
            op::BININT | op::BININT1 | op::BININT2 | op::INT | op::LONG | op::LONG1 | op::LONG4 => self.integer(opcode),
            op::FLOAT => {
                let text = self.number()?;
                let value = text.trim().parse().map_err(|_| PickleFault::Number)?;
                self.push_new(Node::Float(value))
            }
            op::BINFLOAT => {
                let value = f64::from_be_bytes(self.array()?);
                self.push_new(Node::Float(value))
            }
            op::STRING | op::UNICODE | op::BINSTRING | op::SHORT_BINSTRING => self.old_string(opcode),
            op::SHORT_BINUNICODE | op::BINUNICODE | op::BINUNICODE8 => {
                let length = self.length(opcode == op::SHORT_BINUNICODE, opcode == op::BINUNICODE8)?;
                let span = self.take(length)?;
                let span = self.keep_text(span)?;
                self.push_new(Node::Str(span))
            }
            op::SHORT_BINBYTES | op::BINBYTES | op::BINBYTES8 | op::BYTEARRAY8 => {
                let length = self.length(opcode == op::SHORT_BINBYTES, opcode != op::BINBYTES)?;
                let span = self.take(length)?;
                let kept = if length <= KEPT_BYTES { self.keep(span)? } else { Span { start: NOT_KEPT, ..span } };
                self.push_new(Node::Bytes(span.start, kept))
            }
            op::EMPTY_LIST => self.push_new(Node::List(EMPTY)),
            op::EMPTY_DICT => self.push_new(Node::Dict(EMPTY)),
            op::EMPTY_SET => self.push_new(Node::Set(EMPTY)),
            op::TUPLE => {
                let height = self.mark()?;
                self.tuple(height)
            }
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let height = self.height_below(usize::from(opcode - op::TUPLE1) + 1)?;
                self.tuple(height)
            }
            op::LIST | op::FROZENSET => {
                let height = self.mark()?;
                let items = self.stack.split_off(height);
                let index = self.new_list(items)?;
                self.push_new(if opcode == op::LIST { Node::List(index) } else { Node::Set(index) })
            }
            op::DICT => {
                let height = self.mark()?;
                let items = self.stack.split_off(height);
                self.push_new(Node::Dict(EMPTY))?;
                self.set_items("DICT", &items)
            }
            op::APPEND => {
                let item = self.pop()?;
                self.append("APPEND", &[item])
            }
            op::APPENDS | op::ADDITEMS => {
                let height = self.mark()?;
                let items = self.stack.split_off(height);
                self.append(if opcode == op::APPENDS { "APPENDS" } else { "ADDITEMS" }, &items)
            }
            op::SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items("SETITEM", &[key, value])
            }
            op::SETITEMS => {
                let height = self.mark()?;
                let items = self.stack.split_off(height);
                self.set_items("SETITEMS", &items)
            }
            op::GET | op::BINGET | op::LONG_BINGET => {
                let index = self.memo_index(opcode == op::GET, opcode == op::LONG_BINGET)?;
                let id = self.memo.get(index as usize).copied().flatten().ok_or(PickleFault::MissingMemo(index))?;
                self.push(id)
            }
            op::PUT | op::BINPUT | op::LONG_BINPUT => {
                let index = self.memo_index(opcode == op::PUT, opcode == op::LONG_BINPUT)?;
                self.memoize(index as usize)
            }
            op::MEMOIZE => self.memoize(self.memo.len()),
            op::GLOBAL => {
                let module = self.text_line()?;
                let name = self.text_line()?;
                let module = self.new_node(Node::Str(module))?;
                let name = self.new_node(Node::Str(name))?;
                self.push_new(Node::Global(module, name))
            }
            op::STACK_GLOBAL => {
                let name = self.pop()?;
                let module = self.pop()?;
                for id in [module, name] {
                    let value = self.pickle.value(id);
                    if !matches!(value, Value::Str(_)) {
                        return Err(PickleFault::Type { opcode: "STACK_GLOBAL", found: value.kind() });
                    }
                }
                self.push_new(Node::Global(module, name))
            }
            op::REDUCE | op::NEWOBJ => self.object(if opcode == op::REDUCE { "REDUCE" } else { "NEWOBJ" }),
            op::BUILD => self.build(),
            op::PERSID => {
                let line = self.text_line()?;
                let id = self.new_node(Node::Str(line))?;
                self.push_new(Node::Persistent(id))
            }
            op::BINPERSID => {
                let id = self.pop()?;
                self.push_new(Node::Persistent(id))
            }
            op::INST => Err(PickleFault::Refused("INST")),
            op::OBJ => Err(PickleFault::Refused("OBJ")),
            op::NEWOBJ_EX => Err(PickleFault::Refused("NEWOBJ_EX")),
            op::EXT1 | op::EXT2 | op::EXT4 => Err(PickleFault::Refused("EXT")),
            op::NEXT_BUFFER | op::READONLY_BUFFER => Err(PickleFault::Refused("NEXT_BUFFER")),
            other => Err(PickleFault::UnknownOpcode(other)),
        }
    }

    fn frame(&mut self) -> Step {
        let length = u64::from_le_bytes(self.array()?);
        if self.frame_end.is_some_and(|end| self.position < end) {
            return Err(PickleFault::Frame);
        }
        let end = usize::try_from(length).ok().and_then(|length| self.position.checked_add(length));
        let end = end.filter(|end| *end <= self.pickle.section.len()).ok_or(PickleFault::Frame)?;
        self.frame_end = Some(end);
        Ok(())
    }

    fn integer(&mut self, opcode: u8) -> Step {
        let value = match opcode {
            op::BININT => i64::from(i32::from_le_bytes(self.array()?)),
            op::BININT1 => i64::from(self.byte()?),
            op::BININT2 => i64::from(u16::from_le_bytes(self.array()?)),
            op::LONG1 | op::LONG4 => {
                let length = if opcode == op::LONG1 {
                    usize::from(self.byte()?)
                } else {
                    usize::try_from(i32::from_le_bytes(self.array()?)).map_err(|_| PickleFault::Length)?
                };
                let span = self.take(length)?;
                let span = self.keep(span)?;
                let bytes = self.pickle.bytes(span);
                if bytes.len() > 8 {
                    return self.push_new(Node::Long(span));
                }
                let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
                let mut full = if negative { [0xff; 8] } else { [0; 8] };
                full.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                i64::from_le_bytes(full)
            }
            _ => {
                let text = self.number()?;
                match (opcode, text.as_str()) {
                    (op::INT, "00") => return self.push(FALSE),
                    (op::INT, "01") => return self.push(TRUE),
                    (op::LONG, text) => text.strip_suffix('L').unwrap_or(text).parse(),
                    (_, text) => text.parse(),
                }
                .map_err(|_| PickleFault::Number)?
            }
        };
        self.push_new(Node::Int(value))
    }

    /// The strings of protocols 0 to 2.
    fn old_string(&mut self, opcode: u8) -> Step {
        let span = match opcode {
            op::BINSTRING => {
                let length = usize::try_from(i32::from_le_bytes(self.array()?)).map_err(|_| PickleFault::Length)?;
                self.take(length)?
            }
            op::SHORT_BINSTRING => {
                let length = usize::from(self.byte()?);
                self.take(length)?
            }
            _ => self.line()?,
        };
        let at = span.start;
        let span = self.keep(span)?;
        let bytes = self.pickle.bytes(span);
        match opcode {
            op::UNICODE => {
                let text = std::str::from_utf8(bytes).map_err(|_| PickleFault::Utf8)?;
                if !text.contains('\\') {
                    return self.push_new(Node::Str(span));
                }
                let text = unescape(text).ok_or(PickleFault::Utf8)?;
                let index = self.pickle.texts.len() as u32;
                self.pickle.texts.push(text);
                self.push_new(Node::Text(index))
            }
            op::STRING => {
                let quoted = bytes.len() >= 2 && bytes.first() == bytes.last() && matches!(bytes[0], b'\'' | b'"');
                // Python 2 escapes in byte strings; model files have none in their names.
                if !quoted || bytes.contains(&b'\\') || !bytes.is_ascii() {
                    return Err(PickleFault::Refused("STRING with escapes"));
                }
                self.push_new(Node::Str(Span { start: span.start + 1, len: span.len - 2 }))
            }
            // Python 2 had one type for texts and bytes.
            _ if bytes.is_ascii() => self.push_new(Node::Str(span)),
            _ => self.push_new(Node::Bytes(at, span)),
        }
    }

    fn object(&mut self, opcode: &'static str) -> Step {
        let args = self.pop()?;
        let callable = self.pop()?;
        match (self.pickle.value(callable), self.pickle.value(args)) {
            (Value::Global { .. }, Value::Tuple(_)) => {}
            (Value::Global { .. }, other) | (other, _) => {
                return Err(PickleFault::Type { opcode, found: other.kind() });
            }
        }
        let index = self.pickle.objects.len() as u32;
        self.pickle.objects.push(Object { callable, args, state: None, items: EMPTY, pairs: EMPTY });
        self.push_new(Node::Object(index))
    }

    fn build(&mut self) -> Step {
        let state = self.pop()?;
        let target = self.top()?;
        if let Some(Node::Object(index)) = self.pickle.nodes.get(target.0 as usize)
            && let Some(object) = self.pickle.objects.get_mut(*index as usize)
        {
            object.state = Some(state);
            return Ok(());
        }
        Err(PickleFault::Type { opcode: "BUILD", found: self.pickle.value(target).kind() })
    }

    fn append(&mut self, opcode: &'static str, items: &[Id]) -> Step {
        let target = self.top()?;
        let pickle = &mut self.pickle;
        let wrong = PickleFault::Type { opcode, found: pickle.value(target).kind() };
        let slot = match pickle.nodes.get_mut(target.0 as usize) {
            Some(Node::List(index) | Node::Set(index)) => index,
            Some(Node::Object(index)) => match pickle.objects.get_mut(*index as usize) {
                Some(object) => &mut object.items,
                None => return Err(wrong),
            },
            _ => return Err(wrong),
        };
        if items.is_empty() {
            return Ok(());
        }
        if *slot == EMPTY {
            *slot = pickle.lists.len() as u32;
            pickle.lists.push(Vec::new());
        }
        if let Some(list) = pickle.lists.get_mut(*slot as usize) {
            within(list.len() + items.len(), self.limits.values, "elements of a list")?;
            list.extend_from_slice(items);
        }
        Ok(())
    }

    fn set_items(&mut self, opcode: &'static str, items: &[Id]) -> Step {
        let target = self.top()?;
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(PickleFault::OddItems);
        }
        let pickle = &mut self.pickle;
        for [key, _] in pairs {
            if matches!(pickle.value(*key), Value::List(_) | Value::Dict(_) | Value::Set(_)) {
                return Err(PickleFault::Unhashable);
            }
        }
        let wrong = PickleFault::Type { opcode, found: pickle.value(target).kind() };
        let slot = match pickle.nodes.get_mut(target.0 as usize) {
            Some(Node::Dict(index)) => index,
            Some(Node::Object(index)) => match pickle.objects.get_mut(*index as usize) {
                Some(object) => &mut object.pairs,
                None => return Err(wrong),
            },
            _ => return Err(wrong),
        };
        if pairs.is_empty() {
            return Ok(());
        }
        if *slot == EMPTY {
            *slot = pickle.dicts.len() as u32;
            pickle.dicts.push(Vec::new());
        }
        if let Some(dict) = pickle.dicts.get_mut(*slot as usize) {
            within(dict.len() + pairs.len(), self.limits.values, "entries of a dictionary")?;
            dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        }
        Ok(())
    }

    fn tuple(&mut self, height: usize) -> Step {
        if height == self.stack.len() {
            return self.push(EMPTY_TUPLE);
        }
        let span = Span { start: self.pickle.children.len() as u32, len: (self.stack.len() - height) as u32 };
        within(self.pickle.children.len() + span.len as usize, 2 * self.limits.values, "elements of tuples")?;
        self.pickle.children.extend(self.stack.drain(height..));
        self.push_new(Node::Tuple(span))
    }

    fn new_list(&mut self, items: Vec<Id>) -> Step<u32> {
        if items.is_empty() {
            return Ok(EMPTY);
        }
        let index = self.pickle.lists.len() as u32;
        self.pickle.lists.push(items);
        Ok(index)
    }

    fn new_node(&mut self, node: Node) -> Step<Id> {
        within(self.pickle.nodes.len(), self.limits.values, "values")?;
        let id = Id(self.pickle.nodes.len() as u32);
        self.pickle.nodes.push(node);
        Ok(id)
    }

    fn push_new(&mut self, node: Node) -> Step {
        let id = self.new_node(node)?;
        self.push(id)
    }

    fn push(&mut self, id: Id) -> Step {
        within(self.stack.len(), self.limits.stack, "values on the stack")?;
        self.stack.push(id);
        Ok(())
    }

    fn top(&self) -> Step<Id> {
        self.height_below(1)?;
        self.stack.last().copied().ok_or(PickleFault::EmptyStack)
    }

    fn pop(&mut self) -> Step<Id> {
        self.height_below(1)?;
        self.stack.pop().ok_or(PickleFault::EmptyStack)
    }

    /// Height of the stack without its top `count` values, which must all lie above the last mark.
    fn height_below(&self, count: usize) -> Step<usize> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack.len().checked_sub(count).filter(|height| *height >= floor).ok_or(PickleFault::EmptyStack)
    }

    fn mark(&mut self) -> Step<usize> {
        self.marks.pop().ok_or(PickleFault::NoMark)
    }

    fn memoize(&mut self, index: usize) -> Step {
        let top = self.top()?;
        within(index, self.limits.stack, "memo entries")?;
        if index >= self.memo.len() {
            self.memo.resize(index + 1, None);
        }
        if let Some(entry) = self.memo.get_mut(index) {
            *entry = Some(top);
        }
        Ok(())
    }

    fn memo_index(&mut self, text: bool, long: bool) -> Step<u32> {
        if text {
            return self.number()?.parse().map_err(|_| PickleFault::Number);
        }
        if long { Ok(u32::from_le_bytes(self.array()?)) } else { self.byte().map(u32::from) }
    }

    /// A length of 1, 4 or 8 bytes.
    fn length(&mut self, short: bool, long: bool) -> Step<usize> {
        if short {
            self.byte().map(usize::from)
        } else if long {
            usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| PickleFault::Length)
        } else {
            Ok(u32::from_le_bytes(self.array()?) as usize)
        }
    }

    fn byte(&mut self) -> Step<u8> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let span = self.take(N)?;
        let mut bytes = [0; N];
        self.reader.read(span.start as usize, &mut bytes)?;
        Ok(bytes)
    }

    /// The next `length` bytes, which must not reach across the end of a frame.
    fn take(&mut self, length: usize) -> Step<Span> {
        let end = self.position.checked_add(length).ok_or(PickleFault::Length)?;
        if end > self.pickle.section.len() {
            return Err(if length > 8 { PickleFault::Length } else { PickleFault::End });
        }
        if self.frame_end.is_some_and(|frame_end| self.position < frame_end && end > frame_end) {
            return Err(PickleFault::Frame);
        }
        let span = Span { start: self.position as u32, len: length as u32 };
        self.position = end;
        Ok(span)
    }

    /// The rest of the line, without its end.
    fn line(&mut self) -> Step<Span> {
        let length = self.reader.line_length(self.position)?;
        let span = self.take(length + 1)?;
        Ok(Span { len: span.len - 1, ..span })
    }

    fn text_line(&mut self) -> Step<Span> {
        let span = self.line()?;
        self.keep_text(span)
    }

    fn number(&mut self) -> Step<String> {
        let span = self.line()?;
        if span.len as usize > self.limits.digits {
            return Err(PickleFault::Number);
        }
        let mut digits = vec![0; span.len as usize];
        self.reader.read(span.start as usize, &mut digits)?;
        String::from_utf8(digits).map_err(|_| PickleFault::Number)
    }

    /// Keeps a part of the source as long as the pickle; in memory it is there anyway.
    fn keep(&mut self, span: Span) -> Step<Span> {
        let Pickle { borrowed: None, kept, .. } = &mut self.pickle else { return Ok(span) };
        let start = kept.len();
        within(start + span.len as usize, self.limits.kept, "bytes of text")?;
        kept.resize(start + span.len as usize, 0);
        self.reader.read(span.start as usize, kept.get_mut(start..).unwrap_or_default())?;
        Ok(Span { start: start as u32, ..span })
    }

    fn keep_text(&mut self, span: Span) -> Step<Span> {
        let span = self.keep(span)?;
        std::str::from_utf8(self.pickle.bytes(span)).map_err(|_| PickleFault::Utf8)?;
        Ok(span)
    }
}

fn within(count: usize, limit: usize, what: &'static str) -> Step {
    if count < limit { Ok(()) } else { Err(PickleFault::TooMany { what, limit }) }
}

/// Python's `raw-unicode-escape`: `\uXXXX` and `\UXXXXXXXX`.
fn unescape(text: &str) -> Option<String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find('\\') {
        result.push_str(rest.get(..position)?);
        let escape = rest.get(position + 1..)?;
        let digits = match escape.as_bytes().first() {
            Some(b'u') => 4,
            Some(b'U') => 8,
            _ => return None,
        };
        let code = u32::from_str_radix(escape.get(1..1 + digits)?, 16).ok()?;
        result.push(char::from_u32(code)?);
        rest = escape.get(1 + digits..)?;
    }
    result.push_str(rest);
    Some(result)
}
