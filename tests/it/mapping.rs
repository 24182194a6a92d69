//! Queries mapped onto references: real cells, and as scvi-tools maps them.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use scvi_framework::{
    anndata::{AnnData, Dense, Element, Slot},
    model::{
        MappingParams, Model, Settings, Silent,
        queries::{Latent, LatentParams},
    },
    params::Params,
    saved::{SavedModel, scvi_tools},
    serde_json::{self, Value, json},
    train::TrainParams,
};
use scvi_h5ad::ReadOptions;
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

/// Up to `n` cells of a batch, with their counts; `None`, said aloud, where the data are not at hand.
fn cells_of(batch: &str, n: usize) -> Option<AnnData> {
    let Some(data) = env::var_os("SCVI_TEST_DATA") else {
        println!("skipped: SCVI_TEST_DATA is not set");
        return None;
    };
    let path = Path::new(&data).join("data/counts/pbmc15k_2batch_protein_missing_in_5k.h5ad");
    let adata = scvi_h5ad::read(&path, ReadOptions::default()).unwrap();
    let Element::Categorical(column) = adata.get(Slot::Obs, "batch").unwrap() else {
        panic!("batches are categories")
    };
    let Element::Strings(names) = &*column.categories else { panic!("with names") };
    let codes = column.codes.to_i64();
    let is_of = |row: &usize| usize::try_from(codes[*row]).is_ok_and(|c| names.get(c) == batch);
    let rows: Vec<usize> = (0..adata.n_obs()).filter(is_of).take(n).collect();
    let mut cells = AnnData::new(adata.obs().take_rows(&rows).unwrap(), adata.var().clone());
    cells.set(Slot::X, "", adata.x().unwrap().take_rows(&rows).unwrap()).unwrap();
    Some(cells)
}

fn latent(model: &Model<Scvi>, adata: &mut AnnData) -> Dense {
    let asked = model.get_latent_representation(adata, &LatentParams::default(), &mut Silent);
    let Latent::Points(points) = asked.unwrap() else { panic!("points were asked for") };
    points
}

/// The encoder that knows no batches stays, and so does one that knows them.
#[test]
fn cells_of_a_real_reference_lie_where_they_lay_to_the_last_bit() {
    let Some(reference) = cells_of("PBMC10k", 1500) else { return };
    let Some(query) = cells_of("PBMC5k", 1000) else { return };
    let few = TrainParams { max_epochs: Some(2), ..Default::default() };
    for encode_covariates in [false, true] {
        let (mut reference, mut query) = (reference.clone(), query.clone());
        let setup = ScviSetup { batch_key: Some("batch".into()), ..Default::default() };
        let params = ScviParams { encode_covariates, ..Default::default() };
        let settings = Settings::default();
        let mut model = Model::<Scvi>::new(&mut reference, &setup, &params, &settings).unwrap();
        model.train(&mut reference, &few, &mut Silent).unwrap();
        let before = latent(&model, &mut reference);
        let mapping = MappingParams::default();
        let mut mapped = Model::load_query_data(&mut query, &model, &mapping, &settings).unwrap();
        mapped.train(&mut query, &few, &mut Silent).unwrap();
        assert_eq!(latent(&mapped, &mut reference), before);
        assert!(latent(&mapped, &mut query).values.to_f64().iter().all(|z| z.is_finite()));
    }
}

/// A model that scvi-tools trained, and arguments with which queries are mapped onto it.
struct Surgery {
    case: &'static str,
    options: Value,
}

impl Surgery {
    fn folder(&self) -> Option<PathBuf> {
        Some(Path::new(&env::var_os("SCVI_TEST_DATA")?).join("reference").join(self.case))
    }

    /// The reference, and a query of its cells in two new batches, where it knows batches.
    fn open(&self) -> (SavedModel, AnnData) {
        let folder = self.folder().unwrap();
        let saved = scvi_tools::read(&folder.join("model"), None).unwrap();
        let mut query =
            scvi_h5ad::read(&folder.join("adata.h5ad"), ReadOptions::default()).unwrap();
        if let Some(key) = batch_key(&saved).as_str() {
            let batches = (0..query.n_obs()).map(|cell| format!("new{}", cell % 2));
            query.set(Slot::Obs, key, Element::strings(batches)).unwrap();
        }
        (saved, query)
    }
}

fn batch_key(saved: &SavedModel) -> &Value {
    &saved.meta.registry["setup_args"]["batch_key"]
}

/// Parameter or buffer → columns in which a value changed.
type Changed = BTreeMap<String, BTreeSet<usize>>;

fn changed(before: &SavedModel, after: &SavedModel) -> Changed {
    let differs = before.weights.iter().map(|(name, old)| {
        let width = old.shape.last().copied().unwrap_or(1);
        let pairs = old.values.to_f64().into_iter().zip(after.weights[name].values.to_f64());
        let places = pairs.enumerate().filter(|(_, (old, new))| old != new);
        (name.clone(), places.map(|(i, _)| i % width).collect::<BTreeSet<_>>())
    });
    differs.filter(|(_, columns)| !columns.is_empty()).collect()
}

