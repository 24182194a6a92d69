//! Every kind of field, beside scvi-tools' own answer; and what each refuses.

use std::process::Command;

use super::*;
use crate::anndata::Scalar;

/// The data set of `kinds.py`.
fn small(texts: [&str; N], chroms: [&str; 3]) -> AnnData {
    let obs = DataFrame::new((0..N).map(|i| format!("c{i}")));
    let mut adata = AnnData::new(obs, DataFrame::new(["g0", "g1", "g2"]));
    let proteins = [("p1", vec![0i64, 1, 0, 2, 0, 0]), ("p2", vec![1, 0, 1, 0, 1, 3])];
    let proteins = proteins.map(|(name, counts)| (name.to_owned(), Element::vector(counts)));
    let table = DataFrame { columns: proteins.into(), ..adata.obs().clone() };
    let x: Vec<f32> = (0..N * 3).map(|i| (i % 5) as f32).collect();
    let pca: Vec<f64> = (0..N * 2).map(|i| i as f64).collect();
    for (slot, key, element) in [
        (Slot::X, "", Element::matrix(N, 3, x).unwrap()),
        (Slot::Obs, "text", Element::strings(texts)),
        (Slot::Var, "chrom", Element::strings(chroms)),
        (Slot::Var, "gc", Element::vector(vec![0.5f64, 0.25, 1.0])),
        (Slot::Obsm, "pca", Element::matrix(N, 2, pca).unwrap()),
        (Slot::Obsm, "prot", Element::DataFrame(table)),
        (Slot::Varm, "load", Element::matrix(3, 4, vec![1.0f64; 12]).unwrap()),
        (Slot::Uns, "names", Element::strings(["first", "second"])),
        (Slot::Uns, "note", Element::Scalar(Scalar::String("hello".into()))),
    ] {
        adata.set(slot, key, element).unwrap();
    }
    adata
}

fn labelled() -> AnnData {
    let mut adata = small(["b", "a", "b", "B", "a", "ä"], ["2", "1", "2"]);
    let labels = Element::strings(["x", "x", "unknown", "x", "y", "y"]);
    adata.set(Slot::Obs, "label", labels).unwrap();
    adata
}

fn every_kind() -> Vec<Box<dyn AnnDataField>> {
    let batch = CategoricalObsField::new("batch", Some("text"));
    let proteins = ProteinObsmField::new(ObsmField::new("proteins", "prot")).batch_mask(&batch);
    vec![
        LayerField::new("X", None).boxed(),
        batch.boxed(),
        LabelsWithUnlabeledObsField::new("labels", Some("label"), "unknown").boxed(),
        LabelsWithUnlabeledObsField::new("others", Some("text"), "a").boxed(),
        NumericalVarField::new("gc", Some("gc")).boxed(),
        CategoricalVarField::new("chrom", Some("chrom")).boxed(),
        ObsmField::new("pca", "pca").colnames_uns_key("names").boxed(),
        VarmField::new("load", "load").boxed(),
        NumericalJointVarField::new("gcs", &["gc".into()]).boxed(),
        CategoricalJointVarField::new("chroms", &["chrom".into()]).boxed(),
        proteins.boxed(),
        StringUnsField::new("note", Some("note")).boxed(),
    ]
}

fn multimodal() -> AnnData {
    let rna = small(["b"; N], ["2", "1", "2"]);
    let mut mdata = AnnData::new(rna.obs().clone(), DataFrame::new(["f"; 6]));
    mdata.set_modality("rna", rna);
    mdata.set_modality("prot", small(["a"; N], ["2", "1", "2"]));
    mdata.set(Slot::Obs, "batch", Element::strings(["x", "y", "x", "y", "x", "y"])).unwrap();
    mdata
}

