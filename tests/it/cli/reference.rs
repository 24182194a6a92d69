//! Models that scvi-tools saved, and data sets as scanpy sees them.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use npyz::npz::NpzArchive;
use scvi_framework::anndata::{AnnData, DataFrame, Slot};
use scvi_h5ad::WriteOptions;

use super::{Place, read, test_data};

#[track_caller]
fn array(archive: &Path, name: &str) -> Vec<f32> {
    let mut archive = NpzArchive::new(File::open(archive).unwrap()).unwrap();
    archive.by_name(name).unwrap().unwrap().into_vec().unwrap()
}

/// Mean and variance of the posterior are those of scvi-tools to 1e-4, and to 1e-6 of the largest.
#[track_caller]
fn check(case: &str) {
    let Some(folder) = test_data(&format!("reference/{case}")) else { return };
    let place = Place::new();
    let at = folder.display();
    let words = format!(
        "query {at}/model get-latent-representation --adata {at}/adata.h5ad --return-dist --out x.npz -q"
    );
    place.scvi(&words).says("");
    let expected = hdf5::File::open(folder.join("expected.h5")).unwrap();
    for (name, reference) in [("qzm", "qz_loc"), ("qzv", "qz_var")] {
        let found = array(&place.at("x.npz"), name);
        let reference = expected.dataset(reference).unwrap().read_raw::<f32>().unwrap();
        assert_eq!(found.len(), reference.len());
        let floor = 1e-6 * reference.iter().fold(0.0, |max: f32, v| max.max(v.abs()));
        for (i, (f, r)) in found.iter().zip(&reference).enumerate() {
            assert!((f - r).abs() <= 1e-4 * r.abs() + floor, "{case}: {name}[{i}]: {f} for {r}");
        }
    }
}

macro_rules! cases {
    ($($case:ident)+) => { $(
        #[test]
        fn $case() {
            check(stringify!($case));
        }
    )+ };
}
cases! {
    zinb_default nb_gene_batch poisson_two_layers normal_gene zinb_gene_cell nb_gene_label ln_latent
    covariates covariates_encoded_shallow covariates_encoded_deep latent_library batch_embedding
    size_factor no_batch
}

/// What `show` says of a saved model begins with these lines.
#[track_caller]
fn check_shown(name: &str, model: &str, trained: &str, maker: &str) {
    let Some(folder) = test_data(&format!("data/models/{name}")) else { return };
    let shown = Place::new().scvi(&format!("show {}", folder.display())).says("").out;
    let expected = format!(
        "{model} model in {}\n trained    {trained}\n minified   no\n made by    {maker}\n",
        folder.display()
    );
    assert!(shown.starts_with(&expected), "{shown}\n!=\n{expected}");
}

#[test]
fn show_names_the_plugin_that_is_missing() {
    let missing = |of: &str, model: &str| {
        format!("scvi-tools {of}; queries need a plugin with the model {model}, none was found")
    };
    check_shown("scvi_0.15.5", "SCVI", "yes", "scvi-tools 0.15.5");
    check_shown("condscvi_1.2.2", "CondSCVI", "yes, 1 epoch", &missing("1.2.2", "CondSCVI"));
    check_shown("totalvi_1.1.5", "TOTALVI", "yes, 1 epoch", &missing("1.1.5", "TOTALVI"));
    check_shown("scanvi_1.0.3", "SCANVI", "yes, 1 epoch", &missing("1.0.3", "SCANVI"));
}

#[test]
fn a_model_without_plugin_cannot_be_asked() {
    let Some(folder) = test_data("data/models/totalvi_1.1.5") else { return };
    let at = folder.display();
    Place::new().scvi(&format!("query {at} get-elbo --out -")).fails(
        1,
        &format!(
            "{at}: no plugin has a model `TOTALVI`; known: SCVI; get the plugin and name its \
             folder with --plugin-dir"
        ),
    );
}

