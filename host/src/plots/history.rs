//! The curves of training: a panel for each metric, of training and validation cells together.

use std::path::Path;

use kuva::{
    plot::{LinePlot, ScatterPlot, annotations::ReferenceLine},
    render::plots::Plot,
};
use scvi_framework::{params::nearest, saved::ModelMeta, train::Ending};

use super::{
    Picture,
    canvas::Panel,
    legend::{self, Entry, Mark},
    style::{self, BLUE, GREY, ORANGE, QUIET},
};
use crate::failure::{Error, Result};

/// Metrics with a name for people and a unit, in the order in which they are drawn; others follow.
const KNOWN: [(&str, &str, &str); 6] = [
    ("elbo", "Negative ELBO", "nats per cell"),
    ("reconstruction_loss", "Reconstruction loss", "nats per cell"),
    ("kl_local", "KL divergence", "nats per cell"),
    ("loss", "Loss", "nats per cell"),
    ("kl_weight", "Weight of the KL divergence", ""),
    ("lr-Adam", "Learning rate", ""),
];

/// The line of the best epoch.
const DASHES: &str = "5 3";

/// What training reached, and when.
pub struct History<'a> {
    n_epochs: usize,
    charts: Vec<Chart>,
    best: Option<(&'a str, usize)>,
    stopped_early: bool,
}

/// A metric.
struct Chart {
    name: String,
    curves: Vec<Curve>,
}

/// One value for each epoch in which it was computed.
struct Curve {
    metric: String,
    subset: Option<Subset>,
    points: Vec<(f64, f64)>,
}

/// The cells that a metric is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subset {
    Training,
    Validation,
}

impl<'a> History<'a> {
    /// That of the model saved in `dir`, without metrics that are always zero.
    ///
    /// # Errors
    /// [`Error::NoHistory`].
    pub fn of(dir: &Path, meta: &'a ModelMeta) -> Result<Self> {
        let n_epochs = meta.history.values().map(Vec::len).max().unwrap_or(0);
        let mut charts: Vec<Chart> = Vec::new();
        for (metric, values) in &meta.history {
            let curve = Curve::of(metric, values, n_epochs);
            if curve.points.iter().all(|&(_, y)| y == 0.0) {
                continue;
            }
            let (name, _) = parts(metric);
            match charts.iter_mut().find(|chart| chart.name == name) {
                Some(chart) => chart.curves.push(curve),
                None => charts.push(Chart { name: name.into(), curves: vec![curve] }),
            }
        }
        if charts.is_empty() {
            return Err(Error::NoHistory { dir: dir.into(), is_trained: meta.is_trained });
        }
        let place = |name: &str| KNOWN.iter().position(|(known, ..)| *known == name);
        charts.sort_by_key(|chart| place(&chart.name).unwrap_or(KNOWN.len()));
        let ending = meta.training.as_ref().and_then(|training| training.ending);
        let watched = watched(meta);
        let best = charts.iter().flat_map(|chart| &chart.curves).find(|c| c.metric == watched);
        let best = best.and_then(Curve::lowest).map(|(epoch, _)| (watched, epoch as usize));
        Ok(Self { n_epochs, charts, best, stopped_early: ending == Some(Ending::EarlyStopping) })
    }

    /// Only these metrics, each by its own name or by that which training and validation share.
    ///
    /// # Errors
    /// [`Error::UnknownMetric`].
    pub fn only(mut self, asked: &[String]) -> Result<Self> {
        let own = |chart: &Chart| -> Vec<String> {
            chart.curves.iter().map(|curve| curve.metric.clone()).collect()
        };
        let mut known: Vec<String> = self.charts.iter().map(|chart| chart.name.clone()).collect();
        known.extend(
            self.charts
                .iter()
                .flat_map(own)
                .filter(|name| !known.contains(name))
                .collect::<Vec<_>>(),
        );
        if let Some(name) = asked.iter().find(|name| !known.contains(name)) {
            let nearest = nearest(name, &known);
            return Err(Error::UnknownMetric { name: name.clone(), nearest, known });
        }
        for chart in &mut self.charts {
            if !asked.is_empty() && !asked.contains(&chart.name) {
                chart.curves.retain(|curve| asked.contains(&curve.metric));
            }
        }
        self.charts.retain(|chart| !chart.curves.is_empty());
        Ok(self)
    }

    /// Draws it.
    pub fn draw(self) -> Picture {
        let panels = self.charts.iter().map(|chart| self.panel(chart));
        Picture::of(panels.collect())
    }

