//! `scvi plugins new`: a crate that builds, to be changed into a model of one's own.
//!
//! It is the example of the repository under another name, so that what is written here is what its
//! tests prove.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{
    failure::{Error, Result},
    plan::Ui,
};

/// The files of the example.
const FILES: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("../../../examples/third_party/Cargo.toml")),
    ("src/lib.rs", include_str!("../../../examples/third_party/src/lib.rs")),
    ("tests/conformance.rs", include_str!("../../../examples/third_party/tests/conformance.rs")),
    ("tests/learning.rs", include_str!("../../../examples/third_party/tests/learning.rs")),
];

/// Where the framework lies in a checkout.
const FRAMEWORK: &str = "framework/core";

/// Writes the crate `dir`, which depends on the framework of `checkout`.
pub fn run(dir: &Path, checkout: Option<&Path>, ui: &Ui) -> Result<()> {
    if dir.exists() {
        return Err(Error::Exists { path: dir.into() });
    }
    let name = Name::of(dir)?;
    let checkout = match checkout {
        Some(given) if given.join(FRAMEWORK).is_dir() => given.to_owned(),
        Some(given) => return Err(Error::NoCheckout { place: given.display().to_string() }),
        None => around(dir)?,
    };
    for (file, text) in FILES {
        write(&dir.join(file), &name.put_into(text, &checkout))?;
    }
    write(&dir.join(".gitignore"), "/target\n")?;
    let torch = checkout.join(".deps/libtorch");
    if torch.is_dir() {
        write(&dir.join(".cargo/config.toml"), &settings(&checkout, &torch))?;
    }
    let library = format!("lib{}.so", name.in_snake_case());
    ui.say(format!("wrote the crate {} with the model {}", name.package, name.in_camel_case()));
    ui.say(format!("  cd {} && cargo test && cargo build --release", dir.display()));
    ui.say(format!("  scvi plugins check target/release/{library}"));
    Ok(())
}

/// The checkout in which this program or the new crate lies.
fn around(dir: &Path) -> Result<PathBuf> {
    let places = [std::path::absolute(dir).ok(), env::current_exe().ok()];
    let above = places.iter().flatten().flat_map(|place| place.ancestors());
    let found =
        above.into_iter().find(|folder| folder.join(FRAMEWORK).join("Cargo.toml").is_file());
    found.map(Path::to_owned).ok_or_else(|| Error::NoCheckout { place: "any folder above".into() })
}

fn write(path: &Path, text: &str) -> Result<()> {
    let failed = |source| Error::Write { path: path.into(), source };
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(failed)?;
    fs::write(path, text).map_err(failed)
}

/// Where cargo finds what the framework is built with.
fn settings(checkout: &Path, torch: &Path) -> String {
    let (torch, cmake) = (torch.display(), checkout.join(".deps/cmake/bin/cmake"));
    format!(
        "# What the framework is built with, as set up in its checkout.\n[env]\nLIBTORCH = \"{torch}\"\n\
         CMAKE = \"{}\"\n\n[build]\nrustflags = [\"-C\", \"link-arg=-Wl,-rpath,{torch}/lib\"]\n",
        cmake.display()
    )
}

/// What the crate and its model are called.
struct Name {
    /// `my-model`
    package: String,
}

impl Name {
    fn of(dir: &Path) -> Result<Self> {
        let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let package = name.replace('_', "-").to_lowercase();
        let is_fine = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if package.split('-').all(is_fine) {
            return Ok(Self { package });
        }
        Err(Error::CrateName { path: dir.into() })
    }

    fn in_snake_case(&self) -> String {
        self.package.replace('-', "_")
    }

    fn in_camel_case(&self) -> String {
        let words = self.package.split('-');
        words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
    }

    fn put_into(&self, example: &str, checkout: &Path) -> String {
        let checkout = std::path::absolute(checkout).unwrap_or_else(|_| checkout.into());
        let type_name = self.in_camel_case();
        example
            .replace("../../framework/core", &checkout.join(FRAMEWORK).display().to_string())
            .replace("poisson-vae", &self.package)
            .replace("poisson_vae", &self.in_snake_case())
            .replace("#[doc(alias = \"PoissonVAE\")]\n", "") // the type is called as the model is
            .replace("PoissonVae", &type_name)
            .replace("PoissonVAE", &type_name)
    }
}
