//! `scvi plot`: what must be seen is in the file.

use std::{fs, path::Path};

use roxmltree::{Document, Node};
use scvi_framework::anndata::{Categorical, Element, Nullable, Slot};

use super::{Place, test_data};

/// The colours of training and validation.
const BLUE: &str = "#0072b2";
const ORANGE: &str = "#d55e00";

/// A picture as its file says it.
struct Svg(String);

impl Svg {
    fn read(path: &Path) -> Self {
        Self(fs::read_to_string(path).unwrap())
    }

    fn count(&self, is_meant: impl Fn(&Node) -> bool) -> usize {
        Document::parse(&self.0).unwrap().descendants().filter(is_meant).count()
    }

    fn texts(&self) -> Vec<String> {
        let document = Document::parse(&self.0).unwrap();
        let texts = document.descendants().filter(|node| node.has_tag_name("text"));
        texts.map(|node| node.text().unwrap_or_default().to_owned()).collect()
    }

    #[track_caller]
    fn says(&self, expected: &str) {
        assert!(self.texts().iter().any(|text| text == expected), "{expected}: {:?}", self.texts());
    }

    /// Width and height.
    fn size(&self) -> [f64; 2] {
        let document = Document::parse(&self.0).unwrap();
        let number = |name| document.root_element().attribute(name).unwrap().parse().unwrap();
        [number("width"), number("height")]
    }
}

fn is_curve(node: &Node) -> bool {
    node.has_tag_name("path") && [Some(BLUE), Some(ORANGE)].contains(&node.attribute("stroke"))
}

/// Points have the opacity of points; marks of the legend have none.
fn is_point(node: &Node) -> bool {
    node.has_tag_name("circle") && node.attribute("fill-opacity").is_some()
}

fn is_legend(node: &Node) -> bool {
    node.has_tag_name("circle") && node.attribute("fill-opacity").is_none()
}

/// Where the last point of a curve lies, from left to right.
fn end_of(curve: &Node) -> f64 {
    let path = curve.attribute("d").unwrap();
    let numbers: Vec<f64> = path.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers[numbers.len() - 2]
}

/// Places of lines from top to bottom with these dashes.
fn upright(document: &Document, dashes: &str) -> Vec<f64> {
    let lines = document.descendants().filter(|node| {
        node.attribute("stroke-dasharray") == Some(dashes)
            && node.attribute("x1") == node.attribute("x2")
    });
    lines.map(|line| line.attribute("x1").unwrap().parse().unwrap()).collect()
}

#[test]
fn curves_end_where_training_stopped_early() {
    let place = Place::new();
    // Nothing improves by so much: the first epoch is the best, the third the last.
    let words = "train SCVI s.h5ad --max-epochs 9 --early-stopping --early-stopping-patience 2 \
                 --early-stopping-min-delta 1e6 --out m -q";
    place.scvi(words).says("");
    assert!(place.scvi("show m").says("").out.contains("yes, 3 epochs, stopped early"));
    place.scvi("plot m history --out h.svg").says("wrote h.svg\n");
    let svg = Svg::read(&place.at("h.svg"));
    // elbo, reconstruction_loss, kl_local and loss of both kinds of cells; kl_weight.
    assert_eq!(svg.count(is_curve), 9);
    for text in ["Negative ELBO", "KL divergence", "training cells", "stopped early: 3"] {
        svg.says(text);
    }
    let history = place.scvi("show m --json").says("").out;
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    let elbo = history["model"]["history"]["elbo_validation"].as_array().unwrap();
    let elbo: Vec<f64> = elbo.iter().map(|value| value.as_f64().unwrap()).collect();
    let best = (0..3).min_by(|&a, &b| elbo[a].total_cmp(&elbo[b])).unwrap() + 1;
    svg.says(&format!("best epoch: {best}"));
    let document = Document::parse(&svg.0).unwrap();
    let (stops, bests) = (upright(&document, "none"), upright(&document, "5 3"));
    assert_eq!((stops.len(), bests.len()), (5, 5));
    let curve = document.descendants().find(is_curve).unwrap();
    assert!((stops[0] - end_of(&curve)).abs() < 0.02, "{stops:?}");
    // The ticks say where an epoch is.
    let tick = document.descendants().find(|node| node.text() == Some(&best.to_string()));
    let tick: f64 = tick.unwrap().attribute("x").unwrap().parse().unwrap();
    assert!((bests[0] - tick).abs() < 0.02, "{bests:?}, {tick}");
}

