//! Text files that people give: their rows, and errors that name the place.

use crate::{
    Error,
    error::place::{BadNumber, InFile, Unreadable, list},
};
use std::{fs::File, io::Read, path::Path};

/// The largest file that is read: 1 GiB.
pub const MOST_BYTES: u64 = 1 << 30;

/// The bytes of a file, or `None` where there are more than `most`: then none is kept.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn bytes(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    let read = || {
        let file = File::open(path)?;
        if file.metadata()?.len() > most {
            return Ok(None);
        }
        // What is no file says 0, and whatever it likes later.
        let mut bytes = vec![];
        file.take(most + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= most).then_some(bytes))
    };
    read().map_err(Error::file("read", path))
}

/// The text of a file, without a byte order mark.
///
/// # Errors
/// [`Error::File`], [`Error::Text`].
pub(crate) fn text(path: &Path) -> Result<String, Error> {
    let bytes = bytes(path, MOST_BYTES)?.ok_or_else(|| InFile::file(path, Unreadable::TooLarge))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count() as u64;
        InFile::file(path, Unreadable::Encoding).line(line)
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.into(),
        None => text,
    })
}

/// The fields of one row and the line it begins on.
pub(crate) type Row = (u64, csv::StringRecord);

/// The rows of some text, fields trimmed, empty lines passed over.
///
/// The separator is the comma, semicolon or tab under which the first two rows have equally many fields, the most of
/// them; failing that, the most fields.
pub(crate) fn rows(text: &str) -> impl Iterator<Item = Row> + '_ {
    let reader = |delimiter| {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(delimiter)
            .from_reader(text.as_bytes())
    };
    let fields = |delimiter| {
        let mut rows = reader(delimiter).into_records().filter_map(Result::ok).map(|row| row.len());
        let (first, second) = (rows.next().unwrap_or(0), rows.next().unwrap_or(0));
        (first > 1 && first == second, first)
    };
    let mut delimiter = b',';
    for other in [b';', b'\t'] {
        if fields(other) > fields(delimiter) {
            delimiter = other;
        }
    }
    // The text is UTF-8 in memory and rows may have any length: nothing is left that could fail.
    reader(delimiter).into_records().filter_map(Result::ok).map(move |row| (line_of(text, &row), row))
}

/// Two columns of a table, found by their names in the first row, with the line of each row below.
///
/// # Errors
/// The names that the first row has instead.
pub(crate) fn columns(text: &str, names: [&str; 2]) -> Result<Vec<(u64, [String; 2])>, String> {
    let mut rows = rows(text);
    let first: Vec<String> = rows.next().map_or(vec![], |(_, row)| row.iter().map(str::to_owned).collect());
    let [Some(a), Some(b)] = names.map(|name| first.iter().position(|column| column.eq_ignore_ascii_case(name))) else {
        return Err(list(&first));
    };
    Ok(rows.map(|(line, row)| (line, [a, b].map(|at| row.get(at).unwrap_or("").to_owned()))).collect())
}

/// The line on which a row's first field stands. (The reader's own count includes empty lines before it in the row.)
fn line_of(text: &str, row: &csv::StringRecord) -> u64 {
    let Some(at) = row.position() else { return 0 };
    let rest = text.as_bytes().get(at.byte() as usize..).unwrap_or(&[]);
    at.line() + rest.iter().take_while(|b| matches!(b, b'\n' | b'\r')).filter(|&&b| b == b'\n').count() as u64
}

/// A finite number.
pub(crate) fn number(text: &str) -> Result<f32, BadNumber> {
    if text.is_empty() {
        return Err(BadNumber::Missing);
    }
    match text.parse::<f32>() {
        Ok(x) if x.is_finite() => Ok(x),
        Ok(_) => Err(BadNumber::NotFinite(text.into())),
        Err(_) => {
            let comma = text.replacen(',', ".", 1).parse::<f32>().is_ok();
            let hint = if comma { "; write decimals with a point" } else { "" };
            Err(BadNumber::NotANumber { text: text.into(), hint })
        }
    }
}

