//! Several managers, several data sets: nobody sees codes of somebody else's.

use super::*;
use crate::data::ManagerStore;

fn by(column: &str) -> Vec<Box<dyn AnnDataField>> {
    vec![
        LayerField::new("x", None).boxed(),
        CategoricalObsField::new("batch", Some(column)).boxed(),
    ]
}

fn batch_codes(adata: &AnnData) -> Vec<i64> {
    codes(adata, Slot::Obs, "_scvi_batch")
}

const BY_TEXT: [i64; N] = [2, 1, 2, 0, 1, 3];
const BY_INTS: [i64; N] = [1, 2, 1, 0, 2, 2];

#[test]
fn interleaved_managers_replay_when_another_wrote_last() {
    let mut adata = small();
    let text = AnnDataManager::register_fields(by("text"), &mut adata).unwrap();
    let ints = AnnDataManager::register_fields(by("ints"), &mut adata).unwrap();
    for _ in 0..2 {
        text.validate(&mut adata).unwrap();
        assert_eq!(batch_codes(&adata), BY_TEXT);
        ints.validate(&mut adata).unwrap();
        assert_eq!(batch_codes(&adata), BY_INTS);
    }
    // Nothing is written where nothing has changed.
    adata.take_touched();
    ints.validate(&mut adata).unwrap();
    assert_eq!(adata.take_touched(), []);
}

#[test]
fn a_replay_keeps_terms_that_were_extended() {
    let source = AnnDataManager::register_fields(by("text"), &mut small()).unwrap();
    let mut target = small();
    target.set(Slot::Obs, "text", Element::strings(["b", "0", "b", "b", "b", "b"])).unwrap();
    let how = Transfer { extend_categories: true, ..Default::default() };
    let extended = source.transfer_fields(&mut target, how).unwrap();
    assert_eq!(batch_codes(&target), [2, 4, 2, 2, 2, 2]);
    AnnDataManager::register_fields(by("ints"), &mut target).unwrap();
    extended.validate(&mut target).unwrap();
    assert_eq!(batch_codes(&target), [2, 4, 2, 2, 2, 2]);
    // The source never learnt the new category, and says so of data in its own terms too.
    let before = batch_codes(&target);
    assert!(matches!(source.validate(&mut target), Err(Error::UnseenCategories { .. })));
    assert_eq!(batch_codes(&target), before);
}

#[test]
fn a_copy_is_a_data_set_of_its_own() {
    let mut adata = small();
    let manager = AnnDataManager::register_fields(by("text"), &mut adata).unwrap();
    let mut copy = adata.clone();
    assert_ne!(copy.id(), adata.id());
    // Changed, it still says in `uns` that the manager wrote last: to the other one.
    copy.set(Slot::Obs, "text", Element::strings(["a"; N])).unwrap();
    manager.validate(&mut copy).unwrap();
    assert_eq!(batch_codes(&copy), [1; N]);
    let own = AnnDataManager::register_fields(by("ints"), &mut copy).unwrap();
    assert_ne!(own.adata_uuid(), manager.adata_uuid());
    adata.take_touched();
    manager.validate(&mut adata).unwrap();
    assert_eq!((adata.take_touched(), batch_codes(&adata)), (vec![], BY_TEXT.into()));
}

#[test]
fn stores_find_managers_by_data_set_and_refuse_those_of_other_classes() {
    let mut adata = small();
    let set_up = |column, class, adata: &mut AnnData| {
        AnnDataManager::register(by(column), class, Args::new(), adata).unwrap()
    };
    let mut store = ManagerStore::new("MyModel");
    store.register_manager(set_up("text", "MyModel", &mut adata)).unwrap();
    let mut copy = adata.clone();
    let not_set_up = "the data set was not set up for MyModel: call setup_anndata with it first; a \
                      copy of a data set that was set up is another one";
    check_error(store.get_anndata_manager(&copy), not_set_up);
    // Setting up the copy does not push out the original.
    store.register_manager(set_up("ints", "MyModel", &mut copy)).unwrap();
    let n_batch = |adata| store.get_anndata_manager(adata).unwrap().summary_stats().n_batch();
    assert_eq!((n_batch(&adata), n_batch(&copy)), (4, 3));
    assert_eq!(store.iter().count(), 2);
    // Setting up again replaces.
    store.register_manager(set_up("bools", "MyModel", &mut adata)).unwrap();
    let again = store.get_anndata_manager(&adata).unwrap();
    assert_eq!(again.summary_stats().n_batch(), 2);
    store.deregister_manager(Some(&adata));
    check_error(store.get_anndata_manager(&adata), not_set_up);
    assert!(store.get_anndata_manager(&copy).is_ok());
    store.deregister_manager(None);
    check_error(store.get_anndata_manager(&copy), not_set_up);
    check_error(
        store.register_manager(set_up("text", "Other", &mut adata)),
        "the manager was not set up for MyModel: it was made by setup_anndata of Other",
    );
    check_error(
        store.register_manager(AnnDataManager::register_fields(by("text"), &mut adata).unwrap()),
        "the manager was not set up for MyModel: it was made without a class of models",
    );
}

