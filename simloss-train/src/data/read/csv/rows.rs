//! The rows of a file, one after the other: its separator, its names, and where each row stands.

use super::{Delimiter, Form, Header};
use crate::{
    Error,
    error::{
        place::{InFile, Unreadable},
        table::{OPEN_QUOTE, Problem},
    },
    input::{MOST_BYTES, class_number},
};
use csv::StringRecord;
use std::{
    fs::File,
    io::{Cursor, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

/// What is looked at to find the separator.
const HEAD: u64 = 1 << 18;
/// Separators that are found without being named. The first of several that fit counts.
const FOUND: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The rows of a table.
pub(crate) struct Rows<'a> {
    path: &'a Path,
    reader: csv::Reader<Box<dyn Read>>,
    /// All bytes, where they cannot be read again from the file.
    memory: Option<Arc<[u8]>>,
    /// Where the rows begin in the file.
    start: u64,
    /// The names of the columns; whole numbers from 1 where the file gives none.
    pub(crate) names: Vec<String>,
    /// Whether the file says how its columns are called.
    pub(crate) named: bool,
    /// Whether a comma may be that of a decimal number: where it separates nothing.
    pub(crate) commas: bool,
    /// The first row, where it is a sample.
    first: Option<StringRecord>,
    /// Rows without a single value.
    pub(crate) blank: usize,
    /// Rows with one more field, which is empty.
    pub(crate) surplus: usize,
    /// What was found about the form, and should be said.
    pub(crate) notes: Vec<String>,
    /// Rows that are wrong, where they are collected: else the first is an error.
    pub(crate) wrong: Option<Vec<String>>,
    /// An estimate of the number of rows.
    size: u64,
}

impl<'a> Rows<'a> {
    /// # Errors
    /// [`Error::File`]; [`Error::Text`] for a file that is too large or not UTF-8; [`Error::Table`] for one without rows.
    pub(crate) fn open(path: &'a Path, form: &Form) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(Error::file("read", path))?;
        let about = file.metadata().map_err(Error::file("read", path))?;
        if about.len() > MOST_BYTES {
            return Err(InFile::file(path, Unreadable::TooLarge).into());
        }
        let mut head = vec![];
        file.by_ref().take(HEAD).read_to_end(&mut head).map_err(Error::file("read", path))?;
        let marked = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut start = marked;
        let mut notes = vec![];
        let mut delimiter = form.delimiter;
        if let Some((by, length)) = excel_line(&head[marked..]) {
            start += length;
            notes.push(format!("the first line says that fields are separated by {:?}", char::from(by)));
            delimiter = delimiter.or(Some(Delimiter::Byte(by)));
        }
        let head = head.split_off(start.min(head.len()));
        let in_memory = !about.is_file() || delimiter == Some(Delimiter::Space);
        let delimiter = match delimiter {
            Some(delimiter) => delimiter,
            None => Delimiter::Byte(find(&head)),
        };
        let size = about.len();
        let (memory, from): (_, Box<dyn Read>) = if in_memory {
            let mut all = head;
            file.take(MOST_BYTES + 1).read_to_end(&mut all).map_err(Error::file("read", path))?;
            if all.len() as u64 > MOST_BYTES {
                return Err(InFile::file(path, Unreadable::TooLarge).into());
            }
            if delimiter == Delimiter::Space {
                all = squeezed(&all);
            }
            let all: Arc<[u8]> = all.into();
            (Some(Arc::clone(&all)), Box::new(Cursor::new(all)))
        } else {
            (None, Box::new(Cursor::new(head).chain(file)))
        };
        let byte = match delimiter {
            Delimiter::Byte(byte) => byte,
            Delimiter::Space => b' ',
        };
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(byte)
            .buffer_capacity(1 << 16)
            .from_reader(from);
        let (start, names) = (start as u64, vec![]);
        let mut rows = Rows {
            path,
            reader,
            memory,
            start,
            names,
            named: form.header != Header::No,
            commas: byte != b',',
            first: None,
            blank: 0,
            surplus: 0,
            notes,
            wrong: None,
            size,
        };
        rows.read_names()?;
        Ok(rows)
    }

    fn read_names(&mut self) -> Result<(), Error> {
        let mut first = StringRecord::new();
        if !self.record(&mut first)? {
            return Err(InFile::file(self.path, Problem::Empty).into());
        }
        if self.named {
            // A line break in a name would be one in every message.
            self.names = first.iter().map(|name| name.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        } else {
            self.names = (1..=first.len()).map(|i| i.to_string()).collect();
            self.first = Some(first);
        }
        Ok(())
    }

    /// Why the row of names looks like a sample, by itself.
    pub(crate) fn looks_like_a_sample(&self) -> Option<String> {
        let whole = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
        let numbers = self.names.iter().filter(|name| class_number(name).is_some());
        if let Some(name) = numbers.clone().find(|name| !whole(name)) {
            return Some(format!("one of its names is {name}"));
        }
        let counted = |first: usize| self.names.iter().zip(first..).all(|(name, i)| *name == i.to_string());
        (numbers.count() == self.names.len() && !counted(0) && !counted(1))
            .then(|| "all its names are numbers".to_owned())
    }

    /// The next row; false where there is none. Rows without a value are passed over.
    pub(crate) fn next(&mut self, row: &mut StringRecord) -> Result<bool, Error> {
        if let Some(first) = self.first.take() {
            *row = first;
            return Ok(true);
        }
        loop {
            match self.record(row) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => match &mut self.wrong {
                    Some(wrong) if !matches!(error, Error::File { .. }) => {
                        wrong.push(error.to_string());
                        continue;
                    }
                    _ => return Err(error),
                },
            }
            let width = self.names.len();
            if row.len() != width {
                // Some writers end every row with a separator, some only that of the names.
                if row.len() == width + 1 && row.get(width).is_some_and(|field| field.trim().is_empty()) {
                    row.truncate(width);
                    self.surplus += 1;
                } else if row.len() + 1 == width && self.names.last().is_some_and(String::is_empty) {
                    row.push_field("");
                    self.surplus += 1;
                } else if row.iter().all(|field| field.trim().is_empty()) {
                    self.blank += 1;
                    continue;
                } else {
                    let advice = if self.is_open(row) { OPEN_QUOTE } else { "fill in or remove fields" };
                    let problem = Problem::Ragged { expected: width, found: row.len(), advice };
                    let found = self.at(row, problem);
                    match &mut self.wrong {
                        Some(wrong) => wrong.push(found.to_string()),
                        None => return Err(found.into()),
                    }
                    continue;
                }
            }
            if row.get(0).is_none_or(|field| field.trim().is_empty()) && row.iter().all(|field| field.trim().is_empty())
            {
                self.blank += 1;
                continue;
            }
            return Ok(true);
        }
    }

    /// Any row, as it stands.
    fn record(&mut self, row: &mut StringRecord) -> Result<bool, Error> {
        match self.reader.read_record(row) {
            Ok(false) => return Ok(false),
            Ok(true) => {}
            Err(error) => {
                return Err(match error.kind() {
                    csv::ErrorKind::Utf8 { pos, .. } => {
                        let place = pos.as_ref().map_or(0, csv::Position::byte);
                        InFile::file(self.path, Unreadable::Encoding).line(self.line(place)).into()
                    }
                    _ => match error.into_kind() {
                        csv::ErrorKind::Io(source) => Error::File { action: "read", path: self.path.into(), source },
                        other => Error::Usage(format!("{}: {other:?}", self.path.display())),
                    },
                });
            }
        }
        let begin = row.position().map_or(0, csv::Position::line);
        if self.reader.position().line() > begin + 1
            && let Some((column, field)) = row.iter().enumerate().find(|(_, field)| field.contains('\n'))
            && self.is_open(row)
        {
            let problem = Problem::Lines(field.lines().next().unwrap_or_default().to_owned());
            let found = self.at(row, problem);
            return Err(match self.names.get(column) {
                Some(name) if self.names.len() == row.len() => found.column(name).into(),
                _ => found.into(),
            });
        }
        Ok(true)
    }

    /// A problem in a row.
    pub(crate) fn at(&self, row: &StringRecord, problem: Problem) -> InFile<Problem> {
        InFile::file(self.path, problem).line(self.line(place(row)))
    }

    /// The line on which the first field of a row stands, by the place of the row. (The reader's own count includes empty
    /// lines before it in the row.)
    pub(crate) fn line(&self, place: u64) -> u64 {
        let bytes = self.bytes(0, u64::MAX);
        let mut at = usize::try_from(self.start_in_bytes() + place).unwrap_or(usize::MAX).min(bytes.len());
        at += bytes[at..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        let before = if self.memory.is_some() { u64::from(self.start > 3) } else { 0 };
        1 + before + bytes[..at].iter().filter(|&&b| b == b'\n').count() as u64
    }

    fn start_in_bytes(&self) -> u64 {
        if self.memory.is_some() { 0 } else { self.start }
    }

    /// Bytes of the file; none where they cannot be read once more.
    fn bytes(&self, from: u64, length: u64) -> Vec<u8> {
        if let Some(memory) = &self.memory {
            let end = from.saturating_add(length).min(memory.len() as u64);
            return memory.get(from as usize..end as usize).unwrap_or_default().to_vec();
        }
        let read = || {
            let mut file = File::open(self.path)?;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = vec![];
            file.take(length.min(MOST_BYTES)).read_to_end(&mut bytes)?;
            Ok::<_, std::io::Error>(bytes)
        };
        read().unwrap_or_default()
    }

    /// Whether a quote opens a field of the row that was just read, and none closes it.
    fn is_open(&self, row: &StringRecord) -> bool {
        let begin = place(row);
        let length = self.reader.position().byte().saturating_sub(begin);
        let bytes = self.bytes(self.start_in_bytes() + begin, length);
        !bytes.iter().filter(|&&b| b == b'"').count().is_multiple_of(2)
    }

    /// About how many rows there are, after `rows` of them.
    pub(crate) fn estimate(&self, rows: usize) -> usize {
        let read = self.reader.position().byte().max(1);
        // A hundredth more: rows differ.
        let all = u128::from(self.size) * rows as u128 / u128::from(read) * 101 / 100;
        usize::try_from(all).unwrap_or(rows).max(rows)
    }
}

/// Where a row stands: what [`Rows::line`] takes.
pub(crate) fn place(row: &StringRecord) -> u64 {
    row.position().map_or(0, csv::Position::byte)
}

/// The separator that the line `sep=;` names, as Excel writes it, and the length of that line.
fn excel_line(head: &[u8]) -> Option<(u8, usize)> {
    let end = head.iter().position(|&b| b == b'\n')?;
    let line = head[..end].trim_ascii_end();
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [s, e, p, b'=', by] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some((*by, end + 1)),
        // A tab at the end of a line was trimmed with it.
        [s, e, p, b'='] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some((b'\t', end + 1)),
        _ => None,
    }
}

/// The separator under which the first two rows have equally many fields, the most of them; failing that, the most fields.
fn find(head: &[u8]) -> u8 {
    let fields = |delimiter| {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(head);
        let mut rows = reader.byte_records().filter_map(Result::ok).map(|row| row.len());
        let (first, second) = (rows.next().unwrap_or(0), rows.next().unwrap_or(0));
        (first > 1 && first == second, first)
    };
    let mut best = FOUND[0];
    for other in &FOUND[1..] {
        if fields(*other) > fields(best) {
            best = *other;
        }
    }
    best
}

/// Lines with one space between fields, and none around them.
fn squeezed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|&b| b == b'\n') {
        let fields = line.split(|b| b.is_ascii_whitespace()).filter(|field| !field.is_empty());
        for (i, field) in fields.enumerate() {
            if i > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(field);
        }
        out.push(b'\n');
    }
    out
}