/// The first columns of `grown` are those of `known`.
#[track_caller]
fn check_known(name: &str, known: &Dense, grown: &Dense) {
    let width = |dense: &Dense| dense.shape.last().copied().unwrap_or(1).max(1);
    let (old, new) = (known.values.to_f64(), grown.values.to_f64());
    for (old, new) in old.chunks(width(known)).zip(new.chunks(width(grown))) {
        assert_eq!(old, &new[..old.len()], "{name}");
    }
}

const MAX_EPOCHS: usize = 2;

/// With new batches alone scvi-tools puts them where they belong: the shapes and what training changes
/// are the same, and what was known has its old values.
#[test]
fn queries_are_given_the_shapes_and_the_freedom_that_they_have_in_scvi_tools() {
    let surgery = |case, options| Surgery { case, options };
    let standard = [
        "zinb_default",
        "poisson_two_layers",
        "ln_latent",
        "latent_library",
        "nb_gene_batch",
        "nb_gene_label",
        "size_factor",
        "zinb_gene_cell",
        "no_batch",
    ];
    let mut all: Vec<Surgery> = standard.map(|case| surgery(case, json!({}))).into();
    for (option, value) in [
        ("unfrozen", true),
        ("freeze_expression", false),
        ("freeze_decoder_first_layer", false),
        ("freeze_batchnorm_encoder", false),
        ("freeze_batchnorm_decoder", true),
        ("freeze_dropout", true),
    ] {
        all.push(surgery("poisson_two_layers", json!({ option: value })));
    }
    let Some(theirs) = mapped_by_scvi_tools(&all) else { return };
    for (surgery, theirs) in all.iter().zip(theirs) {
        let what = format!("{} {}", surgery.case, surgery.options);
        let (saved, mut query) = surgery.open();
        let known = saved.weights.clone();
        let settings = Settings { device: "cpu".into(), ..Settings::default() };
        let reference = Model::<Scvi>::load(saved, &settings).unwrap();
        let params = MappingParams::from_args(surgery.options.as_object().unwrap()).unwrap();
        let mut model = Model::load_query_data(&mut query, &reference, &params, &settings).unwrap();
        let before = model.save().unwrap();

        let shapes = before.weights.iter().map(|(name, w)| (name.clone(), json!(w.shape)));
        assert_eq!(Value::Object(shapes.collect()), theirs["shapes"], "{what}");
        for (name, known) in &known {
            check_known(name, known, &before.weights[name]);
        }

        let few = TrainParams {
            max_epochs: Some(MAX_EPOCHS),
            weight_decay: 0.0,
            ..TrainParams::default()
        };
        model.train(&mut query, &few, &mut Silent).unwrap();
        let ours = changed(&before, &model.save().unwrap());
        let theirs: Changed = serde_json::from_value(theirs["changed"].clone()).unwrap();
        // With Lightning 2.2 and later a loaded module is trained in evaluation mode there: no
        // normalisation remembers anything. Dispersions of new batches they leave as they were drawn.
        let compared = |name: &&String| {
            let remembered = ["num_batches_tracked", "running_mean", "running_var"];
            let learnt_here_only = surgery.case == "nb_gene_batch" && name.as_str() == "px_r";
            !remembered.iter().any(|end| name.ends_with(end)) && !learnt_here_only
        };
        let names = |of: &Changed| of.keys().filter(compared).cloned().collect::<Vec<_>>();
        assert_eq!(names(&ours), names(&theirs), "{what}");
        let layers = ours.keys().filter(|name| name.ends_with(".0.weight"));
        for name in layers.filter(|name| name.contains("fc_layers")) {
            assert_eq!(ours[name], theirs[name], "{what}: {name}");
        }
    }
}

/// What scvi-tools makes of the same queries; `None`, said aloud, where it or the data are not at hand.
fn mapped_by_scvi_tools(all: &[Surgery]) -> Option<Vec<Value>> {
    let (Some(python), Some(_)) = (env::var_os("SCVI_TEST_PYTHON"), all[0].folder()) else {
        println!("skipped: SCVI_TEST_PYTHON or SCVI_TEST_DATA is not set");
        return None;
    };
    let mut command = Command::new(python);
    command.arg("-c").arg(include_str!("mapping.py")).env("OMP_NUM_THREADS", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = all.iter().map(|surgery| {
        let batch_key = batch_key(&surgery.open().0).clone();
        let case = json!({
            "folder": surgery.folder().unwrap(),
            "options": surgery.options,
            "batch_key": batch_key,
            "max_epochs": MAX_EPOCHS,
        });
        format!("{case}\n")
    });
    let lines: String = lines.collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let ran = child.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{complaints}");
    let said = String::from_utf8(ran.stdout).unwrap();
    let answers = said.lines().filter_map(|line| serde_json::from_str(line).ok());
    let answers: Vec<Value> = answers.collect();
    assert_eq!(answers.len(), all.len(), "{said}{complaints}");
    Some(answers)
}
