//! Options from descriptions and back.

use scvi_framework::serde_json::json;

use super::*;

fn spec(name: &str, kind: ParamKind, default: Value) -> ParamSpec {
    let help = format!("About {name}.");
    ParamSpec { name: name.into(), kind, default, min: None, max: None, help }
}

fn command() -> Command {
    Command::new("scvi").no_binary_name(true)
}

fn options(groups: &[(Group, &[ParamSpec])]) -> (Command, Options) {
    let root = Command::new("scvi").arg(Arg::new("seed").long("seed").num_args(1));
    let options = Options::new(&command(), &root, groups);
    (options.extend(command()), options)
}

fn parsed(specs: &[ParamSpec], words: &[&str]) -> Result<Value, String> {
    let (command, options) = options(&[(Group::Model, specs)]);
    let matches = command.try_get_matches_from(words).map_err(|e| e.to_string())?;
    Ok(options.given(&matches, Group::Model).into())
}

#[track_caller]
fn check(kind: ParamKind, default: Value, words: &[&str], expected: Value) {
    assert_eq!(parsed(&[spec("an_arg", kind, default)], words), Ok(expected));
}

#[track_caller]
fn check_error(spec: ParamSpec, words: &[&str], expected: &str) {
    let message = parsed(&[spec], words).unwrap_err();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn values_are_typed() {
    check(ParamKind::Int, json!(10), &["--an-arg", "-3"], json!({"an_arg": -3}));
    check(ParamKind::Float, json!(0.1), &["--an-arg=1e-3"], json!({"an_arg": 0.001}));
    check(ParamKind::Text, Value::Null, &["--an-arg", "10"], json!({"an_arg": "10"}));
    check(ParamKind::Json, Value::Null, &["--an-arg", "{\"a\": 1}"], json!({"an_arg": {"a": 1}}));
    check(ParamKind::Json, Value::Null, &["--an-arg", "b"], json!({"an_arg": "b"}));
}

#[test]
fn only_what_is_given_is_set() {
    check(ParamKind::Int, json!(10), &[], json!({}));
    check(ParamKind::Flag, json!(true), &[], json!({}));
}

#[test]
fn flags_go_both_ways_and_the_last_wins() {
    check(ParamKind::Flag, json!(false), &["--an-arg"], json!({"an_arg": true}));
    check(ParamKind::Flag, json!(true), &["--no-an-arg"], json!({"an_arg": false}));
    check(ParamKind::Flag, Value::Null, &["--an-arg", "--no-an-arg"], json!({"an_arg": false}));
}

#[test]
fn lists_are_apart_by_commas_repeated_or_json() {
    let of = |kind| ParamKind::List(Box::new(kind));
    let text = of(ParamKind::Text);
    check(text.clone(), json!([]), &["--an-arg", "a,b"], json!({"an_arg": ["a", "b"]}));
    check(
        text.clone(),
        json!([]),
        &["--an-arg", "a", "--an-arg", "b"],
        json!({"an_arg": ["a", "b"]}),
    );
    check(text, json!([]), &["--an-arg", "[\"a,b\"]"], json!({"an_arg": ["a,b"]}));
    check(of(ParamKind::Int), json!([]), &["--an-arg", "1,2"], json!({"an_arg": [1, 2]}));
    check_error(
        spec("an_arg", of(ParamKind::Int), json!([])),
        &["--an-arg", "1,x"],
        "invalid value '1,x' for '--an-arg <N,N,…>': expected a whole number",
    );
}

#[test]
fn wrong_values_and_names_are_explained() {
    let latent = ParamSpec { min: Some(1.0), ..spec("n_latent", ParamKind::Int, json!(10)) };
    check_error(
        latent.clone(),
        &["--n-latent", "0"],
        "invalid value '0' for '--n-latent <N>': expected a whole number of at least 1",
    );
    check_error(latent, &["--n-latnet", "5"], "a similar argument exists: '--n-latent'");
    let words = ParamKind::Choice(vec!["normal".into(), "ln".into()]);
    check_error(
        spec("latent", words, json!("normal")),
        &["--latent", "norml"],
        "a similar value exists: 'normal'",
    );
}

#[test]
fn an_argument_of_two_groups_is_one_option_for_both() {
    let specs = [spec("batch_size", ParamKind::Int, json!(128))];
    let (command, options) = options(&[(Group::Model, &specs), (Group::Training, &specs)]);
    let matches = command.try_get_matches_from(["--batch-size", "64"]).unwrap();
    for group in [Group::Model, Group::Training] {
        assert_eq!(Value::from(options.given(&matches, group)), json!({"batch_size": 64}));
    }
    assert!(options.given(&matches, Group::Setup).is_empty());
}

#[test]
fn a_name_that_is_taken_gets_its_group_in_front() {
    let model = [spec("seed", ParamKind::Int, json!(0)), spec("size", ParamKind::Int, json!(0))];
    let training =
        [spec("size", ParamKind::Text, json!("")), spec("help", ParamKind::Flag, json!(false))];
    let (command, options) = options(&[(Group::Model, &model), (Group::Training, &training)]);
    let words = ["--model-seed", "1", "--size", "2", "--train-size", "big", "--train-help"];
    let matches = command.try_get_matches_from(words).unwrap();
    assert_eq!(Value::from(options.given(&matches, Group::Model)), json!({"seed": 1, "size": 2}));
    let training = Value::from(options.given(&matches, Group::Training));
    assert_eq!(training, json!({"size": "big", "help": true}));
}

#[test]
fn help_shows_defaults_ranges_and_words_under_headings() {
    let words = ParamKind::Choice(vec!["normal".into(), "ln".into()]);
    let setup = [spec("batch_key", ParamKind::Text, Value::Null)];
    let model = [
        ParamSpec { min: Some(1.0), ..spec("n_latent", ParamKind::Int, json!(10)) },
        spec("latent_distribution", words, json!("normal")),
        spec("use_observed_lib_size", ParamKind::Flag, json!(true)),
    ];
    let (mut command, _) = options(&[(Group::Setup, &setup), (Group::Model, &model)]);
    let help = command.render_help().to_string();
    let expected = "\
Set-up:
      --batch-key <TEXT>  About batch_key

Model:
      --n-latent <N>                About n_latent [default: 10] [at least 1]
      --latent-distribution <WORD>  About latent_distribution [default: normal] [possible values:
                                    normal, ln]
      --no-use-observed-lib-size    Turn off (on by default): About use_observed_lib_size
";
    assert!(help.ends_with(expected), "{help}");
}
