//! What a model says about itself, under the names of its API page.

#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use scvi_framework::{
    anndata::{AnnData, Dense, Element, Slot},
    data::{AnnDataManager, Simulation, permutation, simulate},
    fields::Transfer,
    model::{Model, Settings, Silent, queries},
    tch::{Cuda, Device},
    train::TrainParams,
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

fn adata() -> AnnData {
    simulate(&Simulation { n_obs: 100, n_vars: 20, ..Default::default() }).unwrap()
}

fn model(adata: &mut AnnData) -> Model<Scvi> {
    let setup = ScviSetup {
        batch_key: Some("batch".into()),
        continuous_covariate_keys: vec!["percent_mito".into()],
        ..Default::default()
    };
    let params = ScviParams { n_latent: 3, ..Default::default() };
    let settings = Settings { device: "cpu".into(), threads: Some(1), ..Default::default() };
    Model::new(adata, &setup, &params, &settings).unwrap()
}

fn train(model: &mut Model<Scvi>, adata: &mut AnnData) {
    let params = TrainParams {
        max_epochs: Some(2),
        train_size: Some(0.7),
        validation_size: Some(0.2),
        ..Default::default()
    };
    model.train(adata, &params, &mut Silent).unwrap();
}

#[test]
fn a_model_tells_the_terms_in_which_data_sets_are_registered() {
    let mut adata = adata();
    let model = model(&mut adata);
    assert_eq!(model.adata_manager().adata_uuid(), adata.id().to_string());
    let keys: Vec<&String> = model.registry().field_registries.keys().collect();
    let all =
        ["X", "batch", "labels", "size_factor", "extra_categorical_covs", "extra_continuous_covs"];
    assert_eq!(keys, all);
    let stats = model.summary_stats();
    assert_eq!((stats.n_cells(), stats.n_vars(), stats.n_batch()), (100, 20, 2));
    let batch = model.get_state_registry("batch").unwrap();
    assert_eq!(batch.read::<String>("original_key").unwrap(), "batch");
    assert_eq!(
        model.get_state_registry("bacth").unwrap_err().to_string(),
        format!("registry has no `bacth`; present: {}", all.join(", "))
    );
    assert_eq!(model.get_setup_arg("batch_key").unwrap(), "batch");
    assert!(model.get_setup_arg("layer").unwrap().is_null());
    assert!(model.get_setup_arg("key").unwrap_err().to_string().contains("batch_key, labels_key"));
    let names: Vec<&str> = adata.var_names().unwrap().iter().collect();
    assert_eq!(model.get_var_names(), names);
}

#[test]
fn registered_data_are_found_by_key_in_the_models_terms() {
    let mut own = adata();
    let model = model(&mut own);
    assert_eq!(&model.get_from_registry(&mut own, "X").unwrap(), own.x().unwrap());

    let mut other = adata();
    other.set(Slot::Obs, "batch", Element::strings(["batch_1"; 100])).unwrap();
    let Element::Dense(codes) = model.get_from_registry(&mut other, "batch").unwrap() else {
        panic!("codes are dense")
    };
    assert_eq!((codes.shape, codes.values.to_i64().to_vec()), (vec![100, 1], vec![1; 100]));
    let missing = model.get_from_registry(&mut other, "size_factor").unwrap_err().to_string();
    assert_eq!(
        missing,
        "registry has no `size_factor`; present: X, batch, labels, extra_continuous_covs"
    );
}

#[test]
fn a_set_up_is_viewed_as_tables_for_the_own_data_set_and_for_others() {
    let mut own = adata();
    let model = model(&mut own);
    let view = model.view_anndata_setup(None).unwrap();
    assert_eq!(view, model.adata_manager().view_registry());
    let setup = view.setup.clone().unwrap();
    assert_eq!(model.view_setup_method_args(), Some(setup));
    assert!(!view.state_registries.is_empty());
    assert!(view.hide_state_registries().state_registries.is_empty());

    let mut other = simulate(&Simulation { n_obs: 30, n_vars: 20, ..Default::default() }).unwrap();
    let view = model.view_anndata_setup(Some(&mut other)).unwrap();
    assert!(view.summary_stats.rows.contains(&vec!["n_cells".into(), "30".into()]), "{view}");
    other.set(Slot::Obs, "batch", Element::strings(["lane 9"; 30])).unwrap();
    assert!(model.view_anndata_setup(Some(&mut other)).is_err());
    let how = Transfer { extend_categories: true, ..Default::default() };
    let extended: AnnDataManager = model.transfer_fields(&mut other, how).unwrap();
    assert_eq!(extended.summary_stats().n_batch(), 3);
}