#[test]
fn metrics_are_chosen_by_either_name() {
    let place = Place::with_model();
    place.scvi("plot m history --metric elbo_train,kl_local --out h.svg -q").says("");
    let svg = Svg::read(&place.at("h.svg"));
    assert_eq!(svg.count(is_curve), 2); // nothing was validated
    assert!(svg.texts().iter().all(|text| !text.contains("epoch:")));
    place.scvi("plot m history --metric elbo_trian --out i.svg").fails(
        1,
        "no metric `elbo_trian` (did you mean `elbo_train`?); there are elbo, \
         reconstruction_loss, kl_local, loss, kl_weight, elbo_train, reconstruction_loss_train, \
         kl_local_train, train_loss",
    );
}

#[test]
fn a_map_shows_each_cell_and_each_group() {
    let place = Place::with_model();
    place.change("c.h5ad", |adata| {
        let n = adata.n_obs();
        let names = Element::strings(["z & <b>", "$x$", "unused"]);
        let codes: Vec<i8> = (0..n).map(|i| if i == 0 { -1 } else { (i % 2) as i8 }).collect();
        let of_name =
            Categorical { codes: codes.into(), categories: Box::new(names), ordered: false };
        adata.set(Slot::Obs, "name", Element::Categorical(of_name)).unwrap();
        let depth: Vec<f64> = (0..n).map(|i| 2.0 * i as f64).collect();
        let mask = (0..n).map(|i| i < 3).collect::<Vec<_>>().into();
        let values = Box::new(Element::vector(depth));
        adata.set(Slot::Obs, "depth", Element::Nullable(Nullable { values, mask })).unwrap();
    });
    place.scvi("plot m latent --adata c.h5ad --color name,depth --out l.svg").says("wrote l.svg\n");
    let svg = Svg::read(&place.at("l.svg"));
    assert_eq!(svg.count(is_point), 2 * 200);
    assert_eq!(svg.count(is_legend), 3); // two categories that occur, and what is missing
    for text in
        ["name", "z & <b>", "$x$", "(missing)", "UMAP 1", "UMAP 2 of the latent space, 200 cells"]
    {
        svg.says(text);
    }
    // The ends of the scale of numbers.
    svg.says("6");
    svg.says("398");
    let is_grey = |node: &Node| is_point(node) && node.attribute("fill") == Some("#c8c8c8");
    assert_eq!(svg.count(is_grey), 1 + 3);
    assert!(!svg.0.contains("unused"));
}

#[test]
fn colours_are_those_of_the_set_up_and_many_cells_are_sampled() {
    let place = Place::with_model();
    let said = "drawing 50 of 200 cells, evenly spread; --max-cells N draws more\nwrote l.svg\n";
    place.scvi("plot m latent --max-cells 50 --out l.svg").says(said);
    let svg = Svg::read(&place.at("l.svg"));
    assert_eq!((svg.count(is_point), svg.count(is_legend)), (50, 2));
    for text in ["batch", "batch_0", "batch_1", "UMAP 2 of the latent space, 50 of 200 cells"] {
        svg.says(text);
    }
    place.scvi("plot m latent --max-cells 50 --out again.svg -q").says("");
    assert_eq!(svg.0, Svg::read(&place.at("again.svg")).0);
}

#[test]
fn other_spaces_stand_beside_the_latent_space() {
    let place = Place::with_model();
    place.change("b.h5ad", |adata| {
        let n = adata.n_obs();
        let flat: Vec<f64> = (0..2 * n).map(|i| (i * i % 97) as f64).collect();
        adata.set(Slot::Obsm, "X_flat", Element::matrix(n, 2, flat).unwrap()).unwrap();
        adata.set(Slot::Obsm, "X_nan", Element::matrix(n, 1, vec![f32::NAN; n]).unwrap()).unwrap();
    });
    let words = "plot m latent --adata b.h5ad --color batch,cell_type --beside X_flat --out b.svg";
    place.scvi(words).says("wrote b.svg\n");
    let svg = Svg::read(&place.at("b.svg"));
    assert_eq!(svg.count(is_point), 4 * 200);
    svg.says("dimension 2 of X_flat, 200 cells");
    svg.says("UMAP 2 of the latent space, 200 cells");
    let words = "plot m latent --adata b.h5ad --out c.svg --beside";
    place
        .scvi(&format!("{words} X_nan"))
        .fails(1, "X_nan: 200 cells cannot be laid out on a map: not all values are finite");
    place.scvi(&format!("{words} X_pca")).fails(1, "obsm has no `X_pca`; present: X_flat, X_nan");
}