#[test]
fn a_legacy_folder_says_how_to_go_on() {
    let Some(folder) = test_data("data/models/scvi_0.8.0") else { return };
    let at = folder.display();
    let message = format!(
        "{at}: a model saved by scvi-tools before 0.15, whose files do not say of which class it is; \
         convert it, naming the class: scvi convert {at} DIR --model CLASS"
    );
    let place = Place::new();
    place.scvi(&format!("show {at}")).fails(1, &message);
    place.scvi(&format!("convert {at} m")).fails(1, &message);
    place
        .scvi(&format!("convert {at} m --model SCVI"))
        .says("wrote the model to m for this program\n");
    let shown = place.scvi("show m").says("").out;
    let head = "SCVI model in m\n trained    yes\n minified   no\n made by    scvi-tools 0.0.0\n genes      100\n";
    assert!(shown.starts_with(head), "{shown}");
}

#[test]
fn an_old_model_is_asked_about_data_with_its_genes() {
    let Some(models) = test_data("data/models") else { return };
    let at = models.display();
    let place = Place::new();
    let words = format!(
        "query {at}/scvi_0.15.5 get-latent-representation --adata {at}/scanvi_1.0.3/adata.h5ad \
         --out l.npz"
    );
    let ran = place.scvi(&words);
    assert!(ran.err.ends_with("wrote latent (400 × 10) to l.npz\n"), "{}", ran.err);
    let latent = array(&place.at("l.npz"), "latent");
    assert!(latent.len() == 4000 && latent.iter().all(|v| v.is_finite()));

    let mut adata = read(&models.join("scanvi_1.0.3/adata.h5ad"));
    let names: Vec<String> = (0..100).map(|i| ((i + 1) % 100).to_string()).collect();
    let mut other = AnnData::new(adata.obs().clone(), DataFrame::new(names));
    other.set(Slot::X, "X", adata.x().unwrap().clone()).unwrap();
    std::mem::swap(&mut adata, &mut other);
    scvi_h5ad::write(&place.at("other.h5ad"), &adata, WriteOptions::default()).unwrap();
    let words = format!("query {at}/scvi_0.15.5 get-elbo --adata other.h5ad --out -");
    place.scvi(&words).fails(
        1,
        "the genes are not the model's: the same 100 genes in another order; at position 0 the model \
         has `0`, the data `1`; reorder them: adata[:, var_names of the model]",
    );
}

/// Python that opens both files and compares everything but the result.
const COMPARE: &str = r#"
import sys
import numpy as np, pandas as pd, scanpy as sc
asked, answered = (sc.read_h5ad(path) for path in sys.argv[1:3])
z = answered.obsm.pop("X_scVI")
assert z.shape == (asked.n_obs, 10) and z.dtype == np.float32 and np.isfinite(z).all()
pd.testing.assert_frame_equal(asked.obs, answered.obs)
pd.testing.assert_frame_equal(asked.var, answered.var)
assert type(asked.X) is type(answered.X) and asked.X.dtype == answered.X.dtype
dense = lambda m: m.toarray() if hasattr(m, "toarray") else np.asarray(m)
assert (dense(asked.X) == dense(answered.X)).all()
for slot in ["layers", "obsm", "varm", "obsp", "varp", "uns"]:
    assert list(getattr(asked, slot)) == list(getattr(answered, slot)), slot
answered.obsm["X_scVI"] = z
sc.pp.neighbors(answered, use_rep="X_scVI", method="gauss")
"#;

#[test]
fn scanpy_goes_on_with_the_answer() {
    let Some(python) = env::var_os("SCVI_TEST_PYTHON").map(PathBuf::from) else {
        println!("skipped: SCVI_TEST_PYTHON is not set");
        return;
    };
    let place = Place::with_model();
    place.scvi("query m get-latent-representation --out l.h5ad -q").says("");
    let script = place.at("compare.py");
    fs::write(&script, COMPARE).unwrap();
    let mut command = Command::new(python);
    command.arg(script).args([place.at("s.h5ad"), place.at("l.h5ad")]);
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
