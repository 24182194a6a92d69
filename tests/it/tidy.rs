//! Rules on the source tree that no compiler keeps.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Lines of a source file without its tests.
const MAX_LINES: usize = 600;

/// The only places where `unsafe` and its kin may stand: the plugin boundary, the fused loops over
/// memory of tensors, the calls into HDF5 that have no safe form, and the test plugins that play
/// attackers.
const UNSAFE_ROOMS: [&str; 4] = [
    "framework/core/src/abi",
    "framework/core/src/kernels",
    "framework/h5ad/src/ffi",
    "tests/plugins/",
];

pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

impl Source {
    /// Lines with their numbers, without what follows `//`; text in string literals stays.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, code_of(line)))
    }

    pub fn is_test(&self) -> bool {
        let in_tests = self.path.split('/').any(|part| part == "tests");
        in_tests || self.path.ends_with("/tests.rs") || self.path.ends_with("_tests.rs")
    }
}

/// What stands before a comment; `//` inside a string literal is no comment.
fn code_of(line: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '/' if !quoted && line[at..].starts_with("//") => return &line[..at],
            _ => {}
        }
    }
    line
}

fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("tests lie in the root folder").to_owned()
}

/// Every tracked or new file that git does not ignore, with one of these endings.
pub(crate) fn sources(endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    let mut sources: Vec<Source> = found
        .into_iter()
        .filter(|path| endings.iter().any(|e| path.extension().is_some_and(|x| x == *e)))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            Source { path, text }
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 5, "the source tree was not found at {}", root().display());
    sources
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().unwrap();
        let is_built = ["target", "__pycache__"].contains(&name.as_str());
        if kind.is_dir() && !is_built && (!name.starts_with('.') || name == ".ci") {
            walk(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Fails with one line per offence.
#[track_caller]
fn expect_none(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let silent = |s: &Source| !s.text.starts_with("//!");
    let offences = sources(&["rs"]).iter().filter(|s| silent(s)).map(|s| s.path.clone()).collect();
    expect_none("files that do not open with `//!`", offences);
}

#[test]
fn no_file_is_too_long() {
    let mut offences = Vec::new();
    for source in sources(&["rs"]).iter().filter(|s| !s.is_test()) {
        let own = source.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        if own > MAX_LINES {
            offences.push(format!("{}: {own} lines", source.path));
        }
    }
    expect_none(&format!("files of more than {MAX_LINES} lines without tests"), offences);
}

#[test]
fn no_module_is_a_drawer() {
    let drawers = ["utils", "util", "common", "helpers", "helper", "misc"];
    let is_drawer =
        |path: &str| path.trim_end_matches(".rs").split('/').any(|part| drawers.contains(&part));
    let offences = sources(&["rs"]).into_iter().map(|s| s.path).filter(|p| is_drawer(p)).collect();
    expect_none("modules named after nothing", offences);
}

#[test]
fn unsafe_code_stays_in_its_room() {
    let words = [
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "extern \"C\"",
        "repr(C",
        "abi_stable",
        "libloading",
    ];
    let mut offences = Vec::new();
    for source in sources(&["rs"]) {
        let names_the_words = source.path == "tests/it/tidy.rs";
        if names_the_words || in_unsafe_room(&source) {
            continue;
        }
        for (number, code) in source.code() {
            for word in words.iter().filter(|word| code.contains(**word)) {
                offences.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    expect_none(&format!("code that belongs into {}", UNSAFE_ROOMS[0]), offences);
}

fn in_unsafe_room(source: &Source) -> bool {
    UNSAFE_ROOMS.iter().any(|room| source.path.starts_with(room))
}

#[test]
fn unsafe_blocks_say_why_they_are_sound() {
    let mut offences = Vec::new();
    for source in sources(&["rs"]).iter().filter(|s| in_unsafe_room(s)) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, code) in source.code().filter(|(_, code)| code.contains("unsafe {")) {
            let before = &lines[number.saturating_sub(6)..number];
            if !before.iter().any(|line| line.contains("SAFETY:")) {
                offences.push(format!("{}:{number}: {}", source.path, code.trim()));
            }
        }
    }
    expect_none("unsafe blocks without `// SAFETY:` in the lines above", offences);
}

#[test]
fn packages_depend_in_one_direction() {
    let packages = packages();
    let root = root();
    let room = |package: &Value| -> String {
        let manifest = package["manifest_path"].as_str().unwrap();
        let folder = Path::new(manifest).parent().unwrap().strip_prefix(&root).unwrap();
        folder.to_string_lossy().replace('\\', "/")
    };
    let rooms: BTreeMap<&str, String> =
        packages.iter().map(|p| (p["name"].as_str().unwrap(), room(p))).collect();
    let mut offences = Vec::new();
    for package in &packages {
        let from = room(package);
        for dependency in package["dependencies"].as_array().unwrap() {
            let Some(to) = rooms.get(dependency["name"].as_str().unwrap()) else { continue };
            // A package may name itself to switch on a feature for its own tests.
            if *to != from && !may_depend(&from, to) {
                offences.push(format!("{from} -> {to}"));
            }
        }
    }
    expect_none("dependencies that point the wrong way", offences);
}

fn may_depend(from: &str, to: &str) -> bool {
    let is_framework = to.starts_with("framework/");
    match from.split('/').next().unwrap_or_default() {
        "framework" => match from {
            "framework/core" => to == "framework/derive",
            "framework/derive" => false,
            _ => to == "framework/core",
        },
        "plugins" => to == "framework/core",
        "host" => is_framework,
        "examples" => is_framework || to.starts_with("plugins/") || to.starts_with("examples/"),
        "tests" => true,
        _ => false,
    }
}

#[test]
fn framework_and_host_name_no_model() {
    let names = names_of_plugins_and_models();
    let mut offences = Vec::new();
    for source in sources(&["rs"]) {
        let is_general =
            source.path.starts_with("host/src") || source.path.starts_with("framework/");
        if !is_general || source.is_test() {
            continue;
        }
        let until_tests = source.code().take_while(|(_, code)| code.trim() != "#[cfg(test)]");
        for (number, code) in until_tests {
            for name in names.iter().filter(|name| has_word(code, name)) {
                offences.push(format!("{}:{number}: {name}", source.path));
            }
        }
    }
    expect_none("models named outside their plugins", offences);
}

/// `scvi_plugin_x` and the `NAME` of each model.
fn names_of_plugins_and_models() -> Vec<String> {
    let mut names: Vec<String> = packages()
        .iter()
        .filter_map(|p| p["name"].as_str().unwrap().strip_prefix("scvi-plugin-").map(str::to_owned))
        .flat_map(|name| [format!("scvi-plugin-{name}"), format!("scvi_plugin_{name}")])
        .collect();
    for source in sources(&["rs"]).iter().filter(|s| s.path.starts_with("plugins/")) {
        let named = source.code().filter_map(|(_, code)| {
            code.trim().strip_prefix("const NAME: &'static str = \"")?.strip_suffix("\";")
        });
        names.extend(named.map(str::to_owned));
    }
    names
}

fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        let after = code[at + word.len()..].chars().next();
        !is_part(code[..at].chars().next_back()) && !is_part(after)
    })
}

