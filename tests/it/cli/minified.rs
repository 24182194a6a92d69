//! `scvi minify`, and every command on what it writes.

use std::fs;

use scvi_framework::{
    anndata::Slot,
    data::MinifiedDataType,
    serde_json::{self, Value},
};

use super::{Place, read};

/// The model `m` with its data set in a folder of its own, minified as `small`.
fn minified() -> Place {
    let place = Place::with_model();
    let said = place.scvi("minify m --out small");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("the data set went from "), "{}", said.err);
    assert!(said.err.ends_with("wrote it and the model to small\n"), "{}", said.err);
    place
}

#[test]
fn a_minified_model_and_its_data_set_go_through_every_command() {
    let place = minified();
    let adata = read(&place.at("small/adata.h5ad"));
    assert_eq!(MinifiedDataType::of(&adata).unwrap(), Some(MinifiedDataType::LatentPosterior));
    assert!(read(&place.at("s.h5ad")).get(Slot::Uns, "_scvi_adata_minify_type").is_err());

    place.scvi("query m get-latent-representation --out full.npz -q").says("");
    place.scvi("query small get-latent-representation --out small.npz -q").says("");
    assert_eq!(fs::read(place.at("full.npz")).unwrap(), fs::read(place.at("small.npz")).unwrap());
    for words in [
        "query small get-normalized-expression --out e.h5ad -q",
        "query small get-normalized-expression --adata s.h5ad --out full_e.h5ad -q",
        "query small differential-expression --groupby cell_type --n-samples-overall 100 --out d.csv -q",
        "query small posterior-predictive-sample --out p.h5ad -q",
        "plot small latent --color batch --out l.svg -q",
        "report small --out r.html -q",
    ] {
        place.scvi(words).says("");
    }
    let page = fs::read_to_string(place.at("r.html")).unwrap();
    assert!(page.contains("<td>yes, and takes full data too</td>"));

    let shown = place.scvi("show small minified-data-type").says("").out;
    assert_eq!(shown, "latent_posterior_parameters\n");
    let shown = place.scvi("show m minified-data-type --json").says("").out;
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), Value::Null);
    let shown = place.scvi("show small").says("").out;
    assert!(shown.contains("yes, and takes full data too"), "{shown}");
    let shown = place.scvi("show small summary-string").says("").out;
    assert!(shown.ends_with("\nModel's adata is minified?: True\n"), "{shown}");
}

#[test]
fn what_a_minified_data_set_cannot_do_is_said() {
    let place = minified();
    let without = "the data set is minified (latent_posterior_parameters): zeros stand in place of its \
                   counts, and this needs them; give the full data set that it was made of, or, for \
                   what a stored posterior is enough for, the model that was saved with it";
    for words in [
        "query small get-elbo --out x.csv",
        "query m get-latent-representation --adata small/adata.h5ad --out x.csv",
        "train SCVI small/adata.h5ad --out t",
    ] {
        place.scvi(words).fails(1, without);
    }
    place.scvi("minify small --out again").fails(
        1,
        "the data set is minified already (latent_posterior_parameters): minify the full data set that \
         it was made of",
    );
    place.scvi("minify m --out small").fails(1, "small exists already; --overwrite replaces it");
    let words = "minify m --out small --overwrite --minified-data-type \
                 latent_posterior_parameters_with_counts -q";
    place.scvi(words).says("");
    place.scvi("query small get-elbo --out x.csv -q").says("");
}
