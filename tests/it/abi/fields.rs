//! Fields of one library in models of another, natively and across the boundary in all directions.

use std::sync::Arc;

use scvi_framework::{
    Result,
    abi::{Fault, Plugin},
    anndata::{AnnData, Element, Slot},
    data::{AnnDataManager, LoaderOptions, Registry, Simulation, simulate},
    fields::{AnnDataField, AttrLocation, CategoricalObsField, FieldState, SummaryStats, Transfer},
    model::{DynModel, DynModelClass, Model, Settings, Setup, Silent},
    params::Args,
    saved::SavedModel,
    serde::{Deserialize, Serialize},
    serde_json::{self, Value, json},
    tch::Kind,
    typetag,
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

use super::{
    calls::{Kept, args, assert_echoed, assert_same, check_failure, small},
    echo, library,
    random::Random,
};

fn plugin(name: &str) -> Plugin {
    Plugin::load(&library(name)).unwrap()
}

/// A field of the echo plugin.
fn echo_field(body: Value) -> Arc<dyn AnnDataField> {
    let mut json = json!({ "field": "EchoField", "registry_key": "sound", "loudness": 2.0 });
    json.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    plugin("echo").field(json, None).unwrap()
}

fn bins(registry_key: &str, n_bins: usize) -> Value {
    json!({
        "field": "BinnedObsField", "registry_key": registry_key, "obs_key": "percent_mito",
        "n_bins": n_bins, "cut": "quantiles",
    })
}

fn binned(registry_key: &str, n_bins: usize) -> Arc<dyn AnnDataField> {
    plugin("binned_field").field(bins(registry_key, n_bins), None).unwrap()
}

/// SCVI through its shared library.
fn scvi() -> Arc<dyn DynModelClass> {
    plugin("plugin_scvi").classes().unwrap().remove(0)
}

fn cells() -> AnnData {
    simulate(&Simulation { n_obs: 120, n_vars: 20, ..Default::default() }).unwrap()
}

fn settings() -> Settings {
    Settings { device: "cpu".into(), threads: Some(1), ..Settings::default() }
}

/// A field of this program, which no plugin knows: everything in it is copied back into the data set,
/// and its tensor is a count per cell.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "scvi_framework::serde")]
struct NativeField {
    key: String,
    #[serde(default)]
    fails: bool,
}

#[typetag::serde]
impl AnnDataField for NativeField {
    fn registry_key(&self) -> &str {
        &self.key
    }
    fn location(&self) -> Option<AttrLocation> {
        Some(AttrLocation::new(Slot::Obs, "native"))
    }
    fn validate_field(&self, _: &AnnData) -> Result<()> {
        Ok(())
    }
    fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
        if self.fails {
            return adata.get(Slot::Obs, "no such").map(|_| FieldState::default());
        }
        let native: Vec<f32> = (0..adata.n_obs()).map(|i| i as f32).collect();
        adata.set(Slot::Obs, "native", Element::vector(native))?;
        // What came from the owner of the data goes back to it, whatever it is.
        for (key, element) in adata.mapping(Slot::Uns).cloned().unwrap_or_default() {
            adata.set(Slot::Uns, &format!("{key} seen"), element)?;
        }
        if let Some(x) = adata.x().cloned() {
            adata.set(Slot::Uns, "X seen", x)?;
        }
        Ok([("n", adata.n_obs())].into_iter().collect())
    }
    fn transfer_field(
        &self,
        _: &FieldState,
        target: &mut AnnData,
        _: Transfer,
    ) -> Result<FieldState> {
        self.register_field(target)
    }
    fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
        SummaryStats::one(format!("n_{}", self.key), state.read("n").unwrap_or(0))
    }
}

fn native(fails: bool) -> Arc<dyn AnnDataField> {
    Arc::new(NativeField { key: "native".into(), fails })
}

fn with(fields: impl IntoIterator<Item = Arc<dyn AnnDataField>>) -> Setup<Args> {
    Setup { args: Args::new(), fields: fields.into_iter().collect() }
}