#[test]
fn no_file_knows_somebodys_home() {
    // Put together here so that this file is not found by its own search.
    let homes = [["/home", "/"].concat(), ["/Users", "/"].concat(), ["/root", "/"].concat()];
    let mut offences = Vec::new();
    for source in sources(&["rs", "toml", "md", "py", "sh", "json"]) {
        for (i, line) in source.text.lines().enumerate() {
            if let Some(home) = homes.iter().find(|home| line.contains(home.as_str())) {
                offences.push(format!("{}:{}: {home}…", source.path, i + 1));
            }
        }
    }
    expect_none("absolute paths of one machine", offences);
}

#[test]
fn documents_name_tests_that_exist() {
    let text = fs::read_to_string(root().join("docs/differences.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let last_cells = rows.filter_map(|line| line.trim_end_matches([' ', '|']).rsplit(" | ").next());
    let named: Vec<&str> = last_cells.filter_map(|cell| cell.strip_prefix('`')).collect();
    assert!(named.len() > 10, "{named:?}");
    let tests: Vec<Source> = sources(&["rs"]).into_iter().filter(Source::is_test).collect();
    let exists = |name: &str| tests.iter().any(|s| s.text.contains(&format!("fn {name}() {{")));
    let missing = named.iter().map(|name| name.trim_end_matches('`')).filter(|name| !exists(name));
    expect_none("docs/differences.md names tests", missing.map(str::to_owned).collect());
}

#[test]
fn comments_end_code_and_strings_do_not() {
    assert_eq!(code_of("let a = 1; // SCVI"), "let a = 1; ");
    assert_eq!(code_of("let a = \"//\"; // b"), "let a = \"//\"; ");
    assert!(has_word("call(\"SCVI\")", "SCVI") && !has_word("X_SCVI_2", "SCVI"));
}
