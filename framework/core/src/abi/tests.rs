//! What crosses, without a second library: packets opened by who sealed them.

use serde_json::json;

use super::{
    ABI_VERSION, LIBTORCH_VERSION, TCH_VERSION, export,
    manifest::Manifest,
    peer::AtLender,
    wire::{Packer, Unpacker},
};
use crate::anndata::{AnnData, DataFrame, Values};

#[test]
fn manifest_is_written_at_compile_time_and_read_back() {
    const PARTS: &[export::Part] = &[
        export::Part::Raw("{\"plugin\":"),
        export::Part::Text("quotes \" and \\"),
        export::Part::Raw(",\"version\":\"1.2.3\""),
        export::Part::Raw(export::BUILD),
        export::Part::Raw(",\"models\":["),
        export::Part::Next,
        export::Part::Raw("]}"),
    ];
    static SECTION: [u8; export::section_len(PARTS)] = export::section(PARTS);
    let manifest = Manifest::parse("plugin.so".as_ref(), &SECTION).unwrap();
    assert_eq!(manifest.plugin, "quotes \" and \\");
    assert_eq!((manifest.abi, manifest.tch.as_str()), (ABI_VERSION, TCH_VERSION));
    assert!(manifest.models.is_empty());
    manifest.check("plugin.so".as_ref()).unwrap();
}

#[test]
fn versions_are_those_of_the_workspace() {
    let lock = include_str!("../../../../Cargo.lock");
    let version = |name: &str| {
        let entry = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap().1;
        entry.split('"').next().unwrap().to_owned()
    };
    assert_eq!(version("tch"), TCH_VERSION);
    let setup = std::env::var_os("LIBTORCH").map(std::path::PathBuf::from).unwrap();
    let header = setup.join("include/torch/headeronly/version.h");
    let header = std::fs::read_to_string(header).unwrap();
    let parts = ["MAJOR", "MINOR", "PATCH"].map(|part| {
        let line = header.split_once(&format!("TORCH_VERSION_{part} ")).unwrap().1;
        line.lines().next().unwrap().trim().to_owned()
    });
    assert_eq!(parts.join("."), LIBTORCH_VERSION);
}

#[test]
fn a_data_set_that_crosses_is_no_copy() {
    let adata = AnnData::new(DataFrame::new(["c0"]), DataFrame::new(["g0"]));
    let mut packer = Packer::default();
    let wire = packer.data(&adata).unwrap();
    let unpacker = Unpacker { buffers: &packer.buffers, homes: &AtLender(None) };
    assert_eq!(unpacker.data(wire).unwrap().id(), adata.id());
}

#[test]
fn what_does_not_fit_its_description_is_refused() {
    #[track_caller]
    fn check(wire: serde_json::Value, buffers: &[Values], expected: &str) {
        let wire = serde_json::from_value(wire).unwrap();
        let error = Unpacker { buffers, homes: &AtLender(None) }.element(wire).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let one = [Values::from(vec![1.0f32])];
    check(
        json!({ "dense": { "shape": [2, 3], "values": 0 } }),
        &one,
        "array: expected shape [2, 3], found [1]",
    );
    check(
        json!({ "dense": { "shape": [1u64 << 63, 2], "values": 0 } }),
        &one,
        "plugin boundary: expected a shape whose values can be numbered, found [9223372036854775808, 2]",
    );
    let halves = [vec![0i64; 1].into(), vec![0i32; 0].into(), vec![0.0f32; 0].into()];
    check(
        json!({ "sparse": { "format": "csr", "shape": [0, u64::MAX], "parts": [2, 1, 0] } }),
        &halves,
        "plugin boundary: expected a shape whose values can be numbered, found [0, 18446744073709551615]",
    );
    check(
        json!({ "number": { "values": 4 } }),
        &one,
        "plugin boundary: expected an array of the packet, found number 4 of 1",
    );
    check(
        json!({ "strings": { "shape": [1], "offsets": 0, "bytes": 0 } }),
        &one,
        "plugin boundary: expected an array of the dtype that its place demands, found float32",
    );
    check(
        json!({ "sparse": { "format": "csr", "shape": [1, 1], "parts": [0, 0, 0] } }),
        &one,
        "sparse matrix 1×1, indices: expected int32 or int64, found float32",
    );
    check(
        json!({ "backed": { "id": 0, "shape": [1, 1], "dtype": "float32" } }),
        &one,
        "plugin boundary: expected a port to the owner of the data, found none came with the request",
    );
}