fn multimodal_fields() -> Vec<Box<dyn AnnDataField>> {
    let batch = CategoricalObsField::new("batch", Some("batch"));
    let proteins = LayerField::new("proteins", None).in_modality("prot");
    let chroms = CategoricalJointVarField::new("chroms", &["chrom".into()]);
    vec![
        LayerField::new("X", None).in_modality("rna").boxed(),
        ProteinLayerField::new(proteins).batch_mask(&batch).boxed(),
        CategoricalObsField::new("text", Some("text")).in_modality("rna").boxed(),
        NumericalVarField::new("gc", Some("gc")).in_modality("rna").boxed(),
        chroms.in_modality("rna").boxed(),
        ObsmField::new("pca", "pca").in_modality("prot").boxed(),
        NumericalJointVarField::new("gcs", &["gc".into()]).in_modality("prot").boxed(),
        batch.boxed(),
    ]
}

/// What scvi-tools says, without the identities that differ from run to run.
fn scvi_tools() -> Option<Vec<Value>> {
    let python = crate::reference_python::with("scvi")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/fields/tests/kinds.py");
    let output = Command::new(python).arg(script).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Some(serde_json::from_str(text.lines().last().unwrap()).unwrap())
}

fn written(adata: &AnnData) -> Value {
    let ours = |slot| {
        let all = adata.mapping(slot).unwrap().iter();
        all.filter(|(name, _)| name.starts_with("_scvi")).map(|(k, v)| (k.clone(), v.clone()))
    };
    let tables = |slot| -> Value {
        ours(slot)
            .map(|(name, table)| match table {
                Element::DataFrame(table) => (name, frame_json(&table.columns)),
                other => panic!("joint fields write tables, not {other:?}"),
            })
            .collect()
    };
    json!({
        "obs": frame_json(&ours(Slot::Obs).collect()), "obsm": tables(Slot::Obsm),
        "var": frame_json(&ours(Slot::Var).collect()), "varm": tables(Slot::Varm),
    })
}

#[track_caller]
fn check_as(expected: &Value, manager: &AnnDataManager, adata: &AnnData) {
    let mut registry = json!(manager.registry());
    for part in registry["field_registries"].as_object_mut().unwrap().values_mut() {
        part.as_object_mut().unwrap().shift_remove("field").unwrap();
    }
    registry["_scvi_uuid"] = expected["registry"]["_scvi_uuid"].clone();
    assert_eq!(registry, expected["registry"]);
    assert_eq!(written(adata), expected["written"]);
}

#[test]
fn every_kind_registers_as_in_scvi_tools() {
    let Some(expected) = scvi_tools() else { return };
    let mut adata = labelled();
    let manager = AnnDataManager::register_fields(every_kind(), &mut adata).unwrap();
    check_as(&expected[0], &manager, &adata);

    // A registry that scvi-tools saved serves as well as ours.
    let theirs = AnnDataManager::from_saved(every_kind(), &expected[0]["registry"]).unwrap();
    for source in [manager, theirs] {
        let mut target = small(["b", "a", "b", "b", "a", "b"], ["2", "Y", "X"]);
        let how = Transfer { extend_categories: true, allow_missing_labels: true };
        let moved = source.transfer_fields(&mut target, how).unwrap();
        check_as(&expected[1], &moved, &target);
    }

    let mut mdata = multimodal();
    // scvi-tools wants the batch first; here a mask may not come before its batch either.
    let mut fields = multimodal_fields();
    fields.rotate_right(1);
    let manager = AnnDataManager::register_fields(fields, &mut mdata).unwrap();
    check_as(&expected[2], &manager, mdata.modality("rna").unwrap());
    assert_eq!(codes(&mdata, Slot::Obs, "_scvi_batch"), [0, 1, 0, 1, 0, 1]);
}

#[test]
fn every_kind_comes_back_from_json() {
    let written = |field: &dyn AnnDataField| json!(field);
    for fields in [every_kind(), multimodal_fields()] {
        for field in &fields {
            let back: Box<dyn AnnDataField> = serde_json::from_value(written(&**field)).unwrap();
            assert_eq!(format!("{back:?}"), format!("{field:?}"));
        }
    }
    assert_eq!(
        written(&*multimodal_fields()[1]),
        json!({
            "field": "ProteinLayerField", "registry_key": "proteins", "layer": null,
            "allow_noncounts": false, "mod_key": "prot",
            "batch": { "attr_name": "obs", "attr_key": "_scvi_batch" }
        })
    );
    let short = json!({ "field": "ObsmField", "registry_key": "pca", "attr_key": "pca" });
    let field: Box<dyn AnnDataField> = serde_json::from_value(short).unwrap();
    assert_eq!(field.location(), Some(AttrLocation::new(Slot::Obsm, "pca")));
}

