//! A library with a good manifest whose door has another layout.
#![allow(unsafe_code, missing_docs, reason = "stands in for a framework of another make")]

use abi_stable::{
    StableAbi,
    library::{
        __call_root_module_loader, CheckTypeLayout, LibHeader, RootModule, RootModuleResult,
    },
    package_version_strings,
    prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
};
use scvi_framework::abi::export::{BUILD, Part, section, section_len};

const PARTS: &[Part<'static>] = &[
    Part::Raw("{\"plugin\":\"scvi-misfit\",\"version\":\"0.1.0\""),
    Part::Raw(BUILD),
    Part::Raw(",\"models\":[{\"name\":\"Misfit\",\"about\":\"Fits nowhere\"}]}"),
];

#[used]
#[unsafe(link_section = ".scvi_manifest")]
static MANIFEST: [u8; section_len(PARTS)] = section(PARTS);

#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = OtherDoorRef)))]
pub struct OtherDoor {
    #[sabi(last_prefix_field)]
    pub number: u64,
}

impl RootModule for OtherDoorRef {
    abi_stable::declare_root_module_statics! {OtherDoorRef}
    const BASE_NAME: &'static str = "scvi_plugin";
    const NAME: &'static str = "scvi_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

fn module() -> OtherDoorRef {
    OtherDoor { number: 7 }.leak_into_prefix()
}

extern "C" fn open() -> RootModuleResult {
    __call_root_module_loader(module)
}

#[unsafe(export_name = "scvi_door_scvi-misfit")]
pub static DOOR: LibHeader =
    // SAFETY: `open` returns the `OtherDoorRef` that `module` makes.
    unsafe { LibHeader::from_constructor::<OtherDoorRef>(open, CheckTypeLayout::Yes) };
