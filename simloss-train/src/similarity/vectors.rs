//! Word vectors, and the similarity of classes that their cosines are.
//!
//! | file | begins with | then, for each word |
//! |---|---|---|
//! | word2vec text | a line with the numbers of words and of numbers a word | a line: the word, its numbers |
//! | GloVe text | nothing | the same |
//! | word2vec binary | the same line | the word, a space, its numbers as `f32` in little-endian bytes |
//!
//! Files are read once from front to back, and only the words that are wanted are kept: the published file holds three
//! million.

use super::{
    MOST_CLASSES, Problem,
    matrix::Matrix,
    names::{Unnamed, Wanted},
};
use crate::{Error, error::place::InFile};
use std::{
    collections::{HashMap, HashSet},
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
/// [`Error::File`]; [`Error::Similarity`] for a file that is none of the three formats or cut short, and for wanted words
/// with vectors of another length, numbers that are not finite, or nothing but zeroes.
pub fn read(path: &Path, words: &[String]) -> Result<Vec<Option<Vec<f32>>>, Error> {
    let wanted = words.iter().map(|word| word.as_bytes()).collect();
    let reading = Reading::of(path, Some(wanted))?;
    let vector = |word: &String| reading.places.get(word.as_bytes()).map(|&at| reading.vectors[at].1.clone());
    Ok(words.iter().map(vector).collect())
}

/// All words of a file of at most [`MOST_CLASSES`], in its order, with their vectors.
///
/// # Errors
/// As [`read`]; [`Error::Similarity`] for more words.
pub fn read_all(path: &Path) -> Result<Vec<(String, Vec<f32>)>, Error> {
    Ok(Reading::of(path, None)?.vectors)
}

fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    line.clear();
    reader.take(MOST_LINE).read_until(b'\n', line)
}

/// Whether what follows the first line is no line of text with a word and `width` numbers.
fn is_binary(rest: &[u8], width: usize) -> bool {
    // Blank lines may follow the first one in text.
    let rest = &rest[rest.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count()..];
    let line = rest.split(|&b| b == b'\n').next().unwrap_or(rest);
    let Ok(line) = std::str::from_utf8(line) else { return true };
    !rest.is_empty() && numbers_behind(line).min(width) != width
}

/// The numbers that a line ends with, behind at least one word.
fn numbers_behind(line: &str) -> usize {
    let fields: Vec<&str> = line.split_ascii_whitespace().skip(1).collect();
    fields.iter().rev().take_while(|field| field.parse::<f32>().is_ok()).count()
}

/// Where the last `n` fields of a line begin; none if it has fewer.
fn last_fields(line: &[u8], n: usize) -> Option<usize> {
    let mut end = line.len();
    for _ in 0..n {
        end = line[..end].iter().rposition(|b| !b.is_ascii_whitespace())?;
        end = line[..end].iter().rposition(|b| b.is_ascii_whitespace())? + 1;
    }
    Some(end)
}

/// A line up to its first blank.
fn first_word(line: &[u8]) -> &[u8] {
    line.split(u8::is_ascii_whitespace).next().unwrap_or(line)
}

/// Whether a field is a number, or nothing.
fn is_number(field: &[u8]) -> bool {
    field.is_empty() || std::str::from_utf8(field).is_ok_and(|field| field.parse::<f32>().is_ok())
}

struct Reading<'a> {
    path: &'a Path,
    /// The words to keep; none for all of them.
    wanted: Option<HashSet<&'a [u8]>>,
    /// What those begin with, up to a blank.
    begin: HashSet<&'a [u8]>,
    /// Where each word that was found stands in `vectors`.
    places: HashMap<Vec<u8>, usize>,
    vectors: Vec<(String, Vec<f32>)>,
}