#[test]
fn describe_validate_register_transfer_and_statistics() {
    let field = echo_field(json!({}));
    assert_eq!(field.registry_key(), "sound");
    assert_eq!(field.location(), Some(AttrLocation::x()));
    assert_eq!(field.plugin(), Some(("scvi-echo".to_owned(), "0.1.0".to_owned())));
    let json = json!({ "field": "EchoField", "registry_key": "sound", "loudness": 2.0 });
    assert_eq!(serde_json::to_value(&field).unwrap(), json);

    let mut adata = small();
    field.validate_field(&adata).unwrap();
    let state = field.register_field(&mut adata).unwrap();
    assert_eq!(serde_json::to_value(&state).unwrap(), json!({ "heard": ["x", 1, 0.1] }));
    assert_eq!(field.get_summary_stats(&state).get("n_sound"), 3);
    let how = Transfer { extend_categories: true, ..Transfer::default() };
    let later = field.transfer_field(&state, &mut adata, how).unwrap();
    assert_eq!(later.read("again"), Some(true));
    assert_eq!(adata.get(Slot::Uns, "transferred").unwrap(), &Element::vector(vec![true]));
    assert_eq!(field.get_summary_stats(&later).get("n_sound"), 4);
    assert_eq!(field.get_summary_stats(&state).get("n_sound"), 3, "a state known before");
}

#[test]
fn everything_goes_to_a_field_and_comes_back() {
    let field = echo_field(json!({}));
    for seed in 0..8 {
        let mut mdata = Random::new(seed).mudata(3, 1);
        let before = mdata.clone();
        field.register_field(&mut mdata).unwrap();
        assert_echoed(&mdata, &before, &format!("seed {seed}"));
    }
}

#[test]
fn a_model_of_a_plugin_reads_through_a_field_of_the_program() {
    for seed in 0..8 {
        let mut adata = Random::new(seed).adata(4, 3);
        let before = adata.clone();
        let registry = echo().setup_anndata(&mut adata, &with([native(false)])).unwrap();
        assert_eq!(registry.summary_stats().get("n_native"), 4);
        let field = &registry.field_registries["native"].field;
        assert_eq!(serde_json::to_value(field).unwrap()["field"], "NativeField");
        // Through the plugin to this program and back, twice: matrices on disk are the same ones.
        let seen = adata.get(Slot::Uns, "X seen").unwrap();
        assert_same(seen, before.x().unwrap(), "X");
        for (key, element) in before.mapping(Slot::Uns).unwrap() {
            let seen = adata.get(Slot::Uns, &format!("{key} seen")).unwrap();
            assert_same(seen, element, key);
        }
    }
}

#[test]
fn errors_and_panics_of_a_field_name_its_plugin_and_not_the_models() {
    let crashed = |verb: &str| format!("plugin `scvi-echo` crashed in `{verb}`: asked to panic (");
    let user = "obs has no `no such`; present: batch";
    for (asked, verb) in [("validate", "validate_field"), ("register", "register_field")] {
        let fails = |how: &str| echo_field(json!({ "fails": [asked, how] }));
        let alone = |field: Arc<dyn AnnDataField>| {
            AnnDataManager::register(vec![field], "Test", Args::new(), &mut cells()).map(drop)
        };
        check_failure(alone(fails("panic")), Fault::Plugin, &crashed(verb));
        check_failure(alone(fails("user")), Fault::User, user);
        let in_model = |field| scvi().setup_anndata(&mut cells(), &with([field])).map(drop);
        check_failure(in_model(fails("panic")), Fault::Plugin, &crashed(verb));
        check_failure(in_model(fails("user")), Fault::User, user);
        let setup = with([fails("panic")]);
        let created = scvi().create(&mut cells(), &setup, &Args::new(), &settings()).map(drop);
        check_failure(created, Fault::Plugin, &crashed(verb));
    }
    // In a request after the one that the field came with.
    let field = echo_field(json!({ "fails": ["transfer", "panic"] }));
    let mut model = scvi().create(&mut cells(), &with([field]), &Args::new(), &settings()).unwrap();
    let trained = model.train(&mut cells(), &Args::new(), &mut Silent).map(drop);
    check_failure(trained, Fault::Plugin, &crashed("transfer_field"));
    let failed = echo().setup_anndata(&mut small(), &with([native(true)])).map(drop);
    check_failure(failed, Fault::User, "obs has no `no such`; present:");
    let stats = plugin("echo").field(
        json!({ "field": "EchoField", "loudness": 1.0, "fails": ["stats", "panic"] }),
        Some(FieldState::default()),
    );
    check_failure(stats.map(drop), Fault::Plugin, &crashed("describe_field"));
}

