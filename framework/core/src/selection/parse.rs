//! The text of a query as an expression: the part of Python that `DataFrame.query` is asked in.

use winnow::{
    LocatingSlice, ModalResult, Parser, Stateful,
    ascii::{float, multispace0},
    combinator::{alt, cut_err, delimited, fail, not, opt, peek, preceded, separated, terminated},
    error::{ContextError, ErrMode, StrContext, StrContextValue},
    stream::Location,
    token::{any, one_of, take_till, take_while},
};

use super::Wrong;

/// Brackets and prefixes within each other, so that no query is deeper than the stack.
const DEEPEST: usize = 50;

/// A part of a query, and where it begins (bytes).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    pub at: usize,
    pub what: What,
}

/// Kinds of parts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Text(String),
    Number(f64),
    Flag(bool),
    Column(String),
    List(Vec<Expr>),
    Minus(Box<Expr>),
    Not(Box<Expr>),
    All(Vec<Expr>),
    Any(Vec<Expr>),
    /// The first operand, then each operator with its right one: `0 < a <= 1`.
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    /// The same of `+ - * /`, from left to right.
    Arithmetic(Box<Expr>, Vec<(char, Expr)>),
    /// `column.isna()` and its kin.
    Method(Box<Expr>, Method, Vec<Expr>),
}

/// What two values are compared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// What a column can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    IsNa,
    NotNa,
    IsIn,
}

type Input<'a> = Stateful<LocatingSlice<&'a str>, usize>; // how deep in brackets

/// Reads a whole query.
///
/// # Errors
/// The first place that cannot be understood, and what could stand there.
pub(super) fn parse(text: &str) -> Result<Expr, Wrong> {
    let input = Input { input: LocatingSlice::new(text), state: 0 };
    preceded(multispace0, any_of).parse(input).map_err(|error| {
        let at = error.offset();
        let mut expected = error.inner().context().filter_map(|context| match context {
            StrContext::Expected(StrContextValue::Description(expected)) => Some(*expected),
            _ => None,
        });
        let expected = expected.next().unwrap_or("a comparison, `and`, `or`, or the end");
        Wrong { at, expected: expected.into(), found: found(&text[at..]) }
    })
}

/// The next few characters, for a message.
fn found(rest: &str) -> String {
    const SHOWN: usize = 20;
    match rest.char_indices().nth(SHOWN) {
        _ if rest.is_empty() => "the end".into(),
        Some((end, _)) => format!("`{}…`", &rest[..end]),
        None => format!("`{rest}`"),
    }
}

fn expected(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

/// This sign, and the space after it.
fn sign<'a>(sign: &'static str) -> impl Parser<Input<'a>, &'a str, ErrMode<ContextError>> {
    terminated(sign, multispace0)
}

