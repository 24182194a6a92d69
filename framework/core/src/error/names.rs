//! Names in messages.

/// Names joined for a message; "(none)" when there are none, cut after twenty.
pub(crate) fn list<T: AsRef<str>>(names: &[T]) -> String {
    first(names, 20)
}

/// As [`list`], cut after `n_shown`.
pub(super) fn first<T: AsRef<str>>(names: &[T], n_shown: usize) -> String {
    if names.is_empty() {
        return "(none)".into();
    }
    let mut shown: Vec<&str> = names.iter().take(n_shown).map(AsRef::as_ref).collect();
    let rest = format!("… ({} in all)", names.len());
    if names.len() > n_shown {
        shown.push(&rest);
    }
    shown.join(", ")
}

/// Each name, followed by the one of `others` that it is a slip of.
pub(super) fn with_nearest(names: &[String], others: &[String]) -> Vec<String> {
    const COMPARED: usize = 20;
    let similar = |name: &String| match crate::params::nearest(name, others) {
        Some(other) => format!("{name} (nearest: {other})"),
        None => name.clone(),
    };
    let (compared, rest) = names.split_at(names.len().min(COMPARED));
    compared.iter().map(similar).chain(rest.iter().cloned()).collect()
}
