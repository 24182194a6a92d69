//! Matrices that hold no counts, and cells without any.

use scvi_framework::anndata::{AnnData, Element, Raw, Slot, Values};

use super::{Place, read};

/// Changes the stored values of `X`.
fn values(adata: &mut AnnData, change: impl FnOnce(&mut [f32])) {
    let Some(Element::Sparse(mut x)) = adata.x().cloned() else { panic!("X is not sparse") };
    let Values::Float32(stored) = &x.data else { panic!("X is not float32") };
    let mut stored = stored.to_vec();
    change(&mut stored);
    x.data = stored.into();
    adata.set(Slot::X, "X", Element::Sparse(x)).unwrap();
}

fn logged(adata: &mut AnnData) {
    values(adata, |x| x.iter_mut().for_each(|v| *v = v.ln_1p()));
}

/// Training is refused with this message, in which `{n}` stands for the number of stored values and
/// `{gene}` for the gene of the one at position 5, and leaves nothing.
#[track_caller]
fn check(expected: &str, change: impl FnOnce(&mut AnnData)) {
    let place = Place::new();
    place.change("bad.h5ad", change);
    let adata = read(&place.at("bad.h5ad"));
    let Some(Element::Sparse(x)) = adata.x() else { panic!("X is not sparse") };
    let gene = adata.var_names().unwrap().get(x.indices.to_i64()[5] as usize);
    let expected = expected.replace("{n}", &x.data.len().to_string()).replace("{gene}", gene);
    place.scvi("train SCVI bad.h5ad --out m").fails(1, &expected);
    assert_eq!(place.names(), ["bad.h5ad", "s.h5ad"]);
}

#[test]
fn negative() {
    let expected = "X holds no counts: 1 of {n} stored values are negative; first -1 in cell \
                    `cell_0`, gene `{gene}`; give raw counts, or --allow-noncounts to use these \
                    values as they are";
    check(expected, |adata| values(adata, |x| x[5] = -1.0));
}

#[test]
fn fractional() {
    let expected = "X holds no counts: 1 of {n} stored values are fractional; first 0.5 in cell \
                    `cell_0`, gene `{gene}`; give raw counts, or --allow-noncounts to use these \
                    values as they are";
    check(expected, |adata| values(adata, |x| x[5] = 0.5));
}

#[test]
fn infinite() {
    let expected = "X holds no counts: 1 of {n} stored values are missing or infinite; first inf \
                    in cell `cell_0`, gene `{gene}`; repair or drop these cells or genes";
    check(expected, |adata| values(adata, |x| x[5] = f32::INFINITY));
}

/// Logarithms are refused with this hint.
#[track_caller]
fn check_logged(hint: &str, keep_counts: impl FnOnce(&mut AnnData)) {
    let expected = "X holds no counts: {n} of {n} stored values are fractional and look \
                    log-normalised; first 0.6931471824645996 in cell `cell_0`, gene `gene_0`; ";
    check(&format!("{expected}{hint}"), |adata| {
        values(adata, |x| x[0] = 1.0);
        keep_counts(adata);
        logged(adata);
    });
}

#[test]
fn log_normalised() {
    let hint = "give raw counts, or --allow-noncounts to use these values as they are";
    check_logged(hint, |_| {});
}

#[test]
fn log_normalised_with_counts_in_a_layer() {
    check_logged("layers[\"counts\"] holds counts: use --layer counts", |adata| {
        let counts = adata.x().unwrap().clone();
        adata.set(Slot::Layers, "counts", counts).unwrap();
    });
}

#[test]
fn log_normalised_with_counts_in_raw() {
    let hint = "raw holds counts: put them into a layer (in Python: adata.layers[\"counts\"] = \
                adata.raw[:, adata.var_names].X) and use --layer counts";
    check_logged(hint, |adata| {
        let (x, var) = (adata.x().unwrap().clone(), adata.var().clone());
        adata.set_raw(Some(Raw { x, var, varm: Default::default() }));
    });
}

#[test]
fn any_numbers_when_asked_for() {
    let place = Place::new();
    place.change("log.h5ad", logged);
    let words = "train SCVI log.h5ad --allow-noncounts --gene-likelihood normal --max-epochs 1 \
                 --out m -q";
    place.scvi(words).says("");
    place.scvi("query m get-latent-representation --out l.csv -q").says("");
}

#[test]
fn cells_without_counts_are_counted_and_give_numbers() {
    let place = Place::new();
    place.change("empty.h5ad", |adata| {
        let Some(Element::Sparse(x)) = adata.x() else { panic!("X is not sparse") };
        let starts = x.indptr.to_i64();
        let rows = [3, 7].map(|row| starts[row] as usize..starts[row + 1] as usize);
        values(adata, |x| rows.into_iter().for_each(|row| x[row].fill(0.0)));
    });
    let ran = place.scvi("train SCVI empty.h5ad --batch-key batch --max-epochs 2 --out m");
    let note = "note: 2 of 200 cells have no counts; they say nothing and are decoded to zero. \
                Consider leaving them out\n";
    assert!(ran.err.starts_with(note), "{}", ran.err);
    assert_eq!(ran.code, Some(0));
    place.scvi("query m get-latent-representation --out l.h5ad --return-dist -q").says("");
    let answered = read(&place.at("l.h5ad"));
    for key in ["X_latent_qzm", "X_latent_qzv"] {
        let Ok(Element::Dense(z)) = answered.get(Slot::Obsm, key) else { panic!("no {key}") };
        assert!((0..z.values.len()).all(|i| z.values.get_f64(i).is_finite()), "{key}");
    }
    for method in ["get-elbo", "get-reconstruction-error"] {
        let ran = place.scvi(&format!("query m {method} --no-return-mean --out -"));
        assert_eq!((ran.code, ran.out.contains("NaN")), (Some(0), false), "{}", ran.out);
        assert_eq!(ran.out.lines().count(), 201);
    }
}
