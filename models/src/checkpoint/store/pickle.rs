//! Reads a pickle of tensors. It runs nothing: the names that it may refer to are few
//! ([`Global`]), and each of them is one that this file knows the meaning of.
//!
//! Pickle is the language of a machine with a stack; its instructions are those of Python's
//! `pickletools`, and the ones here are what `torch.save` writes in protocols 2 to 5, with
//! numbers and texts of protocol 0 beside them so that code in one is refused by its name.

use std::collections::HashMap;
use std::rc::Rc;

use super::objects::{Global, Id, Object, Objects};

/// The most instructions of one pickle, and of references that they copy: 45 000 tensors take
/// about so many. Each instruction takes a few bytes of memory at most, so this bounds both.
const MOST_STEPS: usize = 1 << 21;
/// A longer text names nothing.
const LONGEST_NAME: usize = 1 << 12;

/// Reads the pickle at the start of `bytes`, and says how many bytes it took.
pub(super) fn read(bytes: &[u8]) -> Result<(Objects, usize), String> {
    let mut machine = Machine {
        bytes,
        at: 0,
        all: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        steps: 0,
    };
    while machine.step()? {}
    let root = machine.pop()?;
    let objects = Objects {
        all: machine.all,
        root,
    };
    Ok((objects, machine.at))
}

/// The machine that a pickle is a program for.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    /// Bytes taken so far.
    at: usize,
    pub(super) all: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack at the marks that are open.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Instructions taken and references copied so far.
    steps: usize,
}

/// What an instruction gives, or why the pickle is refused.
pub(super) type Step<T> = Result<T, String>;

/// The reason where instructions do not fit together.
pub(super) fn broken() -> String {
    "not a whole pickle; download the file again".into()
}

impl Machine<'_> {
    /// Takes one instruction; false after the last.
    fn step(&mut self) -> Step<bool> {
        self.spend(1)?;
        match self.byte()? {
            b'.' => return Ok(false),
            // Protocol, frame: how the rest is written.
            0x80 => drop(self.byte()?),
            0x95 => drop(self.take(8)?),
            // Values.
            b'N' => self.push(Object::Other),
            0x88 => self.push(Object::Bool(true)),
            0x89 => self.push(Object::Bool(false)),
            b'K' => self.integer(1, false)?,
            b'M' => self.integer(2, false)?,
            b'J' => self.integer(4, true)?,
            0x8a => {
                let length = self.byte()?;
                self.integer(length.into(), true)?;
            }
            b'G' => self.other(8)?,
            b'U' | 0x8c => self.text(1)?,
            b'T' | b'X' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => self.bytes(1)?,
            b'B' => self.bytes(4)?,
            0x8e | 0x96 => self.bytes(8)?,
            // The same as lines.
            b'I' | b'L' | b'F' | b'S' => {
                self.line()?;
                self.push(Object::Other);
            }
            b'V' => {
                let text = self.line()?;
                self.push(Object::Text(text));
            }
            // Collections.
            b'}' => self.push(Object::Dict(Vec::new())),
            b']' | 0x8f => self.push(Object::List(Vec::new())),
            b')' => self.push(Object::Tuple(Vec::new())),
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b'(' => self.marks.push(self.stack.len()),
            b't' => {
                let items = self.since_mark()?;
                self.push(Object::Tuple(items));
            }
            b'l' | 0x91 => {
                let items = self.since_mark()?;
                self.push(Object::List(items));
            }
            b'd' => {
                let items = self.since_mark()?;
                self.push(Object::Dict(pairs(&items)?));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.extend_list(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(vec![(key, value)])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.extend_dict(pairs(&items)?)?;
            }
            // The stack and the memo.
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'q' => self.memoize(1)?,
            b'r' => self.memoize(4)?,
            0x94 => {
                let top = self.top()?;
                self.memo.insert(self.memo.len() as u64, top);
            }
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            b'p' => {
                let number = self.line()?.parse().map_err(|_| broken())?;
                let top = self.top()?;
                self.memo.insert(number, top);
            }
            b'g' => {
                let number = self.line()?.parse().map_err(|_| broken())?;
                self.recall_number(number)?;
            }
            // Names, and what they are called with.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Object::Global(Global::find(&module, &name)?));
            }
            // The class of an object that is made: never one of ours.
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                Global::find(&module, &name)?;
                return Err(broken());
            }
            0x93 => {
                let (name, module) = (self.pop_text()?, self.pop_text()?);
                self.push(Object::Global(Global::find(&module, &name)?));
            }
            b'R' | 0x81 => {
                let arguments = self.pop_tuple()?;
                let callee = self.pop()?;
                let Object::Global(callee) = self.all[callee] else {
                    return Err(broken());
                };
                let made = self.call(callee, arguments)?;
                self.stack.push(made);
            }
            // Attributes of a dictionary or a tensor, such as `_metadata`: no part of the weights.
            b'b' => {
                self.pop()?;
                let top = self.top()?;
                if !matches!(self.all[top], Object::Dict(_) | Object::Tensor(_)) {
                    return Err(broken());
                }
            }
            b'Q' => {
                let fields = self.pop_tuple()?;
                let storage = self.storage(&fields)?;
                self.push(Object::Storage(Rc::new(storage)));
            }
            other => {
                return Err(format!(
                    "has pickle instruction {other:#04x} at byte {}, which is not one of a state \
                     dict's; save it as safetensors",
                    self.at - 1
                ));
            }
        }
        Ok(true)
    }
}