/// Registers `field` on a data set changed by `change`.
#[track_caller]
fn check(field: impl AnnDataField + 'static, change: impl Fn(&mut AnnData), expected: &str) {
    let mut adata = labelled();
    change(&mut adata);
    check_error(AnnDataManager::register_fields(vec![field.boxed()], &mut adata), expected);
    assert!(adata.get(Slot::Uns, SCVI_UUID).is_err());
}

#[test]
fn columns_of_genes_are_called_so() {
    let as_is = |_: &mut AnnData| {};
    check(
        CategoricalVarField::new("c", Some("chromosome")),
        as_is,
        "var has no `chromosome`; present: chrom, gc",
    );
    check(
        CategoricalJointVarField::new("c", &["gaps".into()]),
        |adata| {
            let gaps = categorical(&[0, -1, 0], &["x"]);
            adata.set(Slot::Var, "gaps", gaps).unwrap();
        },
        "var column `gaps`: 1 of 3 genes have no value (NaN), first g1; give them a category of \
         their own, or drop them",
    );
    check(
        NumericalVarField::new("n", Some("holes")),
        |adata| {
            let holes = Element::vector(vec![1.0f64, f64::NAN, 2.0]);
            adata.set(Slot::Var, "holes", holes).unwrap();
        },
        "var column `holes`: 1 of 3 genes have no finite number, first g1; fill in the values, drop \
         these rows, or leave the column out",
    );
    let fields = || vec![CategoricalVarField::new("c", Some("chrom")).boxed()];
    let manager = AnnDataManager::register_fields(fields(), &mut labelled()).unwrap();
    check_error(
        manager.transfer_fields(&mut small(["a"; N], ["2", "Y", "X"]), Transfer::default()),
        "var column `chrom`: categories \"X\", \"Y\" (2 genes) not found in source registry, which \
         has \"1\", \"2\". Cannot transfer setup without `extend_categories = True`",
    );
}

#[test]
fn matrices_must_be_numbers_with_names_that_fit() {
    let as_is = |_: &mut AnnData| {};
    check(ObsmField::new("m", "umap"), as_is, "obsm has no `umap`; present: pca, prot");
    check(
        VarmField::new("m", "load").colnames_uns_key("names"),
        as_is,
        "adata.varm['load']: the columns are not those of the registered data set: it has 4, and 2 \
         are named",
    );
    check(
        ObsmField::new("m", "pca").colnames_uns_key("nmaes"),
        as_is,
        "uns has no `nmaes`; present: names, note",
    );
    check(
        ObsmField::new("m", "pca").colnames_uns_key("note"),
        as_is,
        "uns[\"note\"]: expected names of columns, found string",
    );
    let with = |values: Vec<f64>| {
        move |adata: &mut AnnData| {
            let matrix = Element::matrix(N, 2, values.clone()).unwrap();
            adata.set(Slot::Obsm, "pca", matrix).unwrap();
        }
    };
    let mut values = vec![1.5; 12];
    check(
        ObsmField::new("m", "pca").is_count_data(),
        with(values.clone()),
        "obsm[\"pca\"] holds no counts: 12 of 12 stored values are fractional and look \
         log-normalised; first 1.5 in row `c0`, column 0; give raw counts",
    );
    values[5] = f64::NAN;
    check(
        ObsmField::new("m", "pca"),
        with(values),
        "obsm[\"pca\"]: expected finite numbers, found 1 that are not, first NaN in row `c2`, \
         column 1",
    );
    check(
        ObsmField::new("m", "prot"),
        |adata| {
            let columns = [("p".to_owned(), Element::strings(["x"; N]))].into();
            let table = DataFrame { columns, ..adata.obs().clone() };
            adata.set(Slot::Obsm, "prot", Element::DataFrame(table)).unwrap();
        },
        "obsm[\"prot\"], column `p`: expected numbers, found string array",
    );
}

