//! Word vectors, and the similarity of classes that their cosines are; matrices in NumPy's format.
//!
//! | file | begins with | then, for each word |
//! |---|---|---|
//! | word2vec text | a line with the numbers of words and of numbers a word | a line: the word, its numbers |
//! | GloVe text | nothing | the same |
//! | word2vec binary | the same line | the word, a space, its numbers as `f32` in little-endian bytes |
//!
//! Files are read once from front to back, and only the words that are wanted are kept: the published file holds three
//! million.

use crate::{
    Error,
    images::Problem,
    input::InFile,
    similarity::{DIAGONAL, MOST_CLASSES, matrix::Matrix},
};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

/// The most numbers of a word.
pub const MOST_NUMBERS: usize = 4096;
/// The longest line or word.
const MOST_LINE: u64 = 1 << 17;

fn problem(path: &Path, what: String, hint: &'static str) -> InFile<Problem> {
    InFile::file(path, Problem::Vector { what, hint })
}

const FORMATS: &str = "give word2vec text, word2vec binary (.bin, not compressed) or GloVe text";

/// The vector of each of `words`, or `None` where the file has none. The first of several counts.
///
/// # Errors
/// [`Error::File`]; [`Error::Image`] for a file that is none of the three formats or cut short, and for wanted words with
/// vectors of another length, numbers that are not finite, or nothing but zeroes.
pub fn read(path: &Path, words: &[String]) -> Result<Vec<Option<Vec<f32>>>, Error> {
    let file = File::open(path).map_err(Error::file("read", path))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let failed = |error| Error::file("read", path)(error);
    let mut reading = Reading { path, found: vec![None; words.len()], places: HashMap::new(), missing: 0 };
    for (place, word) in words.iter().enumerate() {
        reading.places.entry(word.as_bytes()).or_default().push(place);
    }
    reading.missing = reading.places.len();

    let mut line = vec![];
    read_line(&mut reader, &mut line).map_err(failed)?;
    let Some(first) = std::str::from_utf8(&line).ok().map(str::trim_end).filter(|line| !line.is_empty()) else {
        return Err(problem(path, "the first line is empty or no text".to_owned(), FORMATS).into());
    };
    let fields: Vec<&str> = first.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
    let header: Option<[usize; 2]> = match fields[..] {
        [words, numbers] => words.parse().ok().zip(numbers.parse().ok()).map(|(a, b)| [a, b]),
        _ => None,
    };
    let width = header.map_or(fields.len().saturating_sub(1), |[_, width]| width);
    if width == 0 || width > MOST_NUMBERS {
        let what = format!("the first line makes {width} numbers a word, outside 1 to {MOST_NUMBERS}");
        return Err(problem(path, what, FORMATS).into());
    }
    match header {
        Some([count, _]) if is_binary(reader.fill_buf().map_err(failed)?, width) => {
            reading.binary(&mut reader, count, width)?;
        }
        Some(_) => reading.text(&mut reader, 2, width)?,
        None => {
            reading.line(&line, 1, width)?;
            reading.text(&mut reader, 2, width)?;
        }
    }
    Ok(reading.found)
}

fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    line.clear();
    reader.take(MOST_LINE).read_until(b'\n', line)
}

/// Whether what follows the first line is no line of text with a word and `width` numbers.
fn is_binary(rest: &[u8], width: usize) -> bool {
    let line = rest.split(|&b| b == b'\n').next().unwrap_or(rest);
    let Ok(line) = std::str::from_utf8(line) else { return true };
    let numbers = line.split([' ', '\t', '\r']).skip(1).filter(|field| !field.is_empty());
    !rest.is_empty() && numbers.filter(|field| field.parse::<f32>().is_ok()).count() != width
}

struct Reading<'a> {
    path: &'a Path,
    found: Vec<Option<Vec<f32>>>,
    places: HashMap<&'a [u8], Vec<usize>>,
    /// Words that were not found yet.
    missing: usize,
}