#[test]
fn a_png_has_the_size_of_the_svg_in_pixels() {
    let place = Place::with_model();
    place.scvi("plot m history --out h.svg -q").says("");
    place.scvi("plot m history --out h.PNG -q").says("");
    let file = fs::File::open(place.at("h.PNG")).unwrap();
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let expected = Svg::read(&place.at("h.svg")).size().map(|side| side * 2.5);
    assert!((f64::from(info.width) - expected[0]).abs() <= 1.0, "{info:?}, {expected:?}");
    assert!((f64::from(info.height) - expected[1]).abs() <= 1.0, "{info:?}, {expected:?}");
    // Letters too: dark pixels above the first axis, where only the title stands.
    let channels = info.line_size / info.width as usize;
    let row = |y: usize| &pixels[y * info.line_size..][..info.line_size];
    let is_dark = |pixel: &[u8]| pixel[..3].iter().all(|&value| value < 100);
    let dark =
        (60..90).flat_map(|y| row(y).chunks(channels)).filter(|pixel| is_dark(pixel)).count();
    assert!(dark > 100, "{dark} dark pixels in the title");
}

#[test]
fn genes_of_a_written_table_and_of_a_comparison_made_now_are_drawn() {
    let place = Place::with_model();
    place.scvi("query m differential-expression --groupby batch --out de.csv -q").says("");
    place.scvi("plot m de --table de.csv --out t.svg").says("wrote t.svg\n");
    let svg = Svg::read(&place.at("t.svg"));
    let rows = csv::Reader::from_path(place.at("de.csv")).unwrap().into_records().count();
    assert_eq!((svg.count(is_point), rows), (100, 100)); // two groups of 50 genes
    assert_eq!(svg.count(is_legend), 2 * 3);
    svg.says("batch_0 vs Rest");
    svg.says("log2 fold change");
    place.scvi("plot m de --table de.csv --group batch_1 --out g.svg -q").says("");
    assert_eq!(Svg::read(&place.at("g.svg")).count(is_point), 50);
    place.scvi("plot m de --groupby batch --mode vanilla --out n.svg -q").says("");
    let svg = Svg::read(&place.at("n.svg"));
    assert_eq!(svg.count(is_point), 100);
    svg.says("evidence: size of the Bayes factor");
}

#[test]
fn models_and_tables_of_scvi_tools_are_drawn() {
    let Some(folder) = test_data("reference/queries_pbmc4k") else { return };
    let (place, at) = (Place::new(), folder.display());
    place.scvi(&format!("plot {at}/model history --out h.svg")).fails(
        1,
        &format!("{at}/model: nothing to draw: the model does not say how its training went"),
    );
    let words = format!("plot {at}/model latent --adata {at}/adata.h5ad --out l.svg");
    let said = place.scvi(&words);
    assert!(said.err.ends_with("wrote l.svg\n"), "{}", said.err);
    let svg = Svg::read(&place.at("l.svg"));
    let cells = super::read(&folder.join("adata.h5ad")).n_obs();
    assert_eq!(svg.count(is_point) % cells, 0);
    for mode in ["change", "vanilla"] {
        place
            .scvi(&format!("plot {at}/model de --table {at}/de_{mode}.csv --out {mode}.svg -q"))
            .says("");
        assert_eq!(Svg::read(&place.at(format!("{mode}.svg"))).count(is_point), 400);
    }
}

#[test]
fn what_cannot_be_drawn_is_said_before_anything_is_written() {
    let place = Place::with_model();
    place.scvi("plot m latent --color bacth --out l.svg").fails(
        1,
        "no column `bacth` in obs (did you mean `batch`?); there are batch, cell_type, donor, \
         cell_source, percent_mito, percent_ribo",
    );
    place
        .scvi("plot m history --out h.pdf")
        .fails(1, "h.pdf: cannot tell the kind of file; expected .svg or .png");
    place
        .scvi("plot m de --table gone.csv --out d.svg")
        .fails(1, "cannot read gone.csv: No such file or directory (os error 2)");
    fs::write(place.at("s.svg"), "mine").unwrap();
    place
        .scvi("plot m history --out s.svg")
        .fails(1, "s.svg exists already; --overwrite replaces it");
    let mut meta: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(place.at("m/model.json")).unwrap()).unwrap();
    meta["history"] = serde_json::json!({});
    fs::write(place.at("m/model.json"), meta.to_string()).unwrap();
    place
        .scvi("plot m history --out h.svg")
        .fails(1, "m: nothing to draw: the model does not say how its training went");
    assert_eq!(place.names(), ["m", "s.h5ad", "s.svg"]);
}