    fn panel(&self, chart: &Chart) -> Panel {
        const SIZE: (f64, f64) = (350.0, 230.0);
        let known = KNOWN.iter().find(|(name, ..)| *name == chart.name);
        let (title, unit) =
            known.map_or((chart.name.as_str(), ""), |(_, title, unit)| (title, unit));
        let values = chart.curves.iter().flat_map(|curve| &curve.points).map(|&(_, y)| y);
        let x = style::with_room((1.0, self.n_epochs as f64), 0.03);
        let y = style::with_room(style::range(values), 0.06);
        let mut layout = style::layout(x, y);
        let (mut plots, mut entries) = (Vec::new(), Vec::new());
        for curve in &chart.curves {
            let (label, colour) = match curve.subset {
                Some(Subset::Training) => ("training cells", BLUE),
                Some(Subset::Validation) => ("validation cells", ORANGE),
                None => (curve.metric.as_str(), BLUE),
            };
            entries.push(Entry::new(label, colour, Mark::Line(None)));
            plots.extend(curve.draw(colour));
        }
        if let Some((watched, epoch)) = self.best {
            layout = layout.with_reference_line(at(epoch, QUIET, DASHES));
            let label = format!("best epoch: {epoch}");
            entries.push(Entry::new(&label, QUIET, Mark::Line(Some(DASHES))));
            let curve = chart.curves.iter().find(|curve| curve.metric == watched);
            let point = curve.and_then(Curve::lowest).map(|point| dot(point, ORANGE));
            plots.extend(point);
        }
        if self.stopped_early {
            layout =
                layout.with_reference_line(at(self.n_epochs, GREY, "none").with_stroke_width(3.0));
            let label = format!("stopped early: {}", self.n_epochs);
            entries.push(Entry::new(&label, GREY, Mark::Line(None)));
        }
        let y = Panel::TOP + SIZE.1 + Panel::BELOW + 10.0;
        let around = legend::rows(&entries, Panel::LEFT, y, SIZE.0);
        let (title, y_label) = (title.into(), unit.into());
        let x_label = "epoch".into();
        Panel { size: SIZE, beyond: (18.0, 48.0), title, x_label, y_label, layout, plots, around }
    }
}

impl Curve {
    /// Metrics that were computed in fewer epochs than others were so at equal distances.
    fn of(metric: &str, values: &[f64], n_epochs: usize) -> Self {
        let every = n_epochs / values.len().max(1);
        let epoch = |i: usize| ((i + 1) * every.max(1)) as f64;
        let points = values.iter().enumerate().map(|(i, &y)| (epoch(i), y));
        let points = points.filter(|(_, y)| y.is_finite()).collect();
        Self { metric: metric.into(), subset: parts(metric).1, points }
    }

    /// A line; a point where there is only one.
    fn draw(&self, colour: &str) -> Vec<Plot> {
        if let [point] = self.points[..] {
            return vec![dot(point, colour)];
        }
        let points = self.points.iter().copied();
        vec![LinePlot::new().with_data(points).with_color(colour).with_stroke_width(2.0).into()]
    }

    fn lowest(&self) -> Option<(f64, f64)> {
        self.points.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// `elbo_train` → `elbo` of training cells.
fn parts(metric: &str) -> (&str, Option<Subset>) {
    for (word, subset) in [("train", Subset::Training), ("validation", Subset::Validation)] {
        let before = metric.strip_suffix(word).and_then(|name| name.strip_suffix('_'));
        let behind = || metric.strip_prefix(word).and_then(|name| name.strip_prefix('_'));
        if let Some(name) = before.or_else(behind) {
            return (name.strip_suffix("_epoch").unwrap_or(name), Some(subset));
        }
    }
    (metric, None)
}

/// The metric that early stopping watched, or would watch.
fn watched(meta: &ModelMeta) -> &str {
    let named = meta.training.as_ref().and_then(|t| t.args.get("early_stopping_monitor"));
    named.and_then(|name| name.as_str()).unwrap_or("elbo_validation")
}

fn dot(point: (f64, f64), colour: &str) -> Plot {
    ScatterPlot::new().with_data([point]).with_color(colour).with_size(4.0).into()
}

fn at(epoch: usize, color: &str, dashes: &str) -> ReferenceLine {
    ReferenceLine::vertical(epoch as f64)
        .with_color(color)
        .with_stroke_width(1.3)
        .with_dasharray(dashes)
}