impl Reading<'_> {
    fn text(&mut self, reader: &mut impl BufRead, first: u64, width: usize) -> Result<(), Error> {
        let mut line = vec![];
        for number in first.. {
            if self.missing == 0 || read_line(reader, &mut line).map_err(Error::file("read", self.path))? == 0 {
                break;
            }
            if line.len() as u64 == MOST_LINE {
                let what = format!("the line is longer than {MOST_LINE} bytes");
                return Err(problem(self.path, what, FORMATS).line(number).into());
            }
            self.line(&line, number, width)?;
        }
        Ok(())
    }

    /// One line. Words with spaces in them (there are some) are not wanted: numbers are counted from the end.
    fn line(&mut self, line: &[u8], number: u64, width: usize) -> Result<(), Error> {
        let end = line.iter().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(line.len());
        if !self.wants(&line[..end]) {
            return Ok(());
        }
        let rest = String::from_utf8_lossy(&line[end..]);
        let numbers: Option<Vec<f32>> = rest.split_ascii_whitespace().map(|field| field.parse().ok()).collect();
        let found = rest.split_ascii_whitespace().count();
        match numbers.filter(|numbers| numbers.len() == width) {
            Some(numbers) => self.take(&line[..end], numbers).map_err(|e| e.line(number).into()),
            None => {
                let what =
                    format!("{:?} has {found} fields, not {width} numbers", String::from_utf8_lossy(&line[..end]));
                Err(problem(self.path, what, FORMATS).line(number).into())
            }
        }
    }

    fn binary(&mut self, reader: &mut impl BufRead, count: usize, width: usize) -> Result<(), Error> {
        let mut numbers = vec![0; 4 * width];
        let mut word = vec![];
        for at in 1..=count {
            if self.missing == 0 {
                break;
            }
            word.clear();
            let cut = |_| problem(self.path, format!("the file ends within word {at} of {count}"), "get it again");
            reader.take(MOST_LINE).read_until(b' ', &mut word).map_err(Error::file("read", self.path))?;
            if word.pop() != Some(b' ') {
                return Err(cut(()).into());
            }
            reader.read_exact(&mut numbers).map_err(|_| cut(()))?;
            // Some writers end a word with a line feed, some do not.
            let start = word.iter().position(|&b| b != b'\n').unwrap_or(word.len());
            if self.wants(&word[start..]) {
                let words = numbers.chunks_exact(4);
                let vector = words.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
                self.take(&word[start..], vector)?;
            }
        }
        Ok(())
    }

    fn wants(&self, word: &[u8]) -> bool {
        self.places.get(word).is_some_and(|places| places.iter().any(|&place| self.found[place].is_none()))
    }

    fn take(&mut self, word: &[u8], vector: Vec<f32>) -> Result<(), InFile<Problem>> {
        if !vector.iter().all(|x| x.is_finite()) || vector.iter().all(|&x| x == 0.0) {
            let what = format!("{:?} has numbers that are not finite, or all 0", String::from_utf8_lossy(word));
            return Err(problem(self.path, what, "give another file"));
        }
        for &place in self.places.get(word).into_iter().flatten() {
            self.found[place] = Some(vector.clone());
        }
        self.missing -= 1;
        Ok(())
    }
}

/// The cosines of all pairs of `vectors`, row by row: in [-1, 1], 1 on the diagonal. Sums are `f64`, in index order.
///
/// # Errors
/// [`Error::Core`] for vectors of different lengths, or of no length.
///
/// ```
/// use simloss_train::vectors::cosines;
/// let found = cosines(&[vec![1.0, 0.0], vec![3.0, 4.0], vec![-2.0, 0.0]])?;
/// assert_eq!(found, [1.0, 0.6, -1.0, 0.6, 1.0, -0.6, -1.0, -0.6, 1.0]);
/// # Ok::<(), simloss_train::Error>(())
/// ```
pub fn cosines(vectors: &[Vec<f32>]) -> Result<Vec<f32>, Error> {
    let width = vectors.first().map_or(0, Vec::len);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let mut lengths = vec![];
    for vector in vectors {
        if vector.len() != width {
            let (expected, found) = (width, vector.len());
            return Err(simloss_core::Error::Length { what: "a word vector", expected, found }.into());
        }
        let length = dot(vector, vector).sqrt();
        if !(length.is_finite() && length > 0.0) {
            return Err(simloss_core::Error::NotFinite {
                what: "the direction of a word vector",
                sample: lengths.len(),
            }
            .into());
        }
        lengths.push(length);
    }
    let mut all = vec![];
    for (i, a) in vectors.iter().enumerate() {
        for (j, b) in vectors.iter().enumerate() {
            let cosine = dot(a, b) / (lengths[i] * lengths[j]);
            all.push(if i == j { 1.0 } else { cosine.clamp(-1.0, 1.0) as f32 });
        }
    }
    Ok(all)
}

