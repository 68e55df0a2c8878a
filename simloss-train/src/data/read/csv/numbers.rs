//! What one field of a table is: a number, missing, or text.

/// A field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Field<'a> {
    /// A finite number, and whether its decimals stand behind a comma.
    Number(f32, bool),
    /// Nothing, or what stands for it.
    Missing(&'a str),
    /// A number that 32 bits do not hold.
    NotFinite(&'a str),
    /// Digits in groups: one number or another.
    Grouped(&'a str),
    /// Anything else.
    Text(&'a str),
}

/// What stands for a missing value, in small letters.
const MISSING: [&str; 10] = ["?", "na", "n/a", "nan", "-nan", "null", "none", "#n/a", "<na>", "#na"];

/// Whether a field says that its value is missing; `none` may also be the name of a class.
pub(crate) fn is_missing(text: &str) -> bool {
    text.is_empty() || (text.len() <= 4 && MISSING.iter().any(|name| text.eq_ignore_ascii_case(name)))
}

/// The same of a label.
pub(crate) fn is_missing_label(text: &str) -> bool {
    is_missing(text) && !text.eq_ignore_ascii_case("none")
}

impl<'a> Field<'a> {
    /// `commas` says whether a comma may stand before decimals.
    #[inline]
    pub(crate) fn of(text: &'a str, commas: bool) -> Self {
        match text.parse::<f32>() {
            Ok(x) if x.is_finite() => Field::Number(x, false),
            _ => Self::other(text.trim(), commas),
        }
    }

    #[cold]
    fn other(text: &'a str, commas: bool) -> Self {
        if is_missing(text) {
            return Field::Missing(text);
        }
        match text.parse::<f32>() {
            Ok(x) if x.is_finite() => return Field::Number(x, false),
            Ok(_) => return Field::NotFinite(text),
            Err(_) => {}
        }
        if commas
            && decimal_comma(text)
            && let Ok(x) = text.replacen(',', ".", 1).parse::<f32>()
            && x.is_finite()
        {
            return Field::Number(x, true);
        }
        if is_grouped(text) { Field::Grouped(text) } else { Field::Text(text) }
    }
}

/// Whether a text is a number with one comma and no point.
fn decimal_comma(text: &str) -> bool {
    text.bytes().filter(|&b| b == b',').count() == 1 && !text.contains('.')
}

/// Whether a text may be a number with its digits in groups of three: `1,376`, `1.037,50`, `1 000`. `0,377` is none.
pub(crate) fn is_grouped(text: &str) -> bool {
    let plain = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_separator = |c: char| matches!(c, ',' | '.' | '\'' | '\u{2019}' | ' ' | '\u{a0}' | '\u{202f}');
    let groups: Vec<&str> = plain.split(is_separator).collect();
    let separators: Vec<char> = plain.chars().filter(|&c| is_separator(c)).collect();
    let (Some((first, rest)), Some((last, before))) = (groups.split_first(), separators.split_last()) else {
        return false;
    };
    // The last of several separators may stand before decimals.
    let decimals = before.first().is_some_and(|other| other != last);
    let threes = &rest[..rest.len() - usize::from(decimals)];
    before.windows(2).all(|pair| pair[0] == pair[1])
        && groups.iter().all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()))
        && first.len() <= 3
        && !first.starts_with('0')
        && threes.iter().all(|group| group.len() == 3)
}

/// Whether a text is a number with a decimal comma, and with nothing else.
pub(crate) fn is_decimal_comma(text: &str) -> bool {
    decimal_comma(text) && !is_grouped(text) && text.replacen(',', ".", 1).parse::<f32>().is_ok()
}

/// How a grouped number may be read, for people: `1376, if the comma groups digits, or 1.376, if it stands before
/// decimals`.
pub(crate) fn readings(text: &str) -> String {
    let digits = |text: &str| text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '-' | '+')).collect::<String>();
    let Some(last) = text.rfind([',', '.']) else {
        return format!("{}, if its digits are in groups", digits(text));
    };
    let (before, after) = (digits(&text[..last]), digits(&text[last + 1..]));
    let separator = if text[last..].starts_with(',') { "comma" } else { "point" };
    let whole = digits(text);
    match text.matches([',', '.']).count() {
        1 => format!("{whole}, if the {separator} groups digits, or {before}.{after}, if it stands before decimals"),
        _ if text.contains(',') && text.contains('.') => {
            format!("{before}.{after}, if the {separator} stands before decimals, or {whole}, if it groups digits too")
        }
        _ => format!("{whole}, if the {separator}s group digits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        assert_eq!(Field::of("-1.5e3", false), Field::Number(-1500.0, false));
        assert_eq!(Field::of(" 2 ", false), Field::Number(2.0, false));
        for text in ["", " ", "?", "NA", "n/a", "NaN", "null", "None", "#N/A", "<NA>"] {
            assert_eq!(Field::of(text, false), Field::Missing(text.trim()));
        }
        assert!(is_missing_label("NA") && !is_missing_label("none") && !is_missing_label("nano"));
        assert_eq!(Field::of("0,377", true), Field::Number(0.377, true));
        assert_eq!(Field::of("-1,5", true), Field::Number(-1.5, true));
        for text in ["1,376", "1.037,50", "1 000", "1'000", "1,234,567", "1.234.567"] {
            assert_eq!(Field::of(text, false), Field::Grouped(text));
        }
        assert_eq!(Field::of("1.037,50", true), Field::Grouped("1.037,50"));
        assert_eq!(Field::of("inf", false), Field::NotFinite("inf"));
        assert_eq!(Field::of("1e39", false), Field::NotFinite("1e39"));
        assert_eq!(Field::of("1,376", true), Field::Number(1.376, true));
        for text in ["1,376", "-12,000", "1.037"] {
            assert!(is_grouped(text), "{text}");
        }
        for text in ["0,377", "1,5", "1,3760", "1234,567", "1,23,456", "376"] {
            assert!(!is_grouped(text), "{text}");
        }
        assert!(is_decimal_comma("0,377") && !is_decimal_comma("1,376") && !is_decimal_comma("1,x"));
        for text in ["red", "1,2,", "0-9", "12:30", "2021-01-31", "2021.01.31", "1.2.0"] {
            assert_eq!(Field::of(text, true), Field::Text(text));
        }
    }

    #[test]
    fn both_readings_are_named() {
        for (text, expected) in [
            ("1,376", "1376, if the comma groups digits, or 1.376, if it stands before decimals"),
            ("-1.037,50", "-1037.50, if the comma stands before decimals, or -103750, if it groups digits too"),
            ("1.234.567", "1234567, if the points group digits"),
            ("1 000", "1000, if its digits are in groups"),
        ] {
            assert_eq!(readings(text), expected);
        }
    }
}
