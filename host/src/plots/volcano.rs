//! Volcano plots: how much each gene differs, against how sure that is.

use kuva::plot::{ScatterPlot, annotations::ReferenceLine};

use super::{
    Picture,
    canvas::Panel,
    comparisons::{Comparison, Comparisons, Gene, Mode},
    legend::{self, Entry, Mark},
    style::{self, BLUE, FAINT, GREY, ORANGE},
};

/// Draws a panel for each comparison, with the names of `n_genes` genes in each, half of them
/// on either side.
pub fn draw(comparisons: &Comparisons, n_genes: usize) -> Picture {
    let panels = comparisons.pairs.iter().map(|pair| panel(comparisons, pair, n_genes));
    Picture::of(panels.collect())
}

fn panel(comparisons: &Comparisons, pair: &Comparison, n_genes: usize) -> Panel {
    const SIZE: (f64, f64) = (410.0, 330.0);
    let drawn: Vec<&Gene> =
        pair.genes.iter().filter(|g| g.lfc.is_finite() && g.evidence.is_finite()).collect();
    let of = |colour: &'static str| {
        drawn.iter().copied().filter(move |gene| self::colour(gene) == colour)
    };
    let widest = drawn.iter().map(|gene| gene.lfc.abs()).fold(0.1, f64::max) * 1.15;
    let highest = drawn.iter().map(|gene| gene.evidence).fold(0.1, f64::max);
    let mut layout = style::layout((-widest, widest), (-0.02 * highest, 1.15 * highest));
    for delta in comparisons.delta.into_iter().flat_map(|delta| [-delta, delta]) {
        let line = ReferenceLine::vertical(delta).with_color(FAINT).with_dasharray("2 3");
        layout = layout.with_reference_line(line);
    }
    let (lower, higher) =
        (most_telling(of(BLUE), n_genes / 2), most_telling(of(ORANGE), n_genes.div_ceil(2)));
    let named = [lower, higher].concat();
    let is_named = |gene: &Gene| named.iter().any(|other| std::ptr::eq(*other, gene));
    let unnamed = [GREY, BLUE, ORANGE].map(|colour| {
        let genes: Vec<&Gene> = of(colour).filter(|gene| !is_named(gene)).collect();
        points(&genes, 2.4)
    });
    let labels = named.iter().map(|gene| style::words(&gene.name));
    let labelled = points(&named, 3.4).with_labels(labels).with_repel_labels();
    let plots = unnamed.into_iter().chain([labelled]).filter(|plot| !plot.data.is_empty());
    let entries =
        [(ORANGE, "higher"), (BLUE, "lower"), (GREY, "no difference")].map(|(colour, what)| {
            Entry::new(&format!("{what}: {}", of(colour).count()), colour, Mark::Dot)
        });
    let y = Panel::TOP + SIZE.1 + Panel::BELOW + 10.0;
    Panel {
        size: SIZE,
        beyond: (24.0, 30.0),
        title: pair.title.clone(),
        x_label: "log2 fold change".into(),
        y_label: match comparisons.mode {
            Mode::Change => "evidence: −log10 of the probability of no change".into(),
            Mode::Vanilla => "evidence: size of the Bayes factor".into(),
        },
        layout,
        around: legend::rows(&entries, Panel::LEFT, y, SIZE.0),
        plots: plots.map(Into::into).collect(),
    }
}

/// The surest; of those equally sure, those that differ most.
fn most_telling<'a>(genes: impl Iterator<Item = &'a Gene>, n: usize) -> Vec<&'a Gene> {
    let mut genes: Vec<&Gene> = genes.collect();
    genes.sort_by(|a, b| {
        b.evidence.total_cmp(&a.evidence).then(b.lfc.abs().total_cmp(&a.lfc.abs()))
    });
    genes.truncate(n);
    genes
}

fn colour(gene: &Gene) -> &'static str {
    match (gene.is_de, gene.lfc > 0.0) {
        (false, _) => GREY,
        (true, true) => ORANGE,
        (true, false) => BLUE,
    }
}

fn points(genes: &[&Gene], radius: f64) -> ScatterPlot {
    ScatterPlot::new()
        .with_data(genes.iter().map(|gene| (gene.lfc, gene.evidence)))
        .with_colors(genes.iter().map(|gene| colour(gene)))
        .with_size(radius)
        .with_marker_opacity(0.75)
}
