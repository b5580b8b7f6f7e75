//! The zip archive that `torch.save` writes: members are stored as they are, not compressed.

use std::collections::HashMap;

use super::shown;

/// The most members read; a checkpoint has one a tensor.
const MOST_MEMBERS: u64 = 1 << 20;
/// Bytes of the record that ends an archive, without its comment.
const END: usize = 22;
/// A 32-bit field whose value stands in the record's 64-bit extension.
const EXTENDED: u64 = 0xffff_ffff;

/// A member's bytes: where they start in the file, and how many there are.
pub(super) type Place = (u64, u64);

/// An archive's members, by name.
pub(super) struct Archive<'a> {
    file: &'a [u8],
    members: HashMap<&'a [u8], Member>,
}

#[derive(Clone, Copy)]
struct Member {
    header: u64,
    length: u64,
    stored: bool,
}

impl<'a> Archive<'a> {
    /// Whether `file` starts as an archive does.
    pub fn starts(file: &[u8]) -> bool {
        file.starts_with(b"PK\x03\x04")
    }

    /// Reads the directory at the end of `file`.
    pub fn read(file: &'a [u8]) -> Result<Self, String> {
        let broken = || "not a whole zip archive; download it again".to_string();
        let (count, offset) = directory(file).ok_or_else(broken)?;
        if count > MOST_MEMBERS {
            return Err(format!(
                "an archive of {count} members, and at most {MOST_MEMBERS} are read"
            ));
        }
        let mut members = HashMap::new();
        let mut at = offset;
        for _ in 0..count {
            let (name, member, next) = record(file, at).ok_or_else(broken)?;
            if members.insert(name, member).is_some() {
                let name = shown(&String::from_utf8_lossy(name));
                return Err(format!("an archive with two members called {name}"));
            }
            at = next;
        }
        Ok(Self { file, members })
    }

    /// The folder of the member called `data.pkl`, with the slash after it: each archive has one.
    pub fn root(&self) -> Option<String> {
        let mut roots = self
            .members
            .keys()
            .filter_map(|name| std::str::from_utf8(name).ok()?.strip_suffix("data.pkl"))
            .filter(|root| root.is_empty() || root.ends_with('/'));
        let root = roots.next()?.to_string();
        roots.next().is_none().then_some(root)
    }

    /// Where the bytes of the member `name` are, or `None` where there is no such member.
    pub fn find(&self, name: &str) -> Result<Option<Place>, String> {
        let Some(member) = self.members.get(name.as_bytes()) else {
            return Ok(None);
        };
        if !member.stored {
            return Err(format!(
                "member {} is compressed or encrypted, which torch.save does not do; save it as \
                 safetensors",
                shown(name)
            ));
        }
        let start = self
            .data(member, name.as_bytes())
            .ok_or_else(|| format!("member {} is not whole; download it again", shown(name)))?;
        Ok(Some((start, member.length)))
    }

    /// Where a member's bytes start: after its own header, whose name must be the directory's.
    fn data(&self, member: &Member, name: &[u8]) -> Option<u64> {
        let header = at(self.file, member.header, 30)?;
        if !header.starts_with(b"PK\x03\x04") {
            return None;
        }
        let (named, extra) = (short(header, 26)?, short(header, 28)?);
        if at(self.file, member.header.checked_add(30)?, named)? != name {
            return None;
        }
        let start = member.header.checked_add(30 + named + extra)?;
        at(self.file, start, member.length).map(|_| start)
    }
}

/// How many members the directory lists, and where it starts.
fn directory(file: &[u8]) -> Option<(u64, u64)> {
    // The record ends the file, but for a comment of at most 65535 bytes.
    let last = file.len().checked_sub(END)?;
    let end = (last.saturating_sub(0xffff)..=last).rev().find(|&at| {
        file[at..].starts_with(b"PK\x05\x06") && short(&file[at..], 20) == Some((last - at) as u64)
    })?;
    let record = &file[end..];
    let locator = end.checked_sub(20).map(|at| &file[at..end]);
    match locator.filter(|l| l.starts_with(b"PK\x06\x07")) {
        None => Some((short(record, 10)?, word(record, 16)?)),
        Some(locator) => {
            let record = at(file, long(locator, 8)?, 56)?;
            if !record.starts_with(b"PK\x06\x06") {
                return None;
            }
            Some((long(record, 32)?, long(record, 48)?))
        }
    }
}

/// A directory's record at `offset`: the member's name, the member, and where the next starts.
fn record(file: &[u8], offset: u64) -> Option<(&[u8], Member, u64)> {
    let fixed = at(file, offset, 46)?;
    if !fixed.starts_with(b"PK\x01\x02") {
        return None;
    }
    let (named, extra, comment) = (short(fixed, 28)?, short(fixed, 30)?, short(fixed, 32)?);
    let name = at(file, offset.checked_add(46)?, named)?;
    let mut extension = extended(at(file, offset.checked_add(46 + named)?, extra)?);
    // The extension holds the fields that did not fit, in this order.
    let mut field = |value: u64| match value {
        EXTENDED => {
            let (first, rest) = extension.split_first_chunk()?;
            extension = rest;
            Some(u64::from_le_bytes(*first))
        }
        value => Some(value),
    };
    let length = field(word(fixed, 24)?)?;
    let packed = field(word(fixed, 20)?)?;
    let header = field(word(fixed, 42)?)?;
    let encrypted = short(fixed, 8)? & 1 == 1;
    let member = Member {
        header,
        length,
        stored: short(fixed, 10)? == 0 && packed == length && !encrypted,
    };
    Some((
        name,
        member,
        offset.checked_add(46 + named + extra + comment)?,
    ))
}

/// The 64-bit extension among a record's extra fields, or nothing.
fn extended(mut extra: &[u8]) -> &[u8] {
    while let (Some(kind), Some(length)) = (short(extra, 0), short(extra, 2)) {
        let Some(body) = at(extra, 4, length) else {
            break;
        };
        if kind == 1 {
            return body;
        }
        extra = &extra[4 + body.len()..];
    }
    &[]
}

/// `length` bytes of `file` from `offset` on, where it has them.
pub(super) fn at(file: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = usize::try_from(offset.checked_add(length)?).ok()?;
    file.get(start..end)
}

fn short(record: &[u8], offset: u64) -> Option<u64> {
    let bytes = at(record, offset, 2)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes).into())
}

fn word(record: &[u8], offset: u64) -> Option<u64> {
    let bytes = at(record, offset, 4)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes).into())
}

fn long(record: &[u8], offset: u64) -> Option<u64> {
    let bytes = at(record, offset, 8)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}