impl<'a> Reading<'a> {
    fn of(path: &'a Path, wanted: Option<HashSet<&'a [u8]>>) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::file("read", path))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let failed = |error| Error::file("read", path)(error);
        let begin = wanted.iter().flatten().map(|word| first_word(word)).collect();
        let mut reading = Reading { path, wanted, begin, places: HashMap::new(), vectors: vec![] };

        let (mut line, mut number) = (vec![], 0);
        // Blank lines before the first one, and a byte order mark, say nothing.
        while read_line(&mut reader, &mut line).map_err(failed)? > 0 {
            number += 1;
            if number == 1 && line.starts_with(b"\xef\xbb\xbf") {
                line.drain(..3);
            }
            if !line.trim_ascii().is_empty() {
                break;
            }
        }
        let Some(first) = std::str::from_utf8(&line).ok().map(str::trim_end).filter(|line| !line.is_empty()) else {
            return Err(problem(path, "the first line is empty or no text".to_owned(), FORMATS).into());
        };
        let fields: Vec<&str> = first.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
        let header: Option<[usize; 2]> = match fields[..] {
            [words, numbers] => words.parse().ok().zip(numbers.parse().ok()).map(|(a, b)| [a, b]),
            _ => None,
        };
        let width = header.map_or(numbers_behind(first), |[_, width]| width);
        if width == 0 || width > MOST_NUMBERS {
            let what = format!("the first line makes {width} numbers a word, outside 1 to {MOST_NUMBERS}");
            return Err(problem(path, what, FORMATS).into());
        }
        match header {
            Some([count, _]) if is_binary(reader.fill_buf().map_err(failed)?, width) => {
                reading.binary(&mut reader, count, width)?;
            }
            Some(_) => reading.text(&mut reader, number + 1, width)?,
            None => {
                reading.line(&line, number, width)?;
                reading.text(&mut reader, number + 1, width)?;
            }
        }
        Ok(reading)
    }

    fn text(&mut self, reader: &mut impl BufRead, first: u64, width: usize) -> Result<(), Error> {
        let mut line = vec![];
        for number in first.. {
            if self.done() || read_line(reader, &mut line).map_err(Error::file("read", self.path))? == 0 {
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

    /// One line. A word may have blanks in it: numbers are counted from the end.
    fn line(&mut self, line: &[u8], number: u64, width: usize) -> Result<(), Error> {
        let line = line.trim_ascii();
        if line.is_empty() || (self.wanted.is_some() && !self.begin.contains(first_word(line))) {
            return Ok(());
        }
        // Where the end of a line is no vector, its first word is what it was meant for.
        let whole = |at: &usize| *at > 0 && line[*at..].split(u8::is_ascii_whitespace).all(is_number);
        let end = last_fields(line, width)
            .filter(whole)
            .map_or(first_word(line).len(), |at| line[..at].trim_ascii_end().len());
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
            if self.done() {
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
        !self.places.contains_key(word) && self.wanted.as_ref().is_none_or(|wanted| wanted.contains(word))
    }

    /// Whether nothing is left to be found.
    fn done(&self) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.len() == self.vectors.len())
    }

    fn take(&mut self, word: &[u8], vector: Vec<f32>) -> Result<(), InFile<Problem>> {
        let text = String::from_utf8_lossy(word).into_owned();
        if !vector.iter().all(|x| x.is_finite()) || vector.iter().all(|&x| x == 0.0) {
            let what = format!("{text:?} has numbers that are not finite, or all 0");
            return Err(problem(self.path, what, "give another file"));
        }
        if self.wanted.is_none() && self.vectors.len() == MOST_CLASSES {
            let what = format!("the file holds more than {MOST_CLASSES} words");
            return Err(problem(self.path, what, "name the classes that are wanted"));
        }
        self.places.insert(word.to_vec(), self.vectors.len());
        self.vectors.push((text, vector));
        Ok(())
    }
}

/// The cosines of all pairs of `vectors`, row by row: in [-1, 1], 1 on the diagonal. Sums are `f64`, in index order.
///
/// # Errors
/// [`Error::Core`] for vectors of different lengths, or of no length.
///
/// ```
/// use simloss_train::similarity::vectors::cosines;
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

/// The cosines between the vectors of the classes that are wanted, or between all words of the file where no classes are
/// named.
///
/// A class without a vector is left out or refused, as wanted.
///
/// # Errors
/// As [`read`]; [`Error::Similarity`] for classes without a vector, and for other than 2 to [`MOST_CLASSES`] classes.
pub fn matrix(path: &Path, wanted: &Wanted<'_>) -> Result<Matrix, Error> {
    let Some(classes) = wanted.classes else {
        let all = read_all(path)?;
        let (names, vectors): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        return Ok(Matrix { names: Some(names), entries: cosines(&vectors)? });
    };
    // For each class its alias, then its own name.
    let words: Vec<String> =
        classes.iter().flat_map(|class| [wanted.aliases.word(class).to_owned(), class.clone()]).collect();
    let mut found = read(path, &words)?.into_iter();
    let (mut names, mut vectors, mut missing) = (vec![], vec![], vec![]);
    for class in classes {
        let (alias, own) = (found.next().flatten(), found.next().flatten());
        match alias.or(own) {
            Some(vector) => {
                names.push(class.clone());
                vectors.push(vector);
            }
            None => missing.push(class.clone()),
        }
    }
    if (!missing.is_empty() && wanted.unnamed == Unnamed::Error) || vectors.len() < 2 {
        return Err(InFile::file(path, Problem::NoVector { names: missing }).into());
    }
    Ok(Matrix { names: Some(names), entries: cosines(&vectors)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::names::Aliases;

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
    fn words_may_have_blanks_and_lines_may_be_empty() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("v");
        for text in [
            "the 9 9\ncat 5 7 7\ncat 1 2\npolar bear 3 4\n",
            "\u{feff}the 9 9\ncat 1 2\npolar bear 3 4\n",
            "3 2\n\ncat 1 2\r\n\r\npolar bear 3 4\n",
            "\u{feff}3 2\n\n\ncat 1 2\npolar bear 3 4",
            "\n\npolar bear 3 4\ncat 1 2\n",
            "polar\tbear 1 1\npolar bear\t3\t4\n  cat 1 2\n",
        ] {
            std::fs::write(&path, text)?;
            let found = read(&path, &words(&["cat", "polar bear", "bear", "polar"]))?;
            assert_eq!(found, [Some(vec![1.0, 2.0]), Some(vec![3.0, 4.0]), None, None], "{text:?}");
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
        assert_eq!(read_all(&path)?, [("oak".to_owned(), vec![1.0, 2.0]), ("dog".to_owned(), vec![3.0, 4.0])]);
        assert_eq!(read(&path, &words(&["dog", "cat"]))?, [Some(vec![3.0, 4.0]), None]);
        assert!(matches!(read(&folder.path().join("no"), &[]), Err(Error::File { .. })));
        assert!(cosines(&[vec![1.0], vec![1.0, 2.0]]).is_err());
        assert!(cosines(&[vec![0.0]]).is_err());
        Ok(())
    }

    #[test]
    fn classes_without_a_vector_are_named_or_left_out() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("v");
        std::fs::write(&path, "apples 1 0\napple 0 1\nbee 3 4\n\n")?;
        let classes = words(&["apple", "keyboard", "bee"]);
        let aliases = Aliases::published();
        let of = |aliases, unnamed| matrix(&path, &Wanted { classes: Some(&classes), aliases, unnamed });
        let found = of(&aliases, Unnamed::Drop)?;
        assert_eq!((found.names, found.entries), (Some(words(&["apple", "bee"])), vec![1.0, 0.6, 0.6, 1.0]));
        let none = Aliases::default();
        assert_eq!(of(&none, Unnamed::Drop)?.entries, [1.0, 0.8, 0.8, 1.0]);
        let message = of(&aliases, Unnamed::Error).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("no vector for 1 of the classes: \"keyboard\"; give"), "{message}");
        let all = matrix(&path, &Wanted { classes: None, aliases: &aliases, unnamed: Unnamed::Error })?;
        assert_eq!(all.names, Some(words(&["apples", "apple", "bee"])));
        // Nothing is similar to a single class.
        std::fs::write(&path, "bee 3 4\n")?;
        assert!(of(&aliases, Unnamed::Drop).is_err());
        Ok(())
    }
}