/// A square matrix of `f32` or `f64` in NumPy's format (`.npy`), the TRUE class in the row, and notes. The diagonal may
/// miss 1 by [`DIAGONAL`]; entries are in [-1, 1] for a measure, in [0, 1] for a similarity.
///
/// # Errors
/// [`Error::File`]; [`Error::Image`] for a file that is cut short, of other numbers, no square, too large, or whose
/// entries are outside their range.
pub fn npy(path: &Path, measure: bool) -> Result<(Matrix, Vec<String>), Error> {
    const HINT: &str = "save it with numpy.save, as a square matrix of float32 or float64";
    let wrong = |what: String| Error::from(problem(path, what, HINT));
    let file = BufReader::new(File::open(path).map_err(Error::file("read", path))?);
    let most = (MOST_CLASSES * MOST_CLASSES * 8 + 65_536) as u64;
    let file = npyz::NpyFile::new(file.take(most)).map_err(|e| wrong(format!("the file is no NPY file: {e}")))?;
    let shape = file.shape().to_vec();
    let (&[rows, columns], order) = (&shape[..], file.order()) else {
        return Err(wrong(format!("its shape is {shape:?}")));
    };
    if rows != columns || !(2..=MOST_CLASSES as u64).contains(&rows) {
        return Err(wrong(format!("its shape is {shape:?}; there must be from 2 to {MOST_CLASSES} classes")));
    }
    let cut = |e: std::io::Error| wrong(format!("its numbers cannot be read: {e}"));
    let numbers: Vec<f64> = match file.dtype().descr().trim_matches('\'') {
        "<f4" | ">f4" => file.into_vec::<f32>().map_err(cut)?.into_iter().map(f64::from).collect(),
        "<f8" | ">f8" => file.into_vec::<f64>().map_err(cut)?,
        other => return Err(wrong(format!("its numbers are {other}"))),
    };
    let n = rows as usize;
    let at = |row: usize, column: usize| match order {
        npyz::Order::C => numbers[row * n + column],
        npyz::Order::Fortran => numbers[column * n + row],
    };
    let (mut entries, mut furthest, mut notes) = (Vec::with_capacity(n * n), 0.0f64, vec![]);
    let slack = if measure { f64::from(DIAGONAL) } else { 0.0 };
    let least = if measure { -1.0 } else { 0.0 };
    for row in 0..n {
        for column in 0..n {
            let value = at(row, column);
            if row == column {
                if value.is_nan() || (value - 1.0).abs() > f64::from(DIAGONAL) {
                    return Err(wrong(format!("the similarity of class {row} (from 0) with itself is {value}, not 1")));
                }
                furthest = furthest.max((value - 1.0).abs());
                entries.push(1.0);
            } else if value >= least - slack && value <= 1.0 + slack {
                entries.push(value.clamp(least, 1.0) as f32);
            } else {
                return Err(wrong(format!("entry ({row}, {column}) (from 0) is {value}, outside [{least}, 1]")));
            }
        }
    }
    if furthest > 0.0 {
        let path = path.display();
        notes.push(format!(
            "{path}: the similarity of a class with itself is taken as 1 where it is up to {furthest:.1e} off"
        ));
    }
    Ok((Matrix { names: None, entries }, notes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use npyz::WriterBuilder;

    fn words(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn binary(words: &[(&str, [f32; 2])], feed: &str) -> Vec<u8> {
        let mut file = format!("{} 2\n", words.len()).into_bytes();
        for (word, numbers) in words {
            file.extend(format!("{word} ").as_bytes());
            numbers.iter().for_each(|x| file.extend(x.to_le_bytes()));
            file.extend(feed.as_bytes());
        }
        file
    }

    #[test]
    fn all_three_formats() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("v");
        let all = [("dog", [1.0, 2.0]), ("oak", [-0.5, 4.0]), ("dog", [9.0, 9.0]), ("bee", [0.25, 0.0])];
        let text = "dog 1 2\noak -0.5 4\ndog 9 9\nbee 2.5e-1 0";
        for (name, file) in [
            ("glove", text.as_bytes().to_vec()),
            ("text", format!("4 2\n{text}\n").into_bytes()),
            ("crlf", format!("4 2\n{text}\n").replace('\n', " \r\n").into_bytes()),
            ("binary", binary(&all, "\n")),
            ("packed", binary(&all, "")),
        ] {
            std::fs::write(&path, file)?;
            let found = read(&path, &words(&["bee", "cat", "dog", "bee"]))?;
            assert_eq!(found, [Some(vec![0.25, 0.0]), None, Some(vec![1.0, 2.0]), Some(vec![0.25, 0.0])], "{name}");
        }
        Ok(())
    }

    #[test]
    fn what_is_damaged_is_refused() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("v");
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&path, &words(&["dog", "cat"])).err().map(|e| e.to_string()).unwrap_or_default()
        };
        for (text, message) in [
            (&b""[..], "the first line is empty"),
            (b"\xff\xfe\n", "the first line is empty or no text"),
            (b"3 0\n", "0 numbers a word"),
            (b"3 99999\nx", "99999 numbers a word"),
            (b"oak 1 2\ndog 1\n", "line 2: \"dog\" has 1 fields, not 2 numbers"),
            (b"oak 1 2\ndog 1 x\n", "line 2: \"dog\" has 2 fields, not 2 numbers"),
            (b"oak 1 2\ndog 1 NaN\n", "line 2: \"dog\" has numbers that are not finite"),
            (b"oak 1 2\ndog 0 0\n", "or all 0"),
        ] {
            let found = refused(text);
            assert!(found.contains(message), "{found}");
        }
        let whole = binary(&[("oak", [1.0, 2.0]), ("dog", [3.0, 4.0])], "\n");
        assert!(refused(&whole[..whole.len() - 3]).contains("the file ends within word 2 of 2"));
        // A wanted word that is not there is no damage.
        assert_eq!(refused(&whole), "");
        assert_eq!(read(&path, &words(&["dog", "cat"]))?, [Some(vec![3.0, 4.0]), None]);
        assert!(matches!(read(&folder.path().join("no"), &[]), Err(Error::File { .. })));
        assert!(cosines(&[vec![1.0], vec![1.0, 2.0]]).is_err());
        assert!(cosines(&[vec![0.0]]).is_err());
        Ok(())
    }

    #[test]
    fn matrices_of_numpy() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("s.npy");
        let write = |shape: &[u64], numbers: &[f64], order| {
            let mut file = vec![];
            let mut writer = npyz::WriteOptions::new()
                .default_dtype()
                .shape(shape)
                .order(order)
                .writer(&mut file)
                .begin_nd()
                .unwrap();
            writer.extend(numbers.iter().copied()).unwrap();
            writer.finish().unwrap();
            std::fs::write(&path, &file).unwrap();
            file
        };
        let refused = |measure| npy(&path, measure).err().map(|e| e.to_string()).unwrap_or_default();
        let good = [1.0, 0.5, 0.25, 1.00001];
        let bytes = write(&[2, 2], &good, npyz::Order::C);
        let (matrix, notes) = npy(&path, false)?;
        assert_eq!((matrix.entries, notes.len()), (vec![1.0, 0.5, 0.25, 1.0], 1));
        write(&[2, 2], &good, npyz::Order::Fortran);
        assert_eq!(npy(&path, false)?.0.entries, [1.0, 0.25, 0.5, 1.0]);
        write(&[2, 2], &[1.0, -0.5, 0.25, 1.0], npyz::Order::C);
        assert!(refused(false).contains("entry (0, 1) (from 0) is -0.5, outside [0, 1]"));
        assert_eq!(npy(&path, true)?.0.entries[1], -0.5);
        write(&[2, 2], &[1.0, f64::NAN, 0.25, 1.0], npyz::Order::C);
        assert!(refused(true).contains("is NaN"));
        write(&[2, 2], &[0.9, 0.0, 0.25, 1.0], npyz::Order::C);
        assert!(refused(true).contains("class 0 (from 0) with itself is 0.9"));
        write(&[4], &good, npyz::Order::C);
        assert!(refused(true).contains("its shape is [4]"));
        write(&[1, 4], &good, npyz::Order::C);
        assert!(refused(true).contains("its shape is [1, 4]"));
        for length in [0, 20, bytes.len() - 4] {
            std::fs::write(&path, &bytes[..length])?;
            assert!(refused(true).contains("save it with numpy.save"), "{length}");
        }
        Ok(())
    }
}
