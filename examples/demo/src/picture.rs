//! The picture: columns before and after, a row per way to colour the cells.
//!
//! Points of one colour are one SVG path of zero-length strokes with round caps, which keeps
//! thousands of cells at a few bytes each.

use std::{fmt::Write, path::Path};

use anyhow::{Context, Result};

use crate::{groups::Groups, neighbours::Neighbours};

/// Cells that are drawn.
const MAX_POINTS: usize = 2500;

/// Each colour is drawn in this many turns, so that none hides the others.
const TURNS: usize = 8;

/// Side of a panel, space around it, width of the legend.
const SIDE: f32 = 340.0;
const GAP: f32 = 24.0;
const HEAD: f32 = 40.0;
const LEGEND: f32 = 150.0;

/// Colours that are told apart in all common forms of colour blindness, for few groups …
const FEW: [&str; 6] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];

/// … and a longer list for many.
const MANY: [&str; 20] = [
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#ff9da7",
    "#9c755f", "#bab0ac", "#1f77b4", "#8c564b", "#2ca02c", "#9467bd", "#17becf", "#bcbd22",
    "#7f7f7f", "#e377c2", "#aec7e8", "#98df8a",
];

/// One space, laid out in the plane.
pub struct Panel {
    /// What it is.
    pub title: &'static str,
    /// Where each cell lies.
    pub points: Vec<[f32; 2]>,
    /// Neighbours of the cells in the space itself.
    pub near: Neighbours,
}

/// Draws the panels, coloured by each of the groups.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, panels: &[Panel], groups: &[Groups]) -> Result<()> {
    let svg = draw(panels, groups)?;
    std::fs::write(path, svg).with_context(|| format!("{}: could not be written", path.display()))
}

fn draw(panels: &[Panel], groups: &[Groups]) -> Result<String> {
    let width = GAP + panels.len() as f32 * (SIDE + GAP) + LEGEND;
    let height = groups.len() as f32 * (SIDE + HEAD) + GAP;
    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' \
         font-family='Helvetica,Arial,sans-serif' font-size='13' fill='#333'>\n\
         <rect width='100%' height='100%' fill='#fff'/>"
    )?;
    for (row, group) in groups.iter().enumerate() {
        let top = HEAD + row as f32 * (SIDE + HEAD);
        for (column, panel) in panels.iter().enumerate() {
            let left = GAP + column as f32 * (SIDE + GAP);
            writeln!(svg, "<g transform='translate({left} {top})'>")?;
            writeln!(
                svg,
                "<text y='-10' font-weight='600'>{}</text>\
                 <text x='{SIDE}' y='-10' text-anchor='end' fill='#777'>{} purity {:.2}</text>\n\
                 <rect width='{SIDE}' height='{SIDE}' rx='4' fill='none' stroke='#ddd'/>",
                panel.title,
                group.title,
                group.purity(&panel.near)
            )?;
            cells(&mut svg, &panel.points, group)?;
            svg.push_str("</g>\n");
        }
        let left = GAP + panels.len() as f32 * (SIDE + GAP);
        legend(&mut svg, left, top, group)?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn cells(svg: &mut String, points: &[[f32; 2]], group: &Groups) -> Result<()> {
    let drawn: Vec<usize> = {
        let n = points.len().min(MAX_POINTS);
        (0..n).map(|i| i * points.len() / n).collect()
    };
    let placed = fit(points);
    writeln!(
        svg,
        "<g fill='none' stroke-linecap='round' stroke-width='3.2' stroke-opacity='.75'>"
    )?;
    for turn in 0..TURNS {
        for g in 0..group.names.len() {
            let mine = drawn.iter().enumerate().filter(|(i, cell)| {
                // Neighbouring numbers may come from one batch; a product spreads them.
                i.wrapping_mul(2_654_435_761) % TURNS == turn && group.of_cell[**cell] == g
            });
            let mut path = String::new();
            for (_, &cell) in mine {
                let [x, y] = placed[cell];
                write!(path, "M{x:.0} {y:.0}h0")?;
            }
            if !path.is_empty() {
                writeln!(svg, "<path stroke='{}' d='{path}'/>", colour(group, g))?;
            }
        }
    }
    svg.push_str("</g>\n");
    Ok(())
}

fn legend(svg: &mut String, left: f32, top: f32, group: &Groups) -> Result<()> {
    writeln!(svg, "<text x='{left}' y='{}' font-weight='600'>{}</text>", top - 10.0, group.title)?;
    let step = (SIDE / group.names.len().max(1) as f32).min(20.0);
    for (g, name) in group.names.iter().enumerate() {
        let y = top + 12.0 + g as f32 * step;
        let (fill, name) = (colour(group, g), escaped(name));
        writeln!(svg, "<circle cx='{}' cy='{}' r='5' fill='{fill}'/>", left + 5.0, y - 4.5)?;
        writeln!(svg, "<text x='{}' y='{y}'>{name}</text>", left + 16.0)?;
    }
    Ok(())
}

/// Points moved and scaled into a panel, axes alike; the outermost half per cent may be cut off.
fn fit(points: &[[f32; 2]]) -> Vec<[f32; 2]> {
    const MARGIN: f32 = 12.0;
    let range = |axis: usize| {
        let mut values: Vec<f32> = points.iter().map(|p| p[axis]).collect();
        values.sort_by(f32::total_cmp);
        let cut = values.len() / 200;
        (values[cut], values[values.len() - 1 - cut])
    };
    let ranges = [range(0), range(1)];
    let widest = ranges.iter().map(|(low, high)| high - low).fold(f32::MIN_POSITIVE, f32::max);
    let scale = (SIDE - 2.0 * MARGIN) / widest;
    let place = |value: f32, (low, high): (f32, f32)| {
        let middle = (low + high) / 2.0;
        (SIDE / 2.0 + (value - middle) * scale).clamp(3.0, SIDE - 3.0)
    };
    points.iter().map(|p| [place(p[0], ranges[0]), SIDE - place(p[1], ranges[1])]).collect()
}

fn colour(group: &Groups, g: usize) -> &'static str {
    if group.names.len() <= FEW.len() { FEW[g] } else { MANY[g % MANY.len()] }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
