//! Which models a library holds.

use std::sync::Arc;

use crate::model::DynModelClass;

/// One model class of this library; made by `export_plugin!`.
#[derive(Debug)]
pub struct ModelRegistration {
    /// Name of the crate.
    pub package: &'static str,
    /// Name of the model.
    pub name: &'static str,
    /// Makes the class.
    pub make: fn() -> Arc<dyn DynModelClass>,
}

inventory::collect!(ModelRegistration);

/// The models compiled into this library or program, in order of name: plugins that it uses as
/// crates.
pub fn native_models() -> Vec<&'static ModelRegistration> {
    let mut models: Vec<_> = inventory::iter::<ModelRegistration>.into_iter().collect();
    models.sort_by_key(|m| (m.name, m.package));
    models
}

/// Makes a crate a plugin: `export_plugin!(MyModel => [get_latent_representation, get_elbo]);`.
///
/// Each model class is listed with the queries that it offers; several are separated by `;`. A
/// query that the module cannot support does not compile. The crate serves as a shared library
/// (crate type `cdylib`) and as an ordinary one (`rlib`).
#[macro_export]
macro_rules! export_plugin {
    ($($class:ty => [$($query:ident),* $(,)?]);+ $(;)?) => {
        $crate::export_models! {
            $(
                <$class as $crate::model::BaseModelClass>::NAME,
                <$class as $crate::model::BaseModelClass>::ABOUT
                    => $crate::model::class_of::<$class>(
                        vec![$($crate::model::queries::$query::<$class>()),*]
                    )
            );+
        }
    };
}

/// Makes a crate a plugin of model classes that are made by expressions:
/// `export_models! { "Name", "What it is" => Arc::new(MyClass) }`. Authors of ordinary models take
/// [`export_plugin!`](crate::export_plugin).
#[macro_export]
macro_rules! export_models {
    ($($name:expr, $about:expr => $make:expr);+ $(;)?) => {
        #[cfg(panic = "abort")]
        compile_error!("a plugin must be built with panic = \"unwind\"");

        #[allow(
            unsafe_code,
            missing_docs,
            non_local_definitions,
            reason = "the door is the framework's, wherever this stands"
        )]
        const _: () = {
            use $crate::abi::export as door;

            const PARTS: &[door::Part<'static>] = &[
                door::Part::Raw("{\"plugin\":"),
                door::Part::Text(env!("CARGO_PKG_NAME")),
                door::Part::Raw(",\"version\":"),
                door::Part::Text(env!("CARGO_PKG_VERSION")),
                door::Part::Raw(door::BUILD),
                door::Part::Raw(",\"models\":["),
                $(
                    door::Part::Next,
                    door::Part::Raw("{\"name\":"),
                    door::Part::Text($name),
                    door::Part::Raw(",\"about\":"),
                    door::Part::Text($about),
                    door::Part::Raw("}"),
                )+
                door::Part::Raw("]}"),
            ];

            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__scvi_manifest"))]
            #[cfg_attr(windows, unsafe(link_section = ".scvi"))]
            #[cfg_attr(
                not(any(target_vendor = "apple", windows)),
                unsafe(link_section = ".scvi_manifest")
            )]
            static MANIFEST: [u8; door::section_len(PARTS)] = door::section(PARTS);

            fn module() -> door::DoorRef {
                door::door(&MANIFEST)
            }

            extern "C" fn open() -> door::RootModuleResult {
                door::call_loader(module)
            }

            #[unsafe(export_name = concat!("scvi_door_", env!("CARGO_PKG_NAME")))]
            pub static DOOR: door::LibHeader =
                // SAFETY: `open` returns the `DoorRef` that `module` makes.
                unsafe { door::LibHeader::from_constructor::<door::DoorRef>(open, door::CHECKED) };

            $(
                $crate::inventory::submit! {
                    $crate::abi::ModelRegistration {
                        package: env!("CARGO_PKG_NAME"),
                        name: $name,
                        make: || $make,
                    }
                }
            )+
        };
    };
}
