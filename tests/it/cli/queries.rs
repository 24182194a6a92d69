//! Data sets that a saved model is asked about.

use std::fs;

use scvi_framework::anndata::{AnnData, DataFrame, Element, Slot};
use scvi_h5ad::WriteOptions;

use super::{Place, read};

/// A query about this data set fails with this message and leaves nothing.
#[track_caller]
fn check(adata: impl FnOnce(AnnData) -> AnnData, expected: &str) {
    let place = Place::with_model();
    let other = adata(read(&place.at("s.h5ad")));
    scvi_h5ad::write(&place.at("other.h5ad"), &other, WriteOptions::default()).unwrap();
    let words = "query m get-latent-representation --adata other.h5ad --out l.h5ad";
    place.scvi(words).fails(1, expected);
    assert_eq!(place.names(), ["m", "other.h5ad", "s.h5ad"]);
}

/// With these genes: the counts of the first one for each.
fn with_genes<S: AsRef<str>>(adata: &AnnData, genes: &[S]) -> AnnData {
    let mut other = AnnData::new(adata.obs().clone(), DataFrame::new(genes));
    let counts = vec![1.0f32; adata.n_obs() * genes.len()];
    other.set(Slot::X, "X", Element::matrix(adata.n_obs(), genes.len(), counts).unwrap()).unwrap();
    other
}

fn genes(adata: &AnnData) -> Vec<String> {
    adata.var_names().unwrap().iter().map(str::to_owned).collect()
}

#[test]
fn too_few_genes() {
    check(
        |adata| with_genes(&adata, &genes(&adata)[..40]),
        "the genes are not the model's: expected 50 genes, found 40; 40 of the model's \
         are among them, `gene_40` for one is not; give the genes that the model was \
         trained on, in its order",
    );
}

#[test]
fn too_many_genes() {
    check(
        |adata| with_genes(&adata, &[genes(&adata), vec!["SRY".into()]].concat()),
        "the genes are not the model's: expected 50 genes, found 51; 50 of the model's \
         are among them; keep the model's genes alone, in its order: adata[:, var_names of \
         the model]",
    );
}

#[test]
fn genes_in_another_order() {
    check(
        |adata| with_genes(&adata, &genes(&adata).into_iter().rev().collect::<Vec<_>>()),
        "the genes are not the model's: the same 50 genes in another order; at position 0 \
         the model has `gene_0`, the data `gene_49`; reorder them: adata[:, var_names of \
         the model]",
    );
}

#[test]
fn other_genes() {
    check(
        |adata| with_genes(&adata, &(0..50).map(|i| format!("ENSG{i}")).collect::<Vec<_>>()),
        "the genes are not the model's: expected 50 genes, found 50; 0 of the model's are \
         among them, `gene_0` for one is not; give the genes that the model was trained \
         on, in its order",
    );
}

#[test]
fn an_unseen_category() {
    check(
        |mut adata| {
            let batch: Vec<&str> =
                (0..adata.n_obs()).map(|i| if i < 3 { "lane 9" } else { "batch_0" }).collect();
            adata.set(Slot::Obs, "batch", Element::strings(batch)).unwrap();
            adata
        },
        "obs column `batch`: category \"lane 9\" (3 cells) not found in source registry, which has \"batch_0\", \"batch_1\". Cannot transfer setup without `extend_categories = True`",
    );
}

#[test]
fn no_batch_column() {
    check(
        |adata| {
            with_genes(&AnnData::new(DataFrame::new(["a"]), DataFrame::new(["g"])), &genes(&adata))
        },
        "obs has no `batch`; present: (none)",
    );
}

#[test]
fn data_saved_with_the_model_serve_later() {
    let place = Place::new();
    let words = "train SCVI s.h5ad --batch-key batch --max-epochs 1 --out m --save-anndata -q";
    place.scvi(words).says("");
    place.scvi("query m get-latent-representation --out before.csv -q").says("");
    fs::remove_file(place.at("s.h5ad")).unwrap();
    fs::rename(place.at("m"), place.at("moved")).unwrap();
    place.scvi("query moved get-latent-representation --out after.csv -q").says("");
    let text = |name| fs::read_to_string(place.at(name)).unwrap();
    assert_eq!(text("before.csv"), text("after.csv"));
}

#[test]
fn data_that_are_gone() {
    let place = Place::with_model();
    fs::rename(place.at("s.h5ad"), place.at("t.h5ad")).unwrap();
    let was = fs::canonicalize(place.at("t.h5ad")).unwrap().with_file_name("s.h5ad");
    place.scvi("query m get-elbo --out -").fails(
        1,
        &format!(
            "the data set that the model was trained on, {}, is gone; give the data set with \
             --adata FILE",
            was.display()
        ),
    );
    place.scvi("query m get-elbo --adata s.h5ad --out -").fails(1, "s.h5ad: no such file");
    place.scvi("query m get-elbo --adata t.h5ad --out -").says("");
}

#[test]
fn no_model() {
    let place = Place::new();
    for name in ["a", "b", "c", "d", "e"] {
        fs::write(place.at(name), "").unwrap();
    }
    let message = ".: no saved model here; expected a folder with model.json and \
                   model.safetensors, or with model.pt as scvi-tools writes it; present: a, b, c, \
                   d, e, … (6 in all)";
    place.scvi("query . get-elbo --out -").fails(1, message);
    place.scvi("show .").fails(1, message);
}

#[test]
fn a_damaged_model() {
    let place = Place::with_model();
    let weights = fs::read(place.at("m/model.safetensors")).unwrap();
    fs::write(place.at("m/model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    place.scvi("query m get-elbo --out -").fails(
        1,
        "m/model.safetensors: expected the weights of a model in safetensors format, \
         found incomplete metadata, file not fully covered",
    );
    fs::write(place.at("m/model.json"), "{\"format").unwrap();
    place.scvi("show m").fails(
        1,
        "m/model.json: expected the description of a saved model in JSON, found a file that is \
         damaged or something else: EOF while parsing a string at line 1 column 8",
    );
}
