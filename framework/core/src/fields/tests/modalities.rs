//! Fields in the modalities of a data set.

use super::*;
use crate::data::{AnnDataLoader, LoaderOptions};

fn mdata() -> AnnData {
    let mut mdata = AnnData::new(small().obs().clone(), DataFrame::new(["g0", "g1", "g2"]));
    mdata.set_modality("rna", small());
    mdata
}

#[track_caller]
fn check(field: impl AnnDataField + 'static, mut adata: AnnData, expected: &str) {
    let before = adata.modalities().get("rna").map(|rna| rna.obs().columns.len());
    check_error(AnnDataManager::register_fields(vec![field.boxed()], &mut adata), expected);
    assert_eq!(adata.modalities().get("rna").map(|rna| rna.obs().columns.len()), before);
}

#[test]
fn a_field_reads_and_writes_in_its_modality() {
    let mut mdata = mdata();
    mdata.set(Slot::Obs, "text", Element::strings(["k"; N])).unwrap();
    let fields = vec![
        CategoricalObsField::new("batch", Some("text")).in_modality("rna").boxed(),
        CategoricalObsField::new("site", Some("text")).boxed(),
    ];
    let manager = AnnDataManager::register_fields(fields, &mut mdata).unwrap();
    assert_eq!(codes(mdata.modality("rna").unwrap(), Slot::Obs, "_scvi_batch"), [2, 1, 2, 0, 1, 3]);
    assert_eq!(codes(&mdata, Slot::Obs, "_scvi_site"), [0; N]);
    assert!(mdata.get(Slot::Obs, "_scvi_batch").is_err());
    let places = manager.data_registry();
    assert_eq!(places["batch"].to_string(), "mdata.mod['rna'].obs['_scvi_batch']");
    let view = manager.view_registry().state_registries;
    assert_eq!(view[0].rows[0], ["mdata.mod['rna'].obs['text']", "B", "0"]);
    assert_eq!(view[1].rows[0], ["adata.obs['text']", "k", "0"]);
}

#[test]
fn minibatches_hold_what_lies_in_modalities() {
    let mut mdata = mdata();
    let mut proteins = small();
    proteins.set(Slot::X, "", Element::matrix(N, 3, vec![7u8; N * 3]).unwrap()).unwrap();
    mdata.set_modality("prot", proteins);
    let fields = vec![
        LayerField::new("X", None).in_modality("rna").boxed(),
        LayerField::new("proteins", None).in_modality("prot").boxed(),
        NumericalObsField::new("size_factor", Some("size")).in_modality("rna").boxed(),
    ];
    let manager = AnnDataManager::register_fields(fields, &mut mdata).unwrap();
    let options = LoaderOptions { indices: Some(vec![4usize, 1].into()), ..Default::default() };
    let loader = AnnDataLoader::new(&mdata, manager.registry(), options).unwrap();
    let batch = loader.iter().next().unwrap().unwrap();
    let rows = |key| Vec::<f32>::try_from(&batch.require(key).unwrap().view(-1)).unwrap();
    assert_eq!(rows("X"), [2.0, 3.0, 4.0, 3.0, 4.0, 0.0]);
    assert_eq!(rows("proteins"), [7.0; 6]);
    assert_eq!(rows("size_factor"), [1.0, 0.5]);
}

#[test]
fn modalities_that_are_not_there_are_refused() {
    let field = |key| LayerField::new("X", None).in_modality(key);
    check(
        field("rna"),
        small(),
        "the data set has no modality `rna`; it has none: it is of one kind of measurement",
    );
    check(field("atac"), mdata(), "the data set has no modality `atac`; present: rna");
    check(
        CategoricalObsField::new("batch", Some("bach")).in_modality("rna"),
        mdata(),
        "modality `rna`: obs has no `bach`; present: text, ints, floats, bools, kinds, size",
    );
    check(
        NumericalObsField::new("n", Some("text")).in_modality("rna"),
        mdata(),
        "modality `rna`: obs column `text`: expected numbers, found string array",
    );
}

#[test]
fn modalities_of_other_cells_are_refused() {
    let of = |names: &[&str]| {
        let mut mdata = AnnData::new(DataFrame::new(names), DataFrame::new(["g0"]));
        mdata.set_modality("rna", small());
        mdata
    };
    let advice = "keep the cells that all modalities have, in one order";
    let field = || LayerField::new("X", None).in_modality("rna");
    check(
        field(),
        of(&["c0", "c1"]),
        &format!(
            "modality `rna`: expected the 2 cells of the data set in its order, found 6; {advice}"
        ),
    );
    check(
        field(),
        of(&["c0", "c2", "c1", "c3", "c4", "c5"]),
        &format!(
            "modality `rna`: expected the 6 cells of the data set in its order, found `c1` in place \
             of `c2` at position 1; {advice}"
        ),
    );
}

#[test]
fn terms_are_carried_over_inside_modalities() {
    let field = || CategoricalObsField::new("batch", Some("text")).in_modality("rna").boxed();
    let manager = AnnDataManager::register_fields(vec![field()], &mut mdata()).unwrap();
    let mut target = mdata();
    let rna = target.modality_mut("rna").unwrap();
    rna.set(Slot::Obs, "text", Element::strings(["b", "new", "b", "b", "b", "b"])).unwrap();
    check_error(
        manager.transfer_fields(&mut target, Transfer::default()),
        "modality `rna`: obs column `text`: category \"new\" (1 cells) not found in source \
         registry, which has \"B\", \"a\", \"b\", \"ä\". Cannot transfer setup without \
         `extend_categories = True`",
    );
    let how = Transfer { extend_categories: true, ..Default::default() };
    manager.transfer_fields(&mut target, how).unwrap();
    assert_eq!(
        codes(target.modality("rna").unwrap(), Slot::Obs, "_scvi_batch"),
        [2, 4, 2, 2, 2, 2]
    );
}
