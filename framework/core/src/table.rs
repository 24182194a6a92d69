//! Small tables of text, for people.

use std::fmt;

/// A table with a title; as text, columns are aligned under a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it is about.
    pub title: String,
    /// What each column holds.
    pub header: Vec<&'static str>,
    /// Rows from top to bottom, each as long as the header.
    pub rows: Vec<Vec<String>>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |text: &str| text.chars().count();
        let mut widths: Vec<usize> = self.header.iter().map(|name| length(name)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(length(cell));
            }
        }
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).map(|(cell, &width)| format!(" {cell:<width$}  "));
            padded.collect::<String>().trim_end().to_owned()
        };
        let rule = "─".repeat(widths.iter().map(|width| width + 3).sum());
        writeln!(f, "{}\n{}\n{rule}", self.title, line(&mut self.header.iter().copied()))?;
        self.rows
            .iter()
            .try_for_each(|row| writeln!(f, "{}", line(&mut row.iter().map(String::as_str))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let rows = vec![vec!["naïve cell".into(), "1".into()], vec![String::new(), "20".into()]];
        let table = Table { title: "Things".into(), header: vec!["name", "n"], rows };
        let expected =
            "Things\n name         n\n──────────────────\n naïve cell   1\n              20\n";
        assert_eq!(table.to_string(), expected);
    }
}