/// The number that the name of a class is, if it is one: finite, also as `f32`.
///
/// This is the one definition: `inf`, `nan` and `1e99` are names.
pub(crate) fn class_number(name: &str) -> Option<f64> {
    // Zero has one sign here: -0 and 0 are one class.
    name.parse::<f64>().ok().filter(|x| (*x as f32).is_finite()).map(|x| x + 0.0)
}

/// The numbers that the names of classes are, if all are different and they rise or fall from class to class: then the
/// classes are in an order.
pub(crate) fn numbers_in_order<S: AsRef<str>>(names: &[S]) -> Option<Vec<f64>> {
    let numbers = names.iter().map(|name| class_number(name.as_ref())).collect::<Option<Vec<f64>>>()?;
    let rising = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    let falling = numbers.windows(2).all(|pair| pair[0] > pair[1]);
    (rising || falling).then_some(numbers)
}

/// A name, or a number as every way to write it is read: 3 and 3.0 are one class.
pub(crate) fn key(name: &str) -> String {
    class_number(name).map_or_else(|| name.to_owned(), |x| x.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<(u64, Vec<String>)> {
        rows(text).map(|(line, row)| (line, row.iter().map(String::from).collect())).collect()
    }

    #[test]
    fn separators_are_found() {
        for text in ["a,b\n1,2\n", "a;b\n1;2\n", "a\tb\n1\t2\n", "\"a\";\"b\"\r\n1;2\r\n"] {
            let expected = vec![(1, vec!["a".to_owned(), "b".into()]), (2, vec!["1".into(), "2".into()])];
            assert_eq!(fields(text), expected, "{text:?}");
        }
        // Decimal commas do not make a comma file of a semicolon file.
        assert_eq!(fields("a;b;c\n1,5;2,5;3,5\n")[1].1, ["1,5", "2,5", "3,5"]);
        // A name with a comma in a tab file.
        assert_eq!(fields("a, in cm\tb\n1\t2\n")[0].1, ["a, in cm", "b"]);
    }

    #[test]
    fn lines_are_those_of_an_editor() {
        let lines = |text| fields(text).iter().map(|row| row.0).collect::<Vec<_>>();
        assert_eq!(lines("a,b\n1,2\n3,4\n"), [1, 2, 3]);
        assert_eq!(lines("\n\na,b\n\n1,2\r\n\r\n\r\n3,4"), [3, 5, 8]);
        assert_eq!(lines("a,b\n\"x\ny\",2\n3,4\n"), [1, 2, 4]);
    }

    #[test]
    fn names_are_numbers_by_one_definition() {
        for (names, expected) in [
            (&["1", "2.5", "10"][..], Some(vec![1.0, 2.5, 10.0])),
            (&["3", "2", "-1e1"], Some(vec![3.0, 2.0, -10.0])),
            (&["10", "20", "100", "inf"], None),
            (&["10", "100", "20"], None),
            (&["1", "01"], None),
            (&["nan"], None),
            (&["1", "1e99"], None),
            (&["a", "1"], None),
        ] {
            assert_eq!(numbers_in_order(names), expected, "{names:?}");
        }
        assert_eq!((key("3.0"), key("-0"), key("inf"), key("a")), ("3".into(), "0".into(), "inf".into(), "a".into()));
    }

    #[test]
    fn numbers() {
        assert_eq!(number("-1.5e3"), Ok(-1500.0));
        assert_eq!(number(""), Err(BadNumber::Missing));
        for text in ["NaN", "inf", "-Infinity", "1e39"] {
            assert_eq!(number(text), Err(BadNumber::NotFinite(text.into())));
        }
        assert!(number("3,5").unwrap_err().to_string().contains("point"));
        assert_eq!(number("x").unwrap_err().to_string(), "\"x\" is not a number");
    }
}