#[test]
fn fields_are_added_in_the_terms_that_stand() {
    let mut adata = small();
    let mut manager = AnnDataManager::register_fields(by("text"), &mut adata).unwrap();
    let mut earlier = small();
    earlier.remove(Slot::Obs, "size");
    manager.validate(&mut earlier).unwrap();
    AnnDataManager::register_fields(by("ints"), &mut adata).unwrap();
    let size = || vec![NumericalObsField::new("size_factor", Some("size")).boxed()];
    manager.register_new_fields(size(), &mut adata).unwrap();
    assert_eq!(batch_codes(&adata), BY_TEXT, "validated first");
    let wants_sizes = manager.validate(&mut earlier);
    check_error(
        wants_sizes,
        "obs has no `size`; present: text, ints, floats, bools, kinds, _scvi_batch",
    );
    assert_eq!(
        manager.data_registry().keys().copied().collect::<Vec<_>>(),
        ["x", "batch", "size_factor"]
    );
    check_error(
        manager.register_new_fields(size(), &mut adata),
        "two fields are registered as `size_factor`; each needs a registry key of its own",
    );
    let twice = vec![CategoricalObsField::new("vars", None).boxed()];
    check_error(
        manager.register_new_fields(twice, &mut adata),
        "fields `x` and `vars` both give the summary statistic `n_vars`",
    );
    assert_eq!(manager.data_registry().len(), 3);
    assert!(adata.get(Slot::Obs, "_scvi_vars").is_err());
    // What was added is carried over with the rest.
    let mut target = small();
    target.remove(Slot::Obs, "size");
    let moved = manager.transfer_fields(&mut target, Transfer::default());
    check_error(moved, "obs has no `size`; present: text, ints, floats, bools, kinds, _scvi_batch");
}

#[test]
fn registered_data_and_states_are_found_by_key() {
    let mut adata = small();
    let sizes = Nullable {
        values: Box::new(Element::vector(vec![1i64, 2, 3, 4, 5, 6])),
        mask: Buffer::from(vec![false; N]),
    };
    adata.set(Slot::Obs, "size", Element::Nullable(sizes)).unwrap();
    let mut fields = by("text");
    fields.push(NumericalObsField::new("size_factor", Some("size")).boxed());
    let manager = AnnDataManager::register_fields(fields, &mut adata).unwrap();
    let found = |key| manager.get_from_registry(&adata, key);
    assert_eq!(&found("x").unwrap(), adata.x().unwrap());
    let expected = Element::matrix(N, 1, vec![2i8, 1, 2, 0, 1, 3]).unwrap();
    assert_eq!(found("batch").unwrap(), expected);
    let expected = Element::matrix(N, 1, vec![1.0f64, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    assert_eq!(found("size_factor").unwrap(), expected);
    check_error(found("labels"), "registry has no `labels`; present: x, batch, size_factor");
    check_error(
        manager.get_state_registry("labels"),
        "registry has no `labels`; present: x, batch, size_factor",
    );
}

#[test]
fn arguments_of_the_set_up_are_shown_as_python_writes_them() {
    let mut adata = small();
    let mut manager = AnnDataManager::register_fields(by("text"), &mut adata).unwrap();
    assert_eq!(manager.registry().view_setup_method_args(), None);
    let written = json!(manager.registry());
    assert_eq!((&written["model_name"], &written["setup_args"]), (&Value::Null, &Value::Null));
    assert_eq!(written.get("setup_method_name"), None);

    let args = |args: Value| args.as_object().unwrap().clone();
    let first = args(json!({ "layer": null, "batch_key": "it's", "n": [1, 0.5, true] }));
    manager = AnnDataManager::register(by("text"), "MyModel", first, &mut adata).unwrap();
    manager.update_setup_method_args(args(json!({ "layer": "raw", "more": { "a": false } })));
    let expected = "Setup via `MyModel.setup_anndata` with arguments:\n{\n    'layer': 'raw',\n    \
                    'batch_key': \"it's\",\n    'n': [1, 0.5, True],\n    'more': {'a': False},\n}\n";
    assert_eq!(manager.registry().view_setup_method_args().unwrap().to_string(), expected);
    let short = manager.view_registry().hide_state_registries().to_string();
    assert!(short.contains(expected) && !short.contains("State Registry"), "{short}");
}