/// This word and not the beginning of a longer one, and the space after it.
fn word<'a>(word: &'static str) -> impl Parser<Input<'a>, &'a str, ErrMode<ContextError>> {
    terminated(word, (not(one_of(is_of_name)), multispace0))
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn any_of(input: &mut Input<'_>) -> ModalResult<Expr> {
    let at = input.current_token_start();
    let mut parts = vec![all_of(input)?];
    while opt(alt((word("or"), sign("|")))).parse_next(input)?.is_some() {
        parts.push(cut_err(all_of).parse_next(input)?);
    }
    Ok(joined(at, parts, What::Any))
}

fn all_of(input: &mut Input<'_>) -> ModalResult<Expr> {
    let at = input.current_token_start();
    let mut parts = vec![negated(input)?];
    while opt(alt((word("and"), sign("&")))).parse_next(input)?.is_some() {
        parts.push(cut_err(negated).parse_next(input)?);
    }
    Ok(joined(at, parts, What::All))
}

fn joined(at: usize, mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> What) -> Expr {
    match parts.len() {
        1 => parts.remove(0),
        _ => Expr { at, what: join(parts) },
    }
}

fn negated(input: &mut Input<'_>) -> ModalResult<Expr> {
    let at = input.current_token_start();
    match opt(word("not")).parse_next(input)? {
        Some(_) => Ok(Expr { at, what: What::Not(Box::new(deeper(input, negated)?)) }),
        None => comparison(input),
    }
}

/// What comes behind a prefix or an opening bracket.
fn deeper<'a, T>(
    input: &mut Input<'a>,
    parse: fn(&mut Input<'a>) -> ModalResult<T>,
) -> ModalResult<T> {
    if input.state == DEEPEST {
        let flatter = expected("a query in which less is nested");
        return cut_err(fail.context(flatter)).parse_next(input);
    }
    input.state += 1;
    let inner = cut_err(parse).parse_next(input);
    input.state -= 1;
    inner
}

fn comparison(input: &mut Input<'_>) -> ModalResult<Expr> {
    let at = input.current_token_start();
    let first = sum(input)?;
    let mut rest = Vec::new();
    while let Some(how) = opt(comparator).parse_next(input)? {
        rest.push((how, cut_err(sum).parse_next(input)?));
    }
    Ok(match rest.is_empty() {
        true => first,
        false => Expr { at, what: What::Compare(Box::new(first), rest) },
    })
}

fn comparator(input: &mut Input<'_>) -> ModalResult<Comparison> {
    alt((
        sign("==").value(Comparison::Equal),
        sign("!=").value(Comparison::Unequal),
        sign("<=").value(Comparison::LessOrEqual),
        sign(">=").value(Comparison::GreaterOrEqual),
        sign("<").value(Comparison::Less),
        sign(">").value(Comparison::Greater),
        word("in").value(Comparison::In),
        (word("not"), word("in")).value(Comparison::NotIn),
    ))
    .parse_next(input)
}

fn sum(input: &mut Input<'_>) -> ModalResult<Expr> {
    operations(input, ['+', '-'], product)
}

fn product(input: &mut Input<'_>) -> ModalResult<Expr> {
    operations(input, ['*', '/'], signed)
}

fn operations<'a>(
    input: &mut Input<'a>,
    operators: [char; 2],
    operand: fn(&mut Input<'a>) -> ModalResult<Expr>,
) -> ModalResult<Expr> {
    let at = input.current_token_start();
    let first = operand(input)?;
    let mut rest = Vec::new();
    while let Some(operator) = opt(terminated(one_of(operators), multispace0)).parse_next(input)? {
        rest.push((operator, cut_err(operand).parse_next(input)?));
    }
    Ok(match rest.is_empty() {
        true => first,
        false => Expr { at, what: What::Arithmetic(Box::new(first), rest) },
    })
}

fn signed(input: &mut Input<'_>) -> ModalResult<Expr> {
    let at = input.current_token_start();
    let wrap = match opt(alt((sign("-"), sign("~")))).parse_next(input)? {
        None => return asked(input),
        Some("-") => What::Minus,
        Some(_) => What::Not,
    };
    Ok(Expr { at, what: wrap(Box::new(deeper(input, signed)?)) })
}

/// An operand, perhaps with a method: `column.isna()`.
fn asked(input: &mut Input<'_>) -> ModalResult<Expr> {
    let subject = operand(input)?;
    if opt(sign(".")).parse_next(input)?.is_none() {
        return Ok(subject);
    }
    let method = alt((
        alt((word("isna"), word("isnull"))).value(Method::IsNa),
        alt((word("notna"), word("notnull"))).value(Method::NotNa),
        word("isin").value(Method::IsIn),
    ));
    let method =
        cut_err(method).context(expected("isna(), notna() or isin([…])")).parse_next(input)?;
    let args = match method {
        Method::IsIn => cut_err(delimited(sign("("), list, sign(")")))
            .context(expected("([…])"))
            .parse_next(input)?,
        _ => {
            let brackets = (sign("("), sign(")")).context(expected("()"));
            cut_err(brackets).parse_next(input)?;
            Vec::new()
        }
    };
    Ok(Expr { at: subject.at, what: What::Method(Box::new(subject), method, args) })
}

fn operand(input: &mut Input<'_>) -> ModalResult<Expr> {
    let at = input.current_token_start();
    let what = alt((
        bracketed,
        list.map(What::List),
        terminated(text, multispace0).map(What::Text),
        number.map(What::Number),
        word("True").value(What::Flag(true)),
        word("False").value(What::Flag(false)),
        terminated(column, multispace0).map(What::Column),
    ))
    .context(expected("a column, a text in quotes, a number, True, False, a list or `(`"))
    .parse_next(input)?;
    Ok(Expr { at, what })
}

/// `(…)`, or with commas inside a list.
fn bracketed(input: &mut Input<'_>) -> ModalResult<What> {
    sign("(").parse_next(input)?;
    let (mut parts, comma): (Vec<Expr>, _) = deeper(input, |input| {
        (separated(1.., any_of, sign(",")), opt(sign(","))).parse_next(input)
    })?;
    cut_err(sign(")"))
        .context(expected("a comparison, `and`, `or`, `,` or `)`"))
        .parse_next(input)?;
    Ok(match parts.len() {
        1 if comma.is_none() => parts.remove(0).what,
        _ => What::List(parts),
    })
}

/// `[…]` of texts, numbers, True and False.
fn list(input: &mut Input<'_>) -> ModalResult<Vec<Expr>> {
    let entry = |input: &mut Input<'_>| {
        let at = input.current_token_start();
        let mut what = alt((
            terminated(text, multispace0).map(What::Text),
            (opt(sign("-")), number)
                .map(|(minus, x)| What::Number(if minus.is_some() { -x } else { x })),
            word("True").value(What::Flag(true)),
            word("False").value(What::Flag(false)),
        ));
        Ok(Expr { at, what: what.parse_next(input)? })
    };
    let entries = terminated(separated(0.., entry, sign(",")), opt(sign(",")));
    let end = cut_err(sign("]"))
        .context(expected("a text in quotes, a number, True or False, `,` or `]`"));
    delimited(sign("["), entries, end).parse_next(input)
}

/// A number that begins with a digit or a point, and the space after it.
fn number(input: &mut Input<'_>) -> ModalResult<f64> {
    let digits = peek((opt('.'), one_of('0'..='9')));
    let end = cut_err(not(one_of(is_of_name))).context(expected("a number"));
    preceded(digits, terminated(float, (end, multispace0))).parse_next(input)
}

/// A name of Python, or anything between backticks.
fn column(input: &mut Input<'_>) -> ModalResult<String> {
    let plain = (one_of(|c: char| c.is_alphabetic() || c == '_'), take_while(0.., is_of_name));
    let quoted = delimited('`', take_till(1.., '`'), cut_err('`').context(expected("a closing `")));
    let reserved = alt((word("and"), word("or"), word("not"), word("in")));
    alt((quoted, preceded(peek(not(reserved)), plain.take()))).map(str::to_owned).parse_next(input)
}

/// A text between single or double quotes, with Python's commonest escapes.
fn text(input: &mut Input<'_>) -> ModalResult<String> {
    let quote = one_of(['\'', '"']).parse_next(input)?;
    let mut text = String::new();
    loop {
        text += take_till(0.., (quote, '\\')).parse_next(input)?;
        let end = alt((quote.value(None), preceded('\\', any).map(Some)));
        let Some(escaped) = cut_err(end).context(expected("a closing quote")).parse_next(input)?
        else {
            return Ok(text);
        };
        match escaped {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            '\\' | '\'' | '"' => text.push(escaped),
            other => text.extend(['\\', other]),
        }
    }
}
