//! PURE. CSV (RFC 4180) that is safe to open in a spreadsheet: a text that a spreadsheet would interpret as a formula is prefixed
//! with an apostrophe.

/// First characters of formulas in common spreadsheets (OWASP, "CSV Injection").
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The media type of CSV.
pub const CSV: &str = "text/csv; charset=utf-8";

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
    // Spreadsheets ignore leading spaces before a formula.
    let dangerous = text.trim_start_matches(' ').starts_with(FORMULA);
    let text = if dangerous { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be_and_numbers_stay_numbers() {
        let cells = [Cell::Text("Mina, \"M\""), Cell::Count(7), Cell::Tenths(68.25), Cell::Empty];
        assert_eq!(row(cells), "\"Mina, \"\"M\"\"\",7,68.2,\r\n");
        assert_eq!(row([Cell::Text("two\nlines"), Cell::maybe(None)]), "\"two\nlines\",\r\n");
    }

    #[test]
    fn no_text_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1"] {
            let cell = row([Cell::Text(text)]);
            assert!(cell.trim_start_matches('"').starts_with('\''), "{text:?} is {cell:?}");
        }
        assert_eq!(row([Cell::Text("a=1")]), "a=1\r\n");
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