/// Keys and values that follow each other.
fn pairs(items: &[Id]) -> Step<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks();
    if !rest.is_empty() {
        return Err(broken());
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

/// Taking bytes, and moving objects.
impl Machine<'_> {
    fn take(&mut self, length: u64) -> Step<&[u8]> {
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| self.at.checked_add(length));
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(broken)?;
        self.at += taken.len();
        Ok(taken)
    }

    fn byte(&mut self) -> Step<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// An unsigned number of `width` bytes.
    fn number(&mut self, width: u64) -> Step<u64> {
        let bytes = self.take(width)?;
        Ok(bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    /// What stands before the next line's end.
    fn line(&mut self) -> Step<Rc<str>> {
        let rest = &self.bytes[self.at..];
        let length = memchr::memchr(b'\n', rest).ok_or_else(broken)?;
        self.at += length + 1;
        Ok(String::from_utf8_lossy(&rest[..length]).into())
    }

    fn integer(&mut self, width: u64, signed: bool) -> Step<()> {
        let bytes = self.take(width)?;
        if bytes.len() > 16 {
            self.push(Object::Other);
            return Ok(());
        }
        let negative = signed && bytes.last().is_some_and(|b| *b >= 0x80);
        let mut value = [if negative { 0xff } else { 0 }; 16];
        value[..bytes.len()].copy_from_slice(bytes);
        self.push(Object::Int(i128::from_le_bytes(value)));
        Ok(())
    }

    fn other(&mut self, length: u64) -> Step<()> {
        self.take(length)?;
        self.push(Object::Other);
        Ok(())
    }

    fn bytes(&mut self, width: u64) -> Step<()> {
        let length = self.number(width)?;
        self.other(length)
    }

    fn text(&mut self, width: u64) -> Step<()> {
        let length = self.number(width)?;
        let text = match std::str::from_utf8(self.take(length)?) {
            Ok(text) if text.len() <= LONGEST_NAME => Object::Text(text.into()),
            _ => Object::Other,
        };
        self.push(text);
        Ok(())
    }

    /// Adds an object to those there are.
    pub(super) fn make(&mut self, object: Object) -> Id {
        self.all.push(object);
        self.all.len() - 1
    }

    fn push(&mut self, object: Object) {
        let made = self.make(object);
        self.stack.push(made);
    }

    /// Counts `steps` more, against pickles that grow as they are read.
    pub(super) fn spend(&mut self, steps: usize) -> Step<()> {
        self.steps += steps;
        if self.steps > MOST_STEPS {
            return Err(format!(
                "has a pickle of more than {MOST_STEPS} steps; save it as safetensors"
            ));
        }
        Ok(())
    }

    fn top(&self) -> Step<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let above = self.stack.get(floor..).ok_or_else(broken)?;
        above.last().copied().ok_or_else(broken)
    }

    fn pop(&mut self) -> Step<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_text(&mut self) -> Step<Rc<str>> {
        let id = self.pop()?;
        match &self.all[id] {
            Object::Text(text) => Ok(text.clone()),
            _ => Err(broken()),
        }
    }

    fn pop_tuple(&mut self) -> Step<Vec<Id>> {
        let id = self.pop()?;
        let Object::Tuple(items) = &self.all[id] else {
            return Err(broken());
        };
        let items = items.clone();
        self.spend(items.len())?;
        Ok(items)
    }

    fn since_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(broken)?;
        if mark > self.stack.len() {
            return Err(broken());
        }
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, length: usize) -> Step<()> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Object::Tuple(items));
        Ok(())
    }

    fn extend_list(&mut self, items: Vec<Id>) -> Step<()> {
        let top = self.top()?;
        match &mut self.all[top] {
            Object::List(list) => list.extend(items),
            _ => return Err(broken()),
        }
        Ok(())
    }

    fn extend_dict(&mut self, pairs: Vec<(Id, Id)>) -> Step<()> {
        let top = self.top()?;
        match &mut self.all[top] {
            Object::Dict(dict) => dict.extend(pairs),
            _ => return Err(broken()),
        }
        Ok(())
    }

    fn memoize(&mut self, width: u64) -> Step<()> {
        let number = self.number(width)?;
        let top = self.top()?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn recall(&mut self, width: u64) -> Step<()> {
        let number = self.number(width)?;
        self.recall_number(number)
    }

    fn recall_number(&mut self, number: u64) -> Step<()> {
        let found = self.memo.get(&number).ok_or_else(broken)?;
        self.stack.push(*found);
        Ok(())
    }
}