#[test]
fn what_is_no_field_is_refused() {
    let field = |json: Value| plugin("binned_field").field(json, None).map(drop);
    let error = field(json!({ "field": "BinnedObsField", "registry_key": "batch" }));
    check_failure(error, Fault::User, "field `BinnedObsField`: missing field `obs_key`");
    let error = field(json!({ "registry_key": "batch" }));
    let expected = "field `?`: expected a JSON object with \"field\", the kind of field; found {";
    check_failure(error, Fault::User, expected);
    let expected = "no field of the kind `EchoField` is known here; known: BinnedObsField, ";
    check_failure(field(json!({ "field": "EchoField" })), Fault::User, expected);
}

/// What the field puts into the data set is what the same categories made by hand would be.
fn by_hand() -> (AnnData, CategoricalObsField) {
    let mut adata = cells();
    let manager =
        AnnDataManager::register(vec![binned("batch", 3)], "Test", Args::new(), &mut adata.clone());
    let state = manager.unwrap().into_registry().field_registries["batch"].state_registry.clone();
    let points: Vec<f64> = state.read("cut_points").unwrap();
    let Element::Dense(numbers) = adata.get(Slot::Obs, "percent_mito").unwrap() else { panic!() };
    let bin = |v: f64| ["low", "middle", "z high"][points.iter().filter(|p| **p < v).count()];
    let words: Vec<&str> = numbers.values.to_f64().into_iter().map(bin).collect();
    adata.set(Slot::Obs, "third", Element::strings(words)).unwrap();
    (adata, CategoricalObsField::new("batch", Some("third")))
}

fn trained(
    class: &dyn DynModelClass,
    setup: &Setup<Args>,
    adata: &mut AnnData,
) -> Box<dyn DynModel> {
    let mut model = class.create(adata, setup, &Args::new(), &settings()).unwrap();
    model.train(adata, &args(json!({ "max_epochs": 2 })), &mut Silent).unwrap();
    model
}

fn latent(model: &dyn DynModel, adata: &mut AnnData) -> Vec<Element> {
    let mut kept = Kept::default();
    model.query("get_latent_representation", adata, &Args::new(), &mut kept, &mut Silent).unwrap();
    kept.blocks()
}

#[test]
fn scvi_takes_its_batches_from_a_field_of_another_plugin() {
    let (mut adata, same) = by_hand();
    let expected = trained(&*scvi(), &with([Arc::new(same) as _]), &mut adata);
    let model = trained(&*scvi(), &with([binned("batch", 3)]), &mut cells());
    let (expected, found) = (expected.save().unwrap(), model.save().unwrap());
    assert_eq!(found.weights, expected.weights, "the same codes, and so the same model");

    let field = json!(&found.meta.registry["field_registries"]["batch"]["field"]);
    assert_eq!(field, bins("batch", 3), "as it was given");
    let by = Some(("binned-field".to_owned(), "0.1.0".to_owned()));
    assert_eq!(found.meta.given_fields.get("batch"), Some(&by));

    // Loaded, it serves another data set in the same terms, and says the same.
    let loaded = scvi().load(found.clone(), &[reopened(&found)], &settings()).unwrap();
    let mut fresh = cells();
    assert_eq!(latent(&*loaded, &mut fresh), latent(&*model, &mut cells()));
    assert!(fresh.get(Slot::Obs, "_scvi_batch").is_ok());
    let again = loaded.save().unwrap();
    assert_eq!(again.meta.given_fields, found.meta.given_fields);
    assert_eq!(again.meta.registry, found.meta.registry);
}

/// The saved model's one given field, from its plugin.
fn reopened(saved: &SavedModel) -> Arc<dyn AnnDataField> {
    let given = saved.meta.given().next().unwrap();
    plugin("binned_field").field(given.json.clone(), Some(given.state)).unwrap()
}