#[test]
fn matrices_of_other_columns_are_not_taken_for_the_same() {
    let fields = || vec![ObsmField::new("p", "prot").boxed(), ObsmField::new("m", "pca").boxed()];
    let manager = AnnDataManager::register_fields(fields(), &mut labelled()).unwrap();
    let moved = |change: &dyn Fn(&mut AnnData)| {
        let mut target = labelled();
        change(&mut target);
        manager.transfer_fields(&mut target, Transfer::default())
    };
    let table = |adata: &AnnData, names: &[&str]| {
        let column = |name: &&str| ((*name).to_owned(), Element::vector(vec![1i64; N]));
        let columns = names.iter().map(column).collect();
        Element::DataFrame(DataFrame { columns, ..adata.obs().clone() })
    };
    let swapped = |adata: &mut AnnData| {
        adata.set(Slot::Obsm, "prot", table(adata, &["p2", "p1"])).unwrap();
    };
    let other = "the columns are not those of the registered data set";
    check_error(
        moved(&swapped),
        &format!("adata.obsm['prot']: {other}: at position 0 expected \"p1\", found \"p2\""),
    );
    let wider = |adata: &mut AnnData| {
        adata.set(Slot::Obsm, "pca", Element::matrix(N, 3, vec![1u8; N * 3]).unwrap()).unwrap();
    };
    let named = vec![ObsmField::new("m", "pca").colnames_uns_key("names").boxed()];
    let manager = AnnDataManager::register_fields(named, &mut labelled()).unwrap();
    let mut unnamed = labelled();
    unnamed.remove(Slot::Uns, "names");
    let kept = manager.transfer_fields(&mut unnamed, Transfer::default()).unwrap();
    let state = kept.get_state_registry("m").unwrap();
    assert_eq!(state.0["column_names"], json!(["first", "second"]));
    unnamed.set(Slot::Uns, "names", Element::strings(["second", "first"])).unwrap();
    check_error(
        manager.transfer_fields(&mut unnamed, Transfer::default()),
        &format!("adata.obsm['pca']: {other}: at position 0 expected \"first\", found \"second\""),
    );
    check_error(moved(&wider), &format!("adata.obsm['pca']: {other}: expected 2, found 3"));
}

#[test]
fn labels_are_not_extended_and_may_be_missing_only_when_allowed() {
    let field = || LabelsWithUnlabeledObsField::new("labels", Some("label"), "unknown");
    let manager = AnnDataManager::register_fields(vec![field().boxed()], &mut labelled()).unwrap();
    let how = Transfer { extend_categories: true, ..Default::default() };
    let mut target = small(["a"; N], ["1"; 3]);
    check_error(manager.transfer_fields(&mut target, how), "obs has no `label`; present: text");
    let labels = Element::strings(["x", "z", "unknown", "x", "y", "z"]);
    target.set(Slot::Obs, "label", labels).unwrap();
    check_error(
        manager.transfer_fields(&mut target, how),
        "obs column `label`: category \"z\" (2 cells) not found in source registry, which has \
         \"y\", \"x\", \"unknown\". Labels are not extended: give these cells a known label, or the \
         unlabeled one",
    );
    // The last code is the unlabeled one, even if no cell has it.
    let kinds = Element::strings(["u", "v", "u", "v", "u", "v"]);
    let mut adata = labelled();
    adata.set(Slot::Obs, "label", kinds).unwrap();
    let manager = AnnDataManager::register_fields(vec![field().boxed()], &mut adata).unwrap();
    let state = manager.get_state_registry("labels").unwrap();
    assert_eq!(state.0["categorical_mapping"], json!(["u", "v", "unknown"]));
    assert_eq!(manager.summary_stats().n_labels(), 3);
    let unused = categorical(&[0, 2, 0, 2, 0, 2], &["u", "unknown", "v"]);
    adata.set(Slot::Obs, "label", unused).unwrap();
    let manager = AnnDataManager::register_fields(vec![field().boxed()], &mut adata).unwrap();
    let state = manager.get_state_registry("labels").unwrap();
    assert_eq!(state.0["categorical_mapping"], json!(["u", "v", "unknown"]));
    assert_eq!(codes(&adata, Slot::Obs, "_scvi_labels"), [0, 1, 0, 1, 0, 1]);
}

