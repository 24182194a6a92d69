//! Plugins compiled into a program: the same models through the same registry.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use scvi_echo as _;
use scvi_framework::{
    Error,
    abi::{Plugin, native_fields, native_models},
    anndata::{AnnData, DataFrame, Element, Slot},
    model::Setup,
    params::Args,
    serde_json::{self, json},
};
use scvi_host::{field_kinds::FieldKinds, plugins::Plugins, registry::Models};

fn adata() -> AnnData {
    let mut adata = AnnData::new(DataFrame::new(["a", "b"]), DataFrame::new(["g"]));
    adata.set(Slot::Obs, "batch", Element::strings(["x", "y"])).unwrap();
    adata
}

#[test]
fn a_native_model_is_what_the_plugin_is() {
    let models = Models::new(&Plugins::default()).with_native();
    let native = models.open("Echo").unwrap();
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let plugin = Plugin::load(&folder.join("libscvi_echo.so")).unwrap();
    let foreign = plugin.classes().unwrap().remove(0);
    assert_eq!(native.description(), foreign.description());

    let (mut here, mut there) = (adata(), adata());
    let registry = native.setup_anndata(&mut here, &Setup::default()).unwrap();
    let same = foreign.setup_anndata(&mut there, &Setup::default()).unwrap();
    let json = |r| scvi_framework::serde_json::to_value(r).unwrap();
    assert_eq!(json(&registry), json(&same));
    assert_eq!(here.obs(), there.obs());
    assert_eq!(here.mapping(Slot::Uns), there.mapping(Slot::Uns));

    let fail = Args::from_iter([("fail".to_owned(), "user".into())]);
    let here = native.setup_anndata(&mut here, &(&fail).into()).unwrap_err();
    let there = foreign.setup_anndata(&mut there, &(&fail).into()).unwrap_err();
    assert_eq!(here.to_string(), there.to_string());
    assert!(matches!(here, Error::MissingElement { .. }));
}

#[test]
fn this_program_registers_what_it_links() {
    let names: Vec<_> = native_models().iter().map(|m| (m.package, m.name)).collect();
    assert_eq!(names, [("scvi-echo", "Echo")]);
    let fields: Vec<_> = native_fields().iter().map(|f| (f.package, f.kind)).collect();
    assert_eq!(fields, [("scvi-echo", "EchoField")]);
    let kinds = FieldKinds::new(&Plugins::default()).with_native();
    let json = json!({ "field": "EchoField", "registry_key": "sound", "loudness": 0.5 });
    let field = kinds.open(&json, None).unwrap();
    assert_eq!((field.registry_key(), field.plugin()), ("sound", None));
    assert_eq!(serde_json::to_value(&field).unwrap(), json);
}
