//! `scvi map`: a query data set onto a reference.

use scvi_framework::anndata::{AnnData, Element, Slot};

use super::{Place, read};

/// The reference `m`, and a query `q.h5ad` of a third batch.
fn with_query(change: impl FnOnce(&mut AnnData)) -> Place {
    let place = Place::with_model();
    place.change("q.h5ad", |adata| {
        let n = adata.n_obs();
        adata.set(Slot::Obs, "batch", Element::strings(vec!["new"; n])).unwrap();
        change(adata);
    });
    place
}

#[test]
fn a_query_is_mapped_and_the_reference_stays() {
    let place = with_query(|_| ());
    let said = place.scvi("map m q.h5ad --out mapped --max-epochs 2 --no-progress");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.starts_with("new in batch: new\n"), "{}", said.err);
    assert!(said.err.ends_with("wrote the model to mapped\n"), "{}", said.err);
    // Cells of the reference lie where they lay, those of the query can be asked about.
    for (words, out) in [
        ("query m get-latent-representation", "a.npz"),
        ("query mapped get-latent-representation --adata s.h5ad", "b.npz"),
    ] {
        place.scvi(&format!("{words} --out {out} -q")).says("");
    }
    let bytes = |name: &str| std::fs::read(place.at(name)).unwrap();
    assert_eq!(bytes("a.npz"), bytes("b.npz"));
    let words = "query mapped get-normalized-expression --transform-batch new --out e.h5ad -q";
    place.scvi(words).says("");
    let shown = place.scvi("show mapped").says("").out;
    assert!(shown.contains("yes, 2 epochs"), "{shown}");
    let fact = " mapped     yes, it continues a reference; what that knew is left as it was\n";
    assert!(shown.contains(fact), "{shown}");
    let again = place.scvi("map m s.h5ad --out same --max-epochs 1 --no-progress");
    let nothing = "note: the query has no category that the reference does not know\n";
    assert!(again.err.starts_with(nothing), "{}", again.err);

    // A minified reference serves as well as a full one.
    place.scvi("minify m --out small -q").says("");
    place.scvi("map small q.h5ad --out again --max-epochs 2 -q").says("");
    place.scvi("query again get-latent-representation --out c.npz -q").says("");
    place.scvi("query mapped get-latent-representation --out d.npz -q").says("");
    assert_eq!(bytes("c.npz"), bytes("d.npz"));
}

#[test]
fn genes_are_brought_into_the_order_of_the_reference() {
    let place = with_query(|_| ());
    let mut query = read(&place.at("q.h5ad"));
    let names: Vec<String> = query.var_names().unwrap().iter().map(str::to_owned).collect();
    let mut few: Vec<String> = names[1..].iter().rev().cloned().collect();
    few.push("unknown".into());
    query = scvi_framework::model::prepare_query_anndata(&query, &few).unwrap().adata;
    scvi_h5ad::write(&place.at("few.h5ad"), &query, Default::default()).unwrap();
    let said = place.scvi("map m few.h5ad --out mapped --max-epochs 1 --no-progress");
    assert_eq!(said.code, Some(0), "{}", said.err);
    let note =
        "note: the query has 49 of the reference's 50 genes; 1 padded with zeros, 1 left out\n";
    assert!(said.err.starts_with(note), "{}", said.err);
    let kept = read(&place.at("mapped/adata.h5ad"));
    assert!(kept.var_names().unwrap().iter().eq(names.iter()));
    place.scvi("query mapped get-latent-representation --out z.npz -q").says("");
}

#[test]
fn a_query_that_does_not_fit_is_told_why() {
    let place = with_query(|adata| drop(adata.remove(Slot::Obs, "batch")));
    let said = place.scvi("map m q.h5ad --out mapped");
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("batch"), "{}", said.err);
    assert!(!place.at("mapped").exists());
}