#[test]
fn a_missing_column_of_labels_is_filled_by_whatever_stands_for_unlabeled() {
    for (unlabeled, column) in [
        (Category::Text("?".into()), Element::strings(["?"; N])),
        (Category::Int(-1), Element::vector(vec![-1i64; N])),
        (Category::Float(0.5), Element::vector(vec![0.5f64; N])),
        (Category::Bool(false), Element::vector(vec![false; N])),
    ] {
        let field = LabelsWithUnlabeledObsField::new("labels", Some("text"), unlabeled);
        let fields = vec![field.boxed()];
        let manager = AnnDataManager::register_fields(fields, &mut labelled()).unwrap();
        let mut target = labelled();
        target.remove(Slot::Obs, "text");
        let how = Transfer { allow_missing_labels: true, ..Default::default() };
        manager.transfer_fields(&mut target, how).unwrap();
        assert_eq!(target.get(Slot::Obs, "text").unwrap(), &column);
        assert_eq!(codes(&target, Slot::Obs, "_scvi_labels"), [4; N]);
    }
}

#[test]
fn the_mask_of_proteins_is_the_same_in_every_layout() {
    let counts = vec![0.0f64, 2.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let sparse = |format, data: Vec<f64>, indices: Vec<i32>, indptr: Vec<i32>| {
        let parts = (data.into(), indices.into(), indptr.into());
        Element::Sparse(Sparse::new(format, [N, 2], parts.0, parts.1, parts.2).unwrap())
    };
    let (csr, csc) = (SparseFormat::Csr, SparseFormat::Csc);
    for matrix in [
        Element::matrix(N, 2, counts).unwrap(),
        // An explicit zero is no measurement.
        sparse(csr, vec![2.0, 0.0, 3.0, 1.0], vec![1, 0, 1, 0], vec![0, 1, 2, 3, 3, 3, 4]),
        sparse(csc, vec![1.0, 2.0, 3.0], vec![5, 0, 2], vec![0, 1, 3]),
    ] {
        let mut adata = labelled();
        adata.set(Slot::Obs, "lane", Element::vector(vec![7i64, 9, 7, 9, 9, 7])).unwrap();
        adata.set(Slot::Obsm, "counts", matrix).unwrap();
        let batch = CategoricalObsField::new("batch", Some("lane"));
        let proteins = ProteinObsmField::new(ObsmField::new("proteins", "counts"));
        let fields = vec![proteins.clone().batch_mask(&batch).boxed(), batch.clone().boxed()];
        check_error(
            AnnDataManager::register_fields(fields, &mut adata),
            "obs has no `_scvi_batch`; present: text, label, lane",
        );
        let fields = vec![batch.clone().boxed(), proteins.clone().batch_mask(&batch).boxed()];
        let manager = AnnDataManager::register_fields(fields, &mut adata).unwrap();
        let state = manager.get_state_registry("proteins").unwrap();
        let mask = json!({ "0": [true, true], "1": [false, false] });
        assert_eq!(state.0["protein_batch_mask"], mask);
        let fields = vec![proteins.boxed()];
        let manager = AnnDataManager::register_fields(fields, &mut adata).unwrap();
        assert!(
            !manager.get_state_registry("proteins").unwrap().0.contains_key("protein_batch_mask")
        );
    }
}

#[test]
fn a_word_in_uns_is_text() {
    check(
        StringUnsField::new("note", Some("nte")),
        |_| {},
        "uns has no `nte`; present: names, note",
    );
    check(
        StringUnsField::new("note", Some("names")),
        |_| {},
        "adata.uns['names']: expected a string, found string array",
    );
    let fields = vec![StringUnsField::new("note", None).boxed()];
    let manager = AnnDataManager::register_fields(fields, &mut labelled()).unwrap();
    assert!(manager.data_registry().is_empty());
}
