//! How all pictures look: ink, letters, axes, and colours that colour-blind eyes tell apart.

use kuva::{Theme, render::layout::Layout};

/// Letters: the first that is there. PNG files have DejaVu Sans, which kuva brings.
pub const FONT: &str = "Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif";

/// Text and axes.
pub const INK: &str = "#333333";

/// Text that explains.
pub const QUIET: &str = "#6e6e6e";

/// Lines that help and are not data.
pub const FAINT: &str = "#9a9a9a";

/// Points that have no value or do not matter.
pub const GREY: &str = "#c8c8c8";

/// Blue, of training, and of what falls.
pub const BLUE: &str = "#0072b2";

/// Orange, of validation, and of what rises.
pub const ORANGE: &str = "#d55e00";

/// The colours of Okabe and Ito, in an order in which neighbours differ much.
const FEW: [&str; 7] = [BLUE, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", ORANGE, "#7a5195"];

/// Petroff's ten, chosen for colour-blind eyes and looks.
const SEVERAL: [&str; 10] = [
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70",
    "#717581", "#92dadd",
];

/// The longest name that is drawn whole.
const MAX_LETTERS: usize = 32;

/// The colour of each of `n` groups. Beyond ten, no set of colours can be told apart by everybody:
/// hues go round the circle in steps that keep neighbours far from each other, at three lightnesses.
pub fn palette(n: usize) -> Vec<String> {
    match n {
        0..=7 => FEW[..n].iter().map(|&c| c.into()).collect(),
        8..=10 => SEVERAL[..n].iter().map(|&c| c.into()).collect(),
        _ => (0..n).map(hue).collect(),
    }
}

fn hue(i: usize) -> String {
    let degrees = (i as f64 * 137.508 + 210.0) % 360.0;
    let (saturation, lightness) = [(0.68, 0.46), (0.60, 0.66), (0.72, 0.32)][i % 3];
    let strength = saturation * f64::min(lightness, 1.0 - lightness);
    let channel = |offset: f64| {
        let k = (offset + degrees / 30.0) % 12.0;
        let value = lightness - strength * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (value * 255.0).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", channel(0.0), channel(8.0), channel(4.0))
}

/// Axes over these ranges, as all pictures have them.
pub fn layout(x: (f64, f64), y: (f64, f64)) -> Layout {
    let theme = Theme {
        axis_color: FAINT.into(),
        grid_color: "#ececec".into(),
        tick_color: FAINT.into(),
        text_color: INK.into(),
        ..Theme::light()
    };
    Layout::new(x, y)
        .with_theme(theme)
        .with_font_family(FONT)
        .with_label_size(12)
        .with_tick_size(11)
        .with_x_axis_min(x.0)
        .with_x_axis_max(x.1)
        .with_y_axis_min(y.0)
        .with_y_axis_max(y.1)
}

/// Words of the user's as they are drawn: without what no picture can hold, not too long, and `$`
/// as itself, which kuva would read as the beginning of a formula.
pub fn words(text: &str) -> String {
    let clean: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let shown: String = match clean.len() {
        0..=MAX_LETTERS => clean.iter().collect(),
        _ => clean[..MAX_LETTERS - 1].iter().chain(&['…']).collect(),
    };
    shown.replace('$', "\\$")
}

/// The range with a little room on both sides, never empty.
pub fn with_room((low, high): (f64, f64), share: f64) -> (f64, f64) {
    if low > high {
        return (0.0, 1.0);
    }
    let room = (high - low).max(low.abs() * 1e-6).max(1e-9) * share;
    (low - room, high + room)
}

/// The smallest and the largest finite value; the first above the second when there is none.
pub fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|v| v.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_different_colours() {
        for n in [1, 7, 8, 10, 11, 40] {
            let mut colours = palette(n);
            colours.sort();
            colours.dedup();
            assert_eq!(colours.len(), n);
        }
    }

    #[test]
    fn words_can_be_drawn() {
        assert_eq!(words("a\u{1}b\nc"), "a b c");
        assert_eq!(words("$x$"), "\\$x\\$");
        assert_eq!(words(&"é".repeat(40)), "é".repeat(31) + "…");
    }

    #[test]
    fn ranges_are_never_empty() {
        assert_eq!(with_room(range([f64::NAN].into_iter()), 0.1), (0.0, 1.0));
        let (low, high) = with_room(range([3.0, 3.0].into_iter()), 0.1);
        assert!(low < 3.0 && 3.0 < high);
    }
}
