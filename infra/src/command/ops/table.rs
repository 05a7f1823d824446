//! PURE. A table as lines of text.

/// `rows` below `heads`: columns as wide as their widest cell, two spaces apart.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(heads[column].chars().count())
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |cells: [&str; N]| {
        let cells: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(heads)];
    lines.extend(rows.iter().map(|row| line(row.each_ref().map(String::as_str))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_heads() {
        let rows = [["a".to_owned(), "12".to_owned()], ["longer".to_owned(), String::new()]];
        assert_eq!(table(["name", "n"], &rows), ["name    n", "a       12", "longer"]);
        assert_eq!(table(["name", "n"], &[]), ["name  n"]);
    }
}
