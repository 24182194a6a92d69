//! Which models and kinds of fields a library holds.

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

/// One kind of field of this library that other plugins' models may use; made by `export_fields!`.
#[derive(Debug)]
pub struct FieldRegistration {
    /// Name of the crate.
    pub package: &'static str,
    /// Name of the kind.
    pub kind: &'static str,
    /// What it reads, and what its JSON takes.
    pub about: &'static str,
}

inventory::collect!(FieldRegistration);

/// The kinds of fields that crates compiled into this library or program export, in order of name.
pub fn native_fields() -> Vec<&'static FieldRegistration> {
    let mut fields: Vec<_> = inventory::iter::<FieldRegistration>.into_iter().collect();
    fields.sort_by_key(|f| (f.kind, f.package));
    fields
}

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
/// query that the module cannot support does not compile. One name is a function of
/// [`model::queries`](crate::model::queries); a path, say `crate::get_depth`, is a query of the
/// author's own. Kinds of fields that models of other plugins may use follow, as in
/// [`export_fields!`](crate::export_fields):
///
/// ```text
/// export_plugin!(MyModel => [get_elbo], fields: [MyField => "A column of mine: registry_key, obs_key"]);
/// ```
///
/// The crate serves as a shared library (crate type `cdylib`) and as an ordinary one (`rlib`).
#[macro_export]
macro_rules! export_plugin {
    (
        $($class:ty => [$($($query:ident)::+),* $(,)?]);+
        $(, fields: [$($field:ident => $about:expr),+ $(,)?])? $(;)?
    ) => {
        $crate::export_models! {
            $(
                <$class as $crate::model::BaseModelClass>::NAME,
                <$class as $crate::model::BaseModelClass>::ABOUT
                    => $crate::model::class_of::<$class>(
                        vec![$($crate::__query!($class, $($query)::+)),*]
                    )
            );+
            $(, fields: [$($field => $about),+])?
        }
    };
}

/// A query of the framework by its name, or of the author by its path.
#[doc(hidden)]
#[macro_export]
macro_rules! __query {
    ($class:ty, $query:ident) => {
        $crate::model::queries::$query::<$class>()
    };
    ($class:ty, $($query:ident)::+) => {
        $($query)::+::<$class>()
    };
}

/// Makes a crate a plugin of model classes that are made by expressions:
/// `export_models! { "Name", "What it is" => Arc::new(MyClass) }`, with fields as in
/// [`export_plugin!`](crate::export_plugin), which authors of ordinary models take.
#[macro_export]
macro_rules! export_models {
    (
        $($name:expr, $about:expr => $make:expr);+
        $(, fields: [$($field:ident => $says:expr),+ $(,)?])? $(;)?
    ) => {
        $crate::__export! {
            models: [$($name, $about => $make);+]
            fields: [$($($field => $says),+)?]
        }
    };
}

/// Makes a crate a plugin of fields alone: kinds that models of all plugins can read through.
///
/// Each type, which implements [`AnnDataField`](crate::fields::AnnDataField) under its own name, is
/// listed with what it reads and what its JSON takes:
///
/// ```text
/// export_fields!(BinnedObsField => "A column of numbers in bins: registry_key, obs_key, n_bins");
/// ```
#[macro_export]
macro_rules! export_fields {
    ($($field:ident => $about:expr),+ $(,)?) => {
        $crate::__export! { models: [] fields: [$($field => $about),+] }
    };
}

/// The door of a plugin, its manifest, and what it has.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    (
        models: [$($name:expr, $about:expr => $make:expr);*]
        fields: [$($field:ident => $says:expr),*]
    ) => {
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
                )*
                door::Part::Raw("],\"fields\":["),
                $(
                    door::Part::Next,
                    door::Part::Raw("{\"kind\":"),
                    door::Part::Text(stringify!($field)),
                    door::Part::Raw(",\"about\":"),
                    door::Part::Text($says),
                    door::Part::Raw("}"),
                )*
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
            )*

            $(
                $crate::inventory::submit! {
                    $crate::abi::FieldRegistration {
                        package: env!("CARGO_PKG_NAME"),
                        kind: $crate::abi::export::kind::<$field>(stringify!($field)),
                        about: $says,
                    }
                }
            )*
        };
    };
}
