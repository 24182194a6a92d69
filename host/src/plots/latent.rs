//! The map of a latent space, once for each column that gives the colours.

use kuva::{
    plot::ScatterPlot,
    render::{layout::Layout, render::Primitive},
};

use super::{
    Picture,
    canvas::Panel,
    colours::{Column, ColumnValues, Scale},
    embedding::Embedding,
    legend::{self, Entry, Mark},
    style::{self, GREY, QUIET},
};
use crate::term;

/// Side of the map itself.
const SIDE: f64 = 380.0;

/// Where the legend begins.
const BESIDE: f64 = Panel::LEFT + SIDE + 20.0;

/// Draws the cells, some of `n_obs`, at their places in each space: spaces side by side, and a row for
/// each column.
pub fn draw(spaces: &[Embedding], columns: &[Column], n_obs: usize) -> Picture {
    let of_column = |column| spaces.iter().map(move |space| coloured(space, column, n_obs));
    let panels: Vec<Panel> = match columns {
        [] => spaces.iter().map(|space| plain(space, n_obs)).collect(),
        columns => columns.iter().flat_map(of_column).collect(),
    };
    let columns = if spaces.len() > 1 { spaces.len() } else { panels.len().min(2) };
    Picture { panels, columns }
}

fn plain(embedding: &Embedding, n_obs: usize) -> Panel {
    let order: Vec<usize> = (0..embedding.points.len()).collect();
    let colours = vec![style::BLUE.to_owned(); order.len()];
    panel("All cells", embedding, n_obs, points(embedding, &order, colours), (Vec::new(), 20.0))
}

fn coloured(embedding: &Embedding, column: &Column, n_obs: usize) -> Panel {
    let (order, colours, legend) = match &column.values {
        ColumnValues::Groups { names, of_cell } => {
            let palette = style::palette(names.len());
            let order = mixed(of_cell.len());
            let colour = |&cell: &usize| of_cell[cell].map_or(GREY, |g| &palette[g]).to_owned();
            let colours = order.iter().map(colour).collect();
            let named = names.iter().zip(&palette);
            let mut entries: Vec<Entry> =
                named.map(|(name, colour)| Entry::new(name, colour, Mark::Dot)).collect();
            if of_cell.contains(&None) {
                entries.push(Entry::new("(missing)", GREY, Mark::Dot));
            }
            (order, colours, legend::list(&entries, BESIDE, Panel::TOP))
        }
        ColumnValues::Numbers(values) => {
            let scale = Scale::of(values);
            let colour = |value: f64| match &scale {
                Some(scale) if !value.is_nan() => scale.colour(value),
                _ => GREY.to_owned(),
            };
            // Large values lie on top, as in scanpy; what is missing below all.
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by(|&a, &b| {
                values[b].is_nan().cmp(&values[a].is_nan()).then(values[a].total_cmp(&values[b]))
            });
            let colours = order.iter().map(|&cell| colour(values[cell])).collect();
            (order, colours, (scale.map_or(Vec::new(), |scale| bar(&scale)), 80.0))
        }
    };
    let points = points(embedding, &order, colours);
    panel(&column.name, embedding, n_obs, points, legend)
}

/// Axes around all cells, without grid.
fn panel(
    title: &str,
    embedding: &Embedding,
    n_obs: usize,
    points: ScatterPlot,
    (around, width): (Vec<Primitive>, f64),
) -> Panel {
    let [across, up] = embedding.axes;
    let n = embedding.points.len();
    let cells = match n == n_obs {
        true => term::count(n, "cell"),
        false => format!("{} of {}", term::grouped(n), term::count(n_obs, "cell")),
    };
    Panel {
        size: (SIDE, SIDE),
        beyond: (width + 20.0, 0.0),
        title: title.into(),
        y_label: format!("{up} of {}, {cells}", style::words(&embedding.name)),
        x_label: across.into(),
        layout: axes(embedding),
        plots: vec![points.into()],
        around,
    }
}

fn axes(embedding: &Embedding) -> Layout {
    let x = style::range(embedding.points.iter().map(|p| p.0));
    let y = style::range(embedding.points.iter().map(|p| p.1));
    style::layout(style::with_room(x, 0.04), style::with_room(y, 0.04)).with_show_grid(false)
}

/// Points of their own colours, one upon the other in this order; many are small.
fn points(embedding: &Embedding, order: &[usize], colours: Vec<String>) -> ScatterPlot {
    let places = order.iter().map(|&cell| embedding.points[cell]);
    let radius = (110.0 / (order.len().max(1) as f64).sqrt()).clamp(0.9, 4.0);
    ScatterPlot::new()
        .with_data(places)
        .with_colors(colours)
        .with_size(radius)
        .with_marker_opacity(0.8)
}

/// All cells, neighbours in the data set far apart, so that no group hides the others.
fn mixed(n_cells: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n_cells).collect();
    order.sort_by_key(|&cell| (cell as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    order
}

/// The scale of colours beside a map, with the numbers at its ends and in between.
fn bar(scale: &Scale) -> Vec<Primitive> {
    const STEPS: usize = 64;
    const HEIGHT: f64 = 180.0;
    const WIDTH: f64 = 14.0;
    let (x, y) = (BESIDE, Panel::TOP + 6.0);
    let step = HEIGHT / STEPS as f64;
    let (low, high) = scale.ends;
    let value = |share: f64| low + (high - low) * share;
    let colour = |i: usize| scale.colour(value(1.0 - (i as f64 + 0.5) / STEPS as f64));
    let steps = Primitive::RectBatch {
        x: vec![x; STEPS],
        y: (0..STEPS).map(|i| y + i as f64 * step).collect(),
        w: vec![WIDTH; STEPS],
        // Each a little over the next, so that no line shows between them.
        h: vec![step + 0.5; STEPS],
        fills: (0..STEPS).map(|i| colour(i).as_str().into()).collect(),
    };
    let number = |share: f64| {
        let number = term::number(short(value(share)));
        legend::text(x + WIDTH + 6.0, y + HEIGHT * (1.0 - share) + 4.0, &number, 11, QUIET)
    };
    let shares: &[f64] = if high > low { &[0.0, 0.25, 0.5, 0.75, 1.0] } else { &[0.5] };
    [steps].into_iter().chain(shares.iter().map(|&share| number(share))).collect()
}

/// Four digits of a number.
fn short(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}
