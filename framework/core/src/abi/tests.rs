//! What crosses, without a second library: packets opened by who sealed them.

use super::{ABI_VERSION, LIBTORCH_VERSION, TCH_VERSION, export, manifest::Manifest};

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
    let header = setup.join("include/torch/csrc/api/include/torch/version.h");
    let header = std::fs::read_to_string(header).unwrap();
    assert!(header.contains(&format!("#define TORCH_VERSION \"{LIBTORCH_VERSION}")), "{header}");
}