#[test]
fn a_model_compiled_in_reads_through_a_field_of_a_plugin() {
    let setup = Setup { args: ScviSetup::default(), fields: vec![binned("batch", 3)] };
    let params = ScviParams { n_hidden: 8, n_latent: 2, ..ScviParams::default() };
    let mut adata = cells();
    let model = Model::<Scvi>::new(&mut adata, setup, &params, &settings()).unwrap();
    assert_eq!(model.adata_manager().summary_stats().n_batch(), 3);
    let saved = model.save().unwrap();
    let lent = [reopened(&saved)];
    let loaded = Model::<Scvi>::load_with(saved.clone(), &lent, &settings()).unwrap();
    let batch = loaded.loader(&mut cells(), LoaderOptions::default()).unwrap().iter().next();
    let codes = batch.unwrap().unwrap();
    let codes = codes.batch_index().unwrap();
    assert_eq!((codes.kind(), codes.size()), (Kind::Int64, vec![120, 1]));
    let error = Model::<Scvi>::load(saved, &settings()).err().unwrap();
    let text = error.to_string();
    let expected = "the saved model reads `batch` through a field of plugin binned-field 0.1.0, which \
                    is not here: no field of the kind `BinnedObsField` is known here; known: ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn any_other_field_is_added_to_the_minibatch() {
    let fields = [native(false), binned("mito bins", 4)];
    let setup = Setup { args: ScviSetup::default(), fields: fields.to_vec() };
    let params = ScviParams { n_hidden: 8, n_latent: 2, ..ScviParams::default() };
    let mut adata = cells();
    let model = Model::<Scvi>::new(&mut adata, setup, &params, &settings()).unwrap();
    let loader = model.loader(&mut adata, LoaderOptions { batch_size: 5, ..Default::default() });
    let batch = loader.unwrap().iter().next().unwrap().unwrap();
    let native = batch.require("native").unwrap();
    assert_eq!(Vec::<f32>::try_from(native.view(-1)).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(batch.require("mito bins").unwrap().size(), [5, 1]);
    assert_eq!(model.adata_manager().summary_stats().get("n_mito bins"), 4);
}

#[track_caller]
fn refused(setup: &Setup<Args>, expected: &str) {
    let mut adata = cells();
    let error = scvi().setup_anndata(&mut adata, setup).map(drop).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert!(adata.mapping(Slot::Obs).unwrap().keys().all(|key| !key.starts_with("_scvi")));
}

#[test]
fn a_field_that_cannot_take_the_place_is_refused() {
    let number =
        Arc::new(scvi_framework::fields::NumericalObsField::new("batch", Some("percent_mito")));
    refused(
        &with([number as _]),
        "field `NumericalObsField` cannot take the place of the model's `batch` (CategoricalObsField): \
         it does not give `n_batch`",
    );
    refused(
        &with([binned("batch", 2), binned("batch", 3)]),
        "two fields are registered as `batch`; each needs a registry key of its own",
    );
    let both = Setup { args: args(json!({ "batch_key": "batch" })), ..with([binned("batch", 2)]) };
    refused(
        &both,
        "`batch` is given twice: by the field `BinnedObsField`, and by arguments of the model \
         ({\"field\":\"CategoricalObsField\",\"registry_key\":\"batch\",\"attr_key\":\"batch\"}); leave \
         one of them out",
    );
}

#[test]
fn a_registry_from_a_plugin_carries_over_to_other_data_in_the_program() {
    let mut adata = cells();
    let registry: Registry = scvi().setup_anndata(&mut adata, &with([binned("batch", 3)])).unwrap();
    let manager = AnnDataManager::from_registry(registry);
    let mut other = simulate(&Simulation { n_obs: 30, n_vars: 20, ..Default::default() }).unwrap();
    let there = manager.transfer_fields(&mut other, Transfer::default()).unwrap();
    assert_eq!(there.summary_stats().n_batch(), 3);
    assert!(other.get(Slot::Obs, "_scvi_batch").is_ok());
}
