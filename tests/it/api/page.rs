//! Names and parameters, as they are written down.

use std::{
    env, fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// The API page of SCVI in the documents: a name a line, with its parameters and their defaults.
const PAGE: &str = include_str!("page.txt");

/// What scvi-tools 1.4.2 has beside it: what goes into keyword arguments (`train.plan_kwargs`), and
/// names that are on no page of the documents.
const LATER: &str = include_str!("later.txt");

/// A name; `SCVI` is the constructor.
pub struct Name {
    pub name: &'static str,
    pub parameters: Vec<Parameter>,
}

/// A parameter with its default as Python writes it, empty where there is none.
pub struct Parameter {
    pub name: &'static str,
    pub default: &'static str,
}

/// The names of the page, in its order.
pub fn page() -> Vec<Name> {
    PAGE.lines().map(Name::of).collect()
}

/// The names beside the page.
pub fn later() -> Vec<Name> {
    LATER.lines().map(Name::of).collect()
}

impl Name {
    fn of(line: &'static str) -> Self {
        let (name, rest) = line.split_once('(').unwrap_or((line, ")"));
        let parameters = rest.strip_suffix(')').unwrap().split(", ").filter(|p| !p.is_empty());
        let parameter = |text: &'static str| {
            let (name, default) = text.split_once('=').unwrap_or((text, ""));
            Parameter { name, default }
        };
        Self { name, parameters: parameters.map(parameter).collect() }
    }
}

#[test]
fn the_names_are_those_of_the_document() {
    let Some(data) = env::var_os("SCVI_TEST_DATA") else {
        println!("skipped: SCVI_TEST_DATA is not set");
        return;
    };
    let documents = fs::read_dir(Path::new(&data).join("documents")).unwrap();
    let texts = documents.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let title = "scvi.model.SCVI#";
    let text = texts.into_iter().find(|text| text.starts_with(title)).unwrap();
    let declared = text.lines().filter_map(|line| {
        let line = line.strip_suffix("[source]#")?;
        let line = ["class scvi.model.", "classmethod ", "static "]
            .iter()
            .find_map(|word| line.strip_prefix(word))
            .unwrap_or(line);
        Some(line.strip_prefix("SCVI.").unwrap_or(line))
    });
    assert_eq!(declared.collect::<Vec<_>>(), PAGE.lines().collect::<Vec<_>>());
}

#[test]
fn names_beside_the_page_are_those_of_scvi_tools() {
    let Some(python) = env::var_os("SCVI_TEST_PYTHON") else {
        println!("skipped: SCVI_TEST_PYTHON is not set");
        return;
    };
    let (kwargs, names): (Vec<&str>, Vec<&str>) =
        LATER.lines().partition(|line| line.contains("kwargs("));
    let mut script = Command::new(python);
    script.args(["-W", "ignore", "-c", include_str!("later.py")]);
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = script.spawn().unwrap();
    let name = |line: &&str| line.split('(').next().unwrap().to_owned() + "\n";
    let names: String = names.iter().map(name).collect();
    // One without scvi-tools leaves before it reads.
    let _ = running.stdin.take().unwrap().write_all(names.as_bytes());
    let output = running.wait_with_output().unwrap();
    let (said, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if complaint.contains("no scvi-tools") {
        println!("skipped: the Python that SCVI_TEST_PYTHON names has no scvi-tools");
        return;
    }
    assert!(output.status.success(), "{complaint}");
    assert_eq!(said.lines().collect::<Vec<_>>(), kwargs);
}
