//! Tables in both modes, and what is no such table.

use super::*;

fn written(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

const CHANGE: &str = "\
,proba_not_de,lfc_mean,delta,is_de_fdr_0.05,comparison,group1
A,0,2.5,0.25,True,T vs Rest,T
B,0.01,-1,0.25,True,T vs Rest,T
C,0.5,0.1,0.25,False,T vs Rest,T
A,0.1,-2.5,0.25,False,B vs Rest,B
";

#[test]
fn a_table_of_changes_is_read() -> Result<()> {
    let (_dir, path) = written("de.csv", CHANGE);
    let read = Comparisons::read(&path)?;
    assert_eq!((read.mode, read.delta, read.pairs.len()), (Mode::Change, Some(0.25), 2));
    let genes = &read.pairs[0].genes;
    assert_eq!(genes.iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["A", "B", "C"]);
    assert_eq!(genes.iter().map(|g| g.is_de).collect::<Vec<_>>(), [true, true, false]);
    // What no sample contradicts stands above all else: half the least probability seen.
    assert!((genes[0].evidence - -(0.005f64.log10())).abs() < 1e-12);
    assert!((genes[1].evidence - 2.0).abs() < 1e-12);
    Ok(())
}

#[test]
fn a_table_of_hypotheses_is_read() -> Result<()> {
    let text = "gene\tbayes_factor\tscale1\tscale2\tcomparison\tgroup1\n\
                A\t-4\t0.001\t0.004\tT vs B\tT\n\
                B\t2\t0.004\t0.001\tT vs B\tT\n";
    let (_dir, path) = written("de.tsv", text);
    let read = Comparisons::read(&path)?;
    assert_eq!((read.mode, read.delta), (Mode::Vanilla, None));
    let [a, b] = &read.pairs[0].genes[..] else { panic!("two genes") };
    assert!((a.lfc + 2.0).abs() < 1e-5 && (b.lfc - 2.0).abs() < 1e-5);
    assert_eq!((a.evidence, a.is_de, b.evidence, b.is_de), (4.0, true, 2.0, false));
    Ok(())
}

#[test]
fn groups_are_chosen_by_name() -> Result<()> {
    let (_dir, path) = written("de.csv", CHANGE);
    let chosen = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        Comparisons::read(&path)?.only(&names)
    };
    let titles = |c: Comparisons| c.pairs.into_iter().map(|p| p.title).collect::<Vec<_>>();
    assert_eq!(titles(chosen(&[])?), ["T vs Rest", "B vs Rest"]);
    assert_eq!(titles(chosen(&["B", "T", "B"])?), ["B vs Rest", "T vs Rest"]);
    assert_eq!(titles(chosen(&["T vs Rest"])?), ["T vs Rest"]);
    let message = chosen(&["b"]).unwrap_err().to_string();
    assert_eq!(message, "no comparison of a group `b`; there are B, T");
    Ok(())
}

#[test]
fn what_is_no_such_table_is_said() {
    let (_dir, path) = written("de.csv", "gene,p_value\nA,0.1\n");
    let message = Comparisons::read(&path).unwrap_err().to_string();
    let expected = format!(
        "{}: no table of differential expression: bayes_factor, scale1, scale2, comparison, \
         group1 missing; found p_value",
        path.display()
    );
    assert_eq!(message, expected);
    let (_dir, path) = written("de.csv", &CHANGE.replace("0.01,-1", "0.01,much"));
    let message = Comparisons::read(&path).unwrap_err().to_string();
    let expected =
        format!("{}: column `lfc_mean`, row 2: expected a number, found `much`", path.display());
    assert_eq!(message, expected);
    let message = Comparisons::read(Path::new("/no/de.csv")).unwrap_err().to_string();
    assert!(message.starts_with("cannot read /no/de.csv: No such file"), "{message}");
}
