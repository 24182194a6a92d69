//! Differential expression against tables that scvi-tools wrote, and its refusals.

use std::{collections::HashMap, path::PathBuf};

use scvi_framework::{
    anndata::{AnnData, DataFrame, Element},
    model::{
        Event, MinifyParams, Model, Observer, OutputSpec, Settings, Silent, Sink,
        queries::{DeMode, Delta, DifferentialExpressionParams, ImportanceParams, Weights},
    },
    train::TrainParams,
};
use scvi_h5ad::ReadOptions;
use scvi_plugin_scvi::{Scvi, ScviSetup};

use crate::reference::Trained;

struct Reference {
    folder: PathBuf,
    model: Model<Scvi>,
    adata: AnnData,
    label: String,
}

#[derive(Default)]
struct Tables(Vec<DataFrame>);

impl Sink for Tables {
    fn begin(&mut self, spec: &OutputSpec) -> scvi_framework::Result<()> {
        assert_eq!((spec.name.as_str(), spec.dtype), ("differential_expression", None));
        Ok(())
    }

    fn rows(&mut self, block: Element) -> scvi_framework::Result<()> {
        let Element::DataFrame(table) = block else { panic!("not a table") };
        self.0.push(table);
        Ok(())
    }
}

impl Reference {
    fn open() -> Option<Self> {
        let Trained { folder, model, adata, label } = Trained::open()?;
        Some(Self { folder, model, adata, label })
    }

    fn ask(&mut self, params: &DifferentialExpressionParams) -> Vec<DataFrame> {
        Settings::default().apply(); // the same draws each time
        let mut tables = Tables::default();
        let Self { model, adata, .. } = self;
        model.differential_expression(adata, params, &mut tables, &mut Silent).unwrap();
        tables.0
    }

    fn refused(&mut self, params: &DifferentialExpressionParams) -> String {
        let Self { model, adata, .. } = self;
        let asked =
            model.differential_expression(adata, params, &mut Tables::default(), &mut Silent);
        asked.unwrap_err().to_string()
    }

    fn between(&self, first: &str, second: Option<&str>) -> DifferentialExpressionParams {
        DifferentialExpressionParams {
            groupby: Some(self.label.clone()),
            group1: vec![first.into()],
            group2: second.map(Into::into),
            ..Default::default()
        }
    }

    /// A column of a table of scvi-tools, by gene.
    fn expected(&self, file: &str) -> (Vec<String>, HashMap<String, HashMap<String, String>>) {
        let mut reader = csv::Reader::from_path(self.folder.join(file)).unwrap();
        let heads: Vec<String> = reader.headers().unwrap().iter().map(Into::into).collect();
        let mut columns: HashMap<String, HashMap<String, String>> = HashMap::new();
        for record in reader.records() {
            let record = record.unwrap();
            for (head, value) in heads.iter().zip(&record).skip(1) {
                let column = columns.entry(head.clone()).or_default();
                column.insert(record[0].to_owned(), value.to_owned());
            }
        }
        (heads[1..].to_vec(), columns)
    }
}

/// Values of both tables, gene by gene.
fn both(
    found: &DataFrame,
    expected: &HashMap<String, HashMap<String, String>>,
    name: &str,
) -> (Vec<f64>, Vec<f64>) {
    let Element::Dense(values) = found.column("table", name).unwrap() else { panic!("{name}") };
    let number = |text: &String| match text.as_str() {
        "True" => 1.0,
        "False" => 0.0,
        number => number.parse().unwrap(),
    };
    let genes = found.names().unwrap().iter();
    let pairs = genes
        .enumerate()
        .map(|(row, gene)| (values.values.get_f64(row), number(&expected[name][gene])));
    pairs.unzip()
}

fn pearson((a, b): &(Vec<f64>, Vec<f64>)) -> f64 {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let mut sums = [0.0; 3];
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        sums[0] += x * y;
        sums[1] += x * x;
        sums[2] += y * y;
    }
    sums[0] / (sums[1] * sums[2]).sqrt()
}

/// The numbers in a column, in the order of the genes' names.
fn by_gene(table: &DataFrame, column: &str) -> Vec<f64> {
    let Element::Dense(d) = table.column("table", column).unwrap() else { panic!("no numbers") };
    let mut named: Vec<(String, f64)> = (0..table.n_rows())
        .map(|row| (table.names().unwrap().get(row).into(), d.values.get_f64(row)))
        .collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named.into_iter().map(|(_, value)| value).collect()
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |v: &f64| values.iter().filter(|w| *w < v).count() as f64;
    let equal = |v: &f64| values.iter().filter(|w| *w == v).count() as f64;
    values.iter().map(|v| below(v) + (equal(v) - 1.0) / 2.0).collect()
}

