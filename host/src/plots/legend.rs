//! Which mark means what.

use kuva::render::render::{Primitive, TextAnchor};

use super::style;

/// Distance between lines.
const LINE: f64 = 19.0;

/// Entries of a list before the next column begins.
const MAX_ROWS: usize = 20;

/// A mark and its meaning.
#[derive(Clone, Debug)]
pub struct Entry {
    label: String,
    colour: String,
    mark: Mark,
}

/// What is drawn before the words.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    /// A point.
    Dot,
    /// A line, or one of dashes of these lengths.
    Line(Option<&'static str>),
}

impl Entry {
    /// A mark of this colour.
    pub fn new(label: &str, colour: &str, mark: Mark) -> Self {
        Self { label: style::words(label), colour: colour.into(), mark }
    }

    /// How much room it takes: the width of letters differs from viewer to viewer.
    fn width(&self) -> f64 {
        let letters = self.label.chars().count() as f64;
        letters * 6.9 + if matches!(self.mark, Mark::Dot) { 32.0 } else { 44.0 }
    }

    /// With its left end at `x` and its middle at `y`.
    fn at(&self, x: f64, y: f64) -> [Primitive; 2] {
        let colour = || self.colour.as_str().into();
        let (mark, indent) = match self.mark {
            Mark::Dot => {
                let circle = Primitive::Circle {
                    cx: x + 5.0,
                    cy: y,
                    r: 5.0,
                    fill: colour(),
                    fill_opacity: None,
                    stroke: None,
                    stroke_width: None,
                };
                (circle, 16.0)
            }
            Mark::Line(dashes) => {
                let line = Primitive::Line {
                    x1: x,
                    y1: y,
                    x2: x + 20.0,
                    y2: y,
                    stroke: colour(),
                    stroke_width: 2.0,
                    stroke_dasharray: dashes.map(Into::into),
                };
                (line, 27.0)
            }
        };
        [mark, text(x + indent, y + 4.0, &self.label, 12, style::INK)]
    }
}

/// Entries beside each other, in as many rows as the width asks for, the first `y` high.
pub fn rows(entries: &[Entry], left: f64, y: f64, width: f64) -> Vec<Primitive> {
    let (mut x, mut y) = (left, y);
    let mut drawn = Vec::new();
    for entry in entries {
        if x > left && x + entry.width() > left + width {
            (x, y) = (left, y + LINE);
        }
        drawn.extend(entry.at(x, y));
        x += entry.width();
    }
    drawn
}

/// Entries one below the other, in as many columns as they need; with the width of all.
pub fn list(entries: &[Entry], left: f64, top: f64) -> (Vec<Primitive>, f64) {
    let (mut x, mut drawn) = (left, Vec::new());
    for column in entries.chunks(MAX_ROWS) {
        for (i, entry) in column.iter().enumerate() {
            drawn.extend(entry.at(x, top + 8.0 + i as f64 * LINE));
        }
        x += column.iter().map(Entry::width).fold(0.0, f64::max);
    }
    (drawn, x - left)
}

/// Words that begin at `x`, on the line `y`.
pub fn text(x: f64, y: f64, words: &str, size: u32, colour: &str) -> Primitive {
    Primitive::Text {
        x,
        y,
        content: words.into(),
        size,
        anchor: TextAnchor::Start,
        rotate: None,
        bold: false,
        color: Some(colour.into()),
    }
}
