//! PURE. CSV (RFC 4180) that is safe to open in a spreadsheet. A text that a spreadsheet would interpret as a formula is prefixed
//! with an apostrophe, and characters that hide something or reorder the text around them are left out. Every text is quoted,
//! because a spreadsheet may separate cells at other characters than the comma. The table begins with a byte-order mark, without
//! which Excel reads it in the encoding of the system.

use events::text::shown;

/// First characters of formulas in common spreadsheets, and their full-width variants (OWASP, "CSV Injection").
const FORMULA: [char; 12] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\u{2212}'];

/// The mark of UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The media type of CSV.
pub const CSV: &str = "text/csv; charset=utf-8";

/// The beginning of a table: the byte-order mark and the names of the columns.
#[must_use]
pub fn heading<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    format!("{BYTE_ORDER_MARK}{}", row(names.into_iter().map(Cell::Text)))
}

/// A row with its line end.
#[must_use]
pub fn row<'a>(cells: impl IntoIterator<Item = Cell<'a>>) -> String {
    let cells: Vec<String> = cells.into_iter().map(Cell::write).collect();
    format!("{}\r\n", cells.join(","))
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Untrusted text.
    Text(&'a str),
    /// A whole number.
    Count(u64),
    /// A number with one decimal.
    Tenths(f64),
    /// An empty cell.
    Empty,
}

impl<'a> Cell<'a> {
    /// The text, or an empty cell.
    #[must_use]
    pub fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Self::Empty, Self::Text)
    }

    fn write(self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Count(number) => number.to_string(),
            Self::Tenths(number) => format!("{number:.1}"),
            Self::Empty => String::new(),
        }
    }
}

fn quoted(text: &str) -> String {
    let text = shown(text);
    // Spreadsheets ignore white space before a formula.
    let is_ignored = |char: char| char.is_whitespace() && !FORMULA.contains(&char);
    let is_formula = text.trim_start_matches(is_ignored).starts_with(FORMULA);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_quoted_and_numbers_stay_numbers() {
        let cells = [Cell::Text("Mina, \"M\""), Cell::Count(7), Cell::Tenths(68.25), Cell::Empty];
        assert_eq!(row(cells), "\"Mina, \"\"M\"\"\",7,68.2,\r\n");
        assert_eq!(row([Cell::Text("two\nlines"), Cell::maybe(None)]), "\"two\nlines\",\r\n");
        assert_eq!(row([Cell::Text("a;b")]), "\"a;b\"\r\n");
        assert_eq!(heading(["name", "level"]), "\u{feff}\"name\",\"level\"\r\n");
    }

    #[test]
    fn no_text_is_a_formula() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "  =1",
            "\u{a0}=1",
            "\u{3000}\u{ff1d}1",
            "\u{ff1d}1",
            "\u{ff0b}1",
            "\u{ff0d}1",
            "\u{ff20}SUM(A1)",
            "\u{2212}1",
        ] {
            assert_eq!(row([Cell::Text(text)]), format!("\"'{text}\"\r\n"));
        }
        assert_eq!(row([Cell::Text("\u{feff}=1")]), "\"'=1\"\r\n", "without the mark it is one");
        assert_eq!(row([Cell::Text("a=1")]), "\"a=1\"\r\n");
    }

    #[test]
    fn what_hides_or_reorders_text_is_left_out() {
        assert_eq!(row([Cell::Text("Mi\u{202e}na"), Cell::Text("\u{200b}=1")]), "\"Mina\",\"'=1\"\r\n");
        assert_eq!(row([Cell::Text("👩\u{200d}🚀")]), "\"👩\u{200d}🚀\"\r\n");
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_one_row_of_so_many_cells(texts in proptest::collection::vec(any::<String>(), 1..6)) {
            let written = row(texts.iter().map(|text| Cell::Text(text)));
            let body = written.strip_suffix("\r\n").unwrap();
            let (mut cells, mut inside) = (1, false);
            for char in body.chars() {
                match char {
                    '"' => inside = !inside,
                    ',' if !inside => cells += 1,
                    '\r' | '\n' => prop_assert!(inside, "{written:?}"),
                    _ => {}
                }
            }
            prop_assert!(!inside);
            prop_assert_eq!(cells, texts.len());
        }
    }
}
