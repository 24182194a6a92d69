//! What people see: standard output, aligned tables, numbers.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, TableComponent, presets};
use scvi_framework::serde_json::Value;

use crate::failure::{Error, Result};

/// Writes text to standard output.
///
/// # Errors
/// [`Error::NobodyReads`] when the reader has left, [`Error::Write`] for anything else.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(stdout_error)
}

/// Says a line on standard error; nobody is told when even that fails, and the work goes on.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes JSON to standard output.
///
/// # Errors
/// As [`print`].
pub fn print_json(value: &Value) -> Result<()> {
    print(&format!("{value:#}\n"))
}

/// What a failed write to standard output means.
pub fn stdout_error(source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::BrokenPipe => Error::NobodyReads,
        _ => Error::Write { path: "standard output".into(), source },
    }
}

/// An aligned table with a line under its header; wraps at the terminal's width if there is one.
pub fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_style(TableComponent::HeaderLines, '─');
    table.set_header(header).add_rows(rows);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    lines(&mut table)
}

/// Names and values, aligned, without a header.
pub fn pairs<S: Into<String>>(rows: impl IntoIterator<Item = (S, String)>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.add_rows(rows.into_iter().map(|(name, value)| [name.into(), value]));
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    lines(&mut table)
}

/// Each line without the blanks at its end.
fn lines(table: &mut Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((1, 2));
    }
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A title with its block, and an empty line behind.
pub fn section(title: &str, block: &str) -> String {
    format!("{title}\n{block}\n")
}

/// A whole number with commas between thousands.
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A measurement: six digits, without zeros that say nothing.
pub fn number(x: f64) -> String {
    let size = x.abs();
    if !x.is_finite() || x == x.trunc() && size < 1e15 {
        return x.to_string();
    }
    if !(1e-4..1e9).contains(&size) {
        return format!("{x:.3e}");
    }
    let decimals = (5 - size.log10().floor() as i32).max(0) as usize;
    let text = format!("{x:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Seconds as people say them.
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

/// `1 cell`, `2 cells`
pub fn count(n: usize, one: &str) -> String {
    format!("{} {one}{}", grouped(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (x, text) in [
            (1256.93456, "1256.93"),
            (0.5, "0.5"),
            (3.0, "3"),
            (0.001_234_567, "0.00123457"),
            (1e-9, "1.000e-9"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(x), text);
        }
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(duration(59.4), "59 s");
        assert_eq!(duration(61.0), "1 min 01 s");
        assert_eq!(duration(7260.0), "2 h 01 min");
        assert_eq!(count(1, "cell"), "1 cell");
    }

    #[test]
    fn tables_are_aligned_and_have_no_blanks_at_line_ends() {
        let text = table(["name", "n"], [["long name".into(), "1".into()]]);
        assert_eq!(text, " name        n\n────────────────\n long name   1\n");
    }
}
