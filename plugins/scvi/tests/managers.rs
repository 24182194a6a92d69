//! Models and managers as in the tutorial on high-level models: what was set up is found again, and
//! calls of several models on one data set do not disturb each other.

#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use scvi_framework::{
    anndata::{AnnData, Element, Slot},
    data::{AnnDataManager, ManagerStore, SyntheticIid, synthetic_iid},
    fields::Transfer,
    model::{BaseModelClass, Model, Settings, Silent, queries},
    train::TrainParams,
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

fn synthetic() -> AnnData {
    synthetic_iid(&SyntheticIid::default()).unwrap()
}

fn set_up(adata: &mut AnnData, batch_key: Option<&str>) -> AnnDataManager {
    let setup = ScviSetup { batch_key: batch_key.map(str::to_owned), ..Default::default() };
    Model::<Scvi>::setup_anndata(adata, &setup).unwrap()
}

fn model(manager: AnnDataManager, adata: &mut AnnData) -> Model<Scvi> {
    let settings = Settings { device: "cpu".into(), threads: Some(1), ..Default::default() };
    let params = ScviParams { encode_covariates: true, ..Default::default() };
    Model::with_manager(manager, adata, &params, &settings).unwrap()
}

fn trained(manager: AnnDataManager, adata: &mut AnnData) -> Model<Scvi> {
    let mut model = model(manager, adata);
    let params = TrainParams { max_epochs: Some(1), ..Default::default() };
    model.train(adata, &params, &mut Silent).unwrap();
    model
}

fn latent(model: &Model<Scvi>, adata: &mut AnnData) -> queries::Latent {
    let params = queries::LatentParams::default();
    model.get_latent_representation(adata, &params, &mut Silent).unwrap()
}

fn codes(adata: &AnnData) -> Vec<i64> {
    let Element::Dense(codes) = adata.get(Slot::Obs, "_scvi_batch").unwrap() else {
        panic!("codes are dense")
    };
    codes.values.to_i64().to_vec()
}

fn two_batches() -> Vec<i64> {
    (0..400).map(|i| i / 200).collect()
}

#[test]
fn what_was_set_up_is_found_by_class_and_by_model() {
    let mut adata = synthetic();
    let mut of_class = ManagerStore::new(Scvi::NAME);
    of_class.register_manager(set_up(&mut adata, Some("batch"))).unwrap();
    let manager = of_class.get_anndata_manager(&adata).unwrap().clone();
    let model = model(manager, &mut adata);
    assert_eq!(model.adata_manager().adata_uuid(), adata.id().to_string());

    let mut of_model = ManagerStore::new(Scvi::NAME);
    of_model.register_manager(model.adata_manager().clone()).unwrap();
    let mut adata2 = synthetic();
    let moved = model.adata_manager().transfer_fields(&mut adata2, Transfer::default()).unwrap();
    of_model.register_manager(moved).unwrap();
    let uuids: Vec<&str> = of_model.iter().map(AnnDataManager::adata_uuid).collect();
    assert_eq!(uuids, [adata.id().to_string(), adata2.id().to_string()]);
    assert_eq!(codes(&adata2), two_batches());
}

#[test]
fn interleaved_models_see_their_own_codes() {
    let mut adata = synthetic();
    let manager = set_up(&mut adata, Some("batch"));
    let first = trained(manager, &mut adata);
    let alone = latent(&first, &mut adata);

    let manager = set_up(&mut adata, None);
    let second = trained(manager, &mut adata);
    let alone2 = latent(&second, &mut adata);
    assert_eq!(codes(&adata), [0; 400]);

    assert_eq!(latent(&first, &mut adata), alone);
    assert_eq!(codes(&adata), two_batches());
    assert_eq!(latent(&second, &mut adata), alone2);
    first.adata_manager().validate(&mut adata).unwrap();
    assert_eq!(codes(&adata), two_batches());
}

#[test]
fn a_changed_copy_is_encoded_anew() {
    let mut adata = synthetic();
    let manager = set_up(&mut adata, Some("batch"));
    let model = trained(manager, &mut adata);
    let before = latent(&model, &mut adata);
    let all_of_one = || Element::strings(["batch_1"; 400]);

    let mut copy = adata.clone();
    copy.set(Slot::Obs, "batch", all_of_one()).unwrap();
    let mut fresh = synthetic();
    fresh.set(Slot::Obs, "batch", all_of_one()).unwrap();
    let changed = latent(&model, &mut copy);
    assert_eq!(codes(&copy), [1; 400]);
    assert_eq!(changed, latent(&model, &mut fresh));
    assert_ne!(changed, before);
    assert_eq!(latent(&model, &mut adata), before);
}

#[test]
fn a_manager_of_another_class_makes_no_model() {
    let mut adata = synthetic();
    let fields = Scvi::fields(&ScviSetup::default());
    let manager = AnnDataManager::register(fields, "Other", Default::default(), &mut adata);
    let (params, settings) = (ScviParams::default(), Settings::default());
    let refused = Model::<Scvi>::with_manager(manager.unwrap(), &mut adata, &params, &settings);
    assert_eq!(
        refused.err().unwrap().to_string(),
        "the manager was not set up for SCVI: it was made by setup_anndata of Other"
    );
}
