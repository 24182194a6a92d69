//! The one thing that a plugin exports.

use std::sync::Arc;

use abi_stable::{
    StableAbi, library::RootModule, package_version_strings, sabi_types::VersionStrings,
    std_types::RSlice,
};

use super::{export::PluginSide, port::RawPort};

/// The exported module; its layout is checked before anything in it is called.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = DoorRef)))]
#[sabi(missing_field(panic))]
pub struct Door {
    /// The manifest as loaded, to be compared with the one that was read from the file.
    pub manifest: RSlice<'static, u8>,
    /// The port at which the plugin answers.
    #[sabi(last_prefix_field)]
    pub open: extern "C" fn() -> RawPort,
}

impl RootModule for DoorRef {
    abi_stable::declare_root_module_statics! {DoorRef}
    const BASE_NAME: &'static str = "scvi_plugin";
    const NAME: &'static str = "scvi_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// Answers in the name of this library.
pub extern "C" fn open() -> RawPort {
    RawPort::new(Arc::new(PluginSide::default()))
}