fn exact(found: &DataFrame, expected: &HashMap<String, HashMap<String, String>>) {
    for name in ["raw_mean", "non_zeros_proportion", "raw_normalized_mean"] {
        for side in [1, 2] {
            let (a, b) = both(found, expected, &format!("{name}{side}"));
            let off = a.iter().zip(&b).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
            assert!(off.fold(0.0, f64::max) < 1e-5, "{name}{side}");
        }
    }
    for name in ["comparison", "group1", "group2"] {
        let Element::Strings(texts) = found.column("table", name).unwrap() else { panic!("text") };
        let gene = found.names().unwrap().get(0);
        assert_eq!(texts.get(0), expected[name][gene]);
    }
}

#[test]
fn change_agrees_with_scvi_tools() {
    let Some(mut reference) = Reference::open() else { return };
    let (heads, expected) = reference.expected("de_change.csv");
    let asked = reference.between("ct1", Some("ct2"));
    let asked = DifferentialExpressionParams { n_samples_overall: 20_000, ..asked };
    let tables = reference.ask(&asked);
    let [found] = tables.as_slice() else { panic!("{} tables", tables.len()) };
    assert_eq!(found.columns.keys().cloned().collect::<Vec<_>>(), heads);
    exact(found, &expected);
    let p = pearson(&both(found, &expected, "proba_de"));
    let lfc = pearson(&both(found, &expected, "lfc_mean"));
    let (a, b) = both(found, &expected, "bayes_factor");
    let order = pearson(&(ranks(&a), ranks(&b)));
    let (a, b) = both(found, &expected, "is_de_fdr_0.05");
    let same = a.iter().zip(&b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64;
    println!("proba_de {p}, lfc_mean {lfc}, bayes_factor {order}, is_de {same}");
    assert!(p >= 0.999 && lfc >= 0.999 && order >= 0.99 && same >= 0.99);
    let (a, b) = both(found, &expected, "pseudocounts"); // from the highest of all draws
    assert!((a[0] / b[0]).ln().abs() < 0.5, "{} {}", a[0], b[0]);
    // What depends on the tails of the draws is noisier.
    let least = [("lfc_median", 0.999), ("lfc_std", 0.995), ("scale1", 0.999), ("scale2", 0.999)];
    for (name, least) in least {
        let r = pearson(&both(found, &expected, name));
        assert!(r >= least, "{name}: {r}");
    }
}

#[test]
fn vanilla_agrees_with_scvi_tools() {
    let Some(mut reference) = Reference::open() else { return };
    let (heads, expected) = reference.expected("de_vanilla.csv");
    let asked = reference.between("ct1", Some("ct2"));
    let mode = DeMode::Vanilla;
    let tables =
        reference.ask(&DifferentialExpressionParams { mode, n_samples_overall: 20_000, ..asked });
    let [found] = tables.as_slice() else { panic!("{} tables", tables.len()) };
    assert_eq!(found.columns.keys().cloned().collect::<Vec<_>>(), heads);
    exact(found, &expected);
    let p = pearson(&both(found, &expected, "proba_m1"));
    let (a, b) = both(found, &expected, "bayes_factor");
    let order = pearson(&(ranks(&a), ranks(&b)));
    println!("proba_m1 {p}, bayes_factor {order}");
    assert!(p >= 0.999 && order >= 0.99);
}

#[test]
fn groups_may_be_all_or_rows() {
    let Some(mut reference) = Reference::open() else { return };
    let few = |params| DifferentialExpressionParams { n_samples_overall: 500, ..params };
    let groupby = Some(reference.label.clone());
    let all = reference.ask(&few(DifferentialExpressionParams { groupby, ..Default::default() }));
    assert!(all.len() > 2);
    let Element::Strings(texts) = all[0].column("table", "comparison").unwrap() else { panic!() };
    assert!(texts.get(0).ends_with(" vs Rest"), "{}", texts.get(0));

    // Nothing is written into the data set but its registration.
    let columns: Vec<String> = reference.adata.obs().columns.keys().cloned().collect();
    assert_eq!(columns, [&reference.label, "batch", "_scvi_batch", "_scvi_labels"]);

    let n_obs = reference.adata.n_obs();
    let rows = reference.ask(&few(DifferentialExpressionParams {
        idx1: Some((0..50).collect::<Vec<_>>().into()),
        idx2: Some((50..n_obs).collect::<Vec<_>>().into()),
        ..Default::default()
    }));
    let rest = reference.ask(&few(DifferentialExpressionParams {
        idx1: Some((0..50).collect::<Vec<_>>().into()),
        ..Default::default()
    }));
    assert_eq!(rows, rest); // the other rows are the default, and a seed fixes the rest
    assert!(!rows[0].columns.contains_key("comparison"));

    let mask: Vec<bool> = (0..n_obs).map(|i| i < 50).collect();
    let masked = DifferentialExpressionParams { idx1: Some(mask.into()), ..Default::default() };
    assert_eq!(reference.ask(&few(masked)), rows);
}

#[test]
fn cells_may_be_told_by_queries() {
    let Some(mut reference) = Reference::open() else { return };
    let few = |params| DifferentialExpressionParams { n_samples_overall: 500, ..params };
    let label = reference.label.clone();
    let asked = DifferentialExpressionParams {
        idx1: Some(format!("`{label}` == 'ct1' and batch in ['b0', 'b1']").as_str().into()),
        idx2: Some(format!("`{label}` == 'ct2'").as_str().into()),
        ..Default::default()
    };
    let queried = reference.ask(&few(asked.clone())).remove(0);
    let mut named = reference.ask(&few(reference.between("ct1", Some("ct2")))).remove(0);
    for column in ["comparison", "group1", "group2"] {
        named.columns.shift_remove(column);
    }
    assert_eq!(queried, named); // the same cells and seed
    let wrong = DifferentialExpressionParams { idx2: Some("batches == 'b0'".into()), ..asked };
    assert_eq!(
        reference.refused(&wrong),
        format!(
            "argument `idx2`: expected a column of obs (did you mean `batch`? present: {label}, \
             batch, _scvi_batch, _scvi_labels), found `batches` at character 1 of `batches == 'b0'`"
        )
    );
}

#[test]
fn batches_can_be_corrected_for() {
    let Some(mut reference) = Reference::open() else { return };
    let asked = reference.between("ct1", Some("ct2"));
    let asked = DifferentialExpressionParams { batch_correction: true, ..asked };
    let table = &reference.ask(&asked)[0];
    let one = DifferentialExpressionParams {
        batchid1: vec!["b0".into()],
        batchid2: vec!["b1".into()],
        use_permutation: true,
        delta: Delta::Estimated,
        ..asked
    };
    let other = &reference.ask(&one)[0];
    assert_eq!(table.n_rows(), other.n_rows());
    let means = (by_gene(table, "lfc_mean"), by_gene(other, "lfc_mean"));
    assert!(pearson(&means) > 0.9); // the halves are random
}

/// By importance other samples are drawn, of the same two groups.
#[test]
fn samples_can_be_weighted_by_importance() {
    let Some(mut reference) = Reference::open() else { return };
    let asked = reference.between("ct1", Some("ct2"));
    let uniform = &reference.ask(&asked)[0];
    let importance = ImportanceParams {
        weights: Weights::Importance,
        truncation: true,
        max_cells: 40,
        n_mc_samples: 20,
        n_mc_samples_per_pass: 20,
    };
    let asked = DifferentialExpressionParams {
        importance,
        batch_correction: true,
        n_samples_overall: 1000,
        ..asked
    };
    let weighted = &reference.ask(&asked)[0];
    let r = pearson(&(by_gene(uniform, "lfc_mean"), by_gene(weighted, "lfc_mean")));
    assert!((0.9..0.9999).contains(&r), "{r}");
}

#[test]
fn outliers_can_be_left_out() {
    struct Notes(Vec<String>);
    impl Observer for Notes {
        fn hear(&mut self, event: &Event) {
            if let Event::Note { text } = event {
                self.0.push(text.clone());
            }
        }
    }
    let Some(mut reference) = Reference::open() else { return };
    let mut ask = |params: &DifferentialExpressionParams| {
        Settings::default().apply();
        let (mut tables, mut notes) = (Tables::default(), Notes(Vec::new()));
        let Reference { model, adata, .. } = &mut reference;
        model.differential_expression(adata, params, &mut tables, &mut notes).unwrap();
        (tables.0, notes.0)
    };
    let few = DifferentialExpressionParams {
        idx1: Some(vec![0, 1, 2].into()),
        n_samples_overall: 500,
        ..Default::default()
    };
    let (all, _) = ask(&few);
    let (without, notes) =
        ask(&DifferentialExpressionParams { filter_outlier_cells: true, ..few.clone() });
    let note = "group idx1: the covariance of its 3 cells in the latent space cannot be estimated, \
                so that none is left out as an outlier";
    assert_eq!(notes, [note]);
    assert_ne!(all, without); // of the other cells a tenth is
    let again = ask(&DifferentialExpressionParams { filter_outlier_cells: true, ..few }).0;
    assert_eq!(without, again);
}

/// Where the counts were taken out, scvi-tools' count statistics are zeros and its pseudocounts those
/// of silent genes.
#[test]
fn data_without_counts_are_refused() {
    let Some(Reference { folder, mut model, label, .. }) = Reference::open() else { return };
    let path = folder.join("minified/adata.h5ad");
    let mut minified = scvi_h5ad::read(&path, ReadOptions::default()).unwrap();
    let asked = DifferentialExpressionParams { groupby: Some(label), ..Default::default() };
    let expected = "the data set is minified (latent_posterior_parameters): zeros stand in place of its \
                    counts, and this needs them; give the full data set that it was made of, or, for \
                    what a stored posterior is enough for, the model that was saved with it";
    let answer =
        model.differential_expression(&mut minified, &asked, &mut Tables::default(), &mut Silent);
    assert_eq!(answer.unwrap_err().to_string(), expected);
    let trained = model.train(&mut minified, &TrainParams::default(), &mut Silent);
    assert_eq!(trained.unwrap_err().to_string(), expected);
    let setup = Model::<Scvi>::setup_anndata(&mut minified, &ScviSetup::default());
    assert_eq!(setup.unwrap_err().to_string(), expected);
    assert!(minified.obs().columns.keys().all(|key| key != "_scvi_temp_de"));
}

/// The same probabilities and fold changes as of the counts, whose silent genes set the pseudocounts.
#[test]
fn a_stored_posterior_tells_the_same_as_the_counts() {
    let Some(mut reference) = Reference::open() else { return };
    let asked = reference.between("ct1", None);
    let full = reference.ask(&asked).remove(0);
    let Reference { model, adata, .. } = &mut reference;
    *adata = model.minify_adata(adata, &MinifyParams::default(), &mut Silent).unwrap();
    let minified = reference.ask(&asked).remove(0);
    assert!(minified.columns.keys().all(|name| !name.starts_with("raw_")));
    for name in ["proba_de", "lfc_mean", "lfc_median", "scale1"] {
        let r = pearson(&(by_gene(&minified, name), by_gene(&full, name)));
        assert!(r >= 0.999, "{name}: {r}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let Some(mut reference) = Reference::open() else { return };
    let unknown = reference.between("ct99", None);
    let message = reference.refused(&unknown);
    assert!(
        message.starts_with("argument `group1`: expected groups with cells in obs[")
            && message.ends_with("found ct99"),
        "{message}"
    );
    let empty = DifferentialExpressionParams {
        idx1: Some(Vec::<usize>::new().into()),
        ..Default::default()
    };
    assert_eq!(reference.refused(&empty), "argument `idx1`: expected at least one row, found none");
    let twice = DifferentialExpressionParams {
        idx1: Some(vec![1, 2].into()),
        idx2: Some(vec![2].into()),
        ..Default::default()
    };
    assert_eq!(
        reference.refused(&twice),
        "argument `idx2`: expected rows that are not in `idx1`, found row 2 in both"
    );
    let batches = DifferentialExpressionParams {
        batchid1: vec!["b0".into()],
        ..reference.between("ct1", None)
    };
    assert_eq!(
        reference.refused(&batches),
        "argument `batchid1`: expected none, unless `batch_correction` is on, found b0"
    );
    let overlapping = DifferentialExpressionParams {
        batch_correction: true,
        batchid1: vec!["b0".into()],
        ..reference.between("ct1", None)
    };
    assert_eq!(
        reference.refused(&overlapping),
        "argument `batchid2`: expected the batches of the first group, or none of these, found all"
    );
    assert_eq!(
        reference.refused(&DifferentialExpressionParams::default()),
        "argument `groupby`: expected a column of obs with groups of cells, or `idx1` with rows, \
         found neither"
    );
}