#[test]
fn the_rows_of_the_split_are_remembered() {
    let mut adata = adata();
    let mut model = model(&mut adata);
    assert!(model.train_indices().is_empty() && !model.is_trained());
    train(&mut model, &mut adata);
    let order = permutation(0, 100); // as numpy draws it: validation first, then training
    assert_eq!(model.validation_indices(), &order[..20]);
    assert_eq!(model.train_indices(), &order[20..90]);
    assert_eq!(model.test_indices(), &order[90..]);
    assert_eq!(model.history()["train_loss"].len(), 2);
}

#[test]
fn the_summary_names_the_arguments_and_whether_it_was_trained() {
    let mut adata = adata();
    let mut model = model(&mut adata);
    let summary = model.summary_string();
    assert!(summary.starts_with("SCVI model with the following parameters:\n"), "{summary}");
    // Those that scvi-tools' summary has.
    let expected = [
        "n_hidden: 128",
        "n_latent: 3",
        "n_layers: 1",
        "dropout_rate: 0.1",
        "dispersion: gene",
        "gene_likelihood: zinb",
        "latent_distribution: normal",
        "log_variational: True",
    ];
    for pair in expected {
        assert!(summary.contains(&format!("{pair}, ")), "{pair}: {summary}");
    }
    assert!(
        summary.ends_with(".\nTraining status: Not Trained\nModel's adata is minified?: False"),
        "{summary}"
    );
    train(&mut model, &mut adata);
    let summary = model.summary_string();
    assert!(
        summary.ends_with(".\nTraining status: Trained\nModel's adata is minified?: False"),
        "{summary}"
    );
    assert_eq!(model.save().unwrap().meta.summary_string(), summary);
}

fn latent(model: &Model<Scvi>, adata: &mut AnnData) -> Dense {
    match model.get_latent_representation(adata, &Default::default(), &mut Silent).unwrap() {
        queries::Latent::Points(z) => z,
        queries::Latent::Moments { .. } => panic!("points were asked for"),
    }
}

#[test]
fn a_model_moves_to_a_device_by_name_and_answers_and_trains_as_before() {
    let mut adata = adata();
    let mut model = model(&mut adata);
    train(&mut model, &mut adata);
    let before = latent(&model, &mut adata);
    let mut devices = vec![("cpu", Device::Cpu)];
    match Cuda::is_available() {
        true => devices.extend([("cuda:0", Device::Cuda(0)), ("0", Device::Cuda(0))]),
        false => println!("skipped: no GPU"),
    }
    for (name, device) in devices {
        model.to_device(name).unwrap();
        assert_eq!(model.device(), device);
        let here = latent(&model, &mut adata);
        for (there, here) in before.values.to_f64().iter().zip(here.values.to_f64()) {
            assert!((there - here).abs() < 1e-3, "{name}: {here} for {there}");
        }
    }
    let weights = model.save().unwrap().weights;
    train(&mut model, &mut adata);
    assert_ne!(model.save().unwrap().weights, weights);
}

#[test]
fn a_device_that_is_none_is_named() {
    let mut adata = adata();
    let mut model = model(&mut adata);
    let error =
        |model: &mut Model<Scvi>, name: &str| model.to_device(name).unwrap_err().to_string();
    let expected = "argument `device`: expected auto, cpu, cuda, cuda:N or N, found ";
    for name in ["gpu", "cudax", "cuda7", "-1"] {
        assert_eq!(error(&mut model, name), format!("{expected}{name}"));
    }
    let found = Cuda::device_count();
    assert_eq!(
        error(&mut model, "99"),
        format!("argument `device`: expected a GPU that is there ({found} found), found 99")
    );
    assert_eq!(model.device(), Device::Cpu);
}
