//! Elementary functions without branches, so that a loop over them becomes vector instructions.
//!
//! Each is exact to a few units in the last place on the range it is for; a NaN stays one.

const LOG2_E: f64 = std::f64::consts::LOG2_E;

/// `exp(x)` for `x <= 0`; below the least normal number it stays there.
#[inline(always)]
pub fn exp_f32(x: f32) -> f32 {
    /// Adding it rounds to an integer, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let rounded = x * LOG2_E as f32 + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW; // |r| <= ln(2) / 2
    let polynomial =
        horner(r, &[1.0, 1.0, 0.5, 1.666_666_6e-1, 4.166_657e-2, 8.333_68e-3, 1.392e-3]);
    polynomial * f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
}

/// `ln(1 + y)` for `0 <= y <= 1`, exact for the smallest `y` too.
#[inline(always)]
pub fn ln_1p_f32(y: f32) -> f32 {
    // 2 artanh(s), s <= 1/3.
    let s = y / (2.0 + y);
    let odd = [1.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0];
    2.0 * s * horner(s * s, &odd)
}

/// `softplus(x) = ln(1 + exp(x))` and its derivative, the logistic function.
#[inline(always)]
pub fn softplus_f32(x: f32) -> (f32, f32) {
    let e = exp_f32(-x.abs());
    let share = 1.0 / (1.0 + e);
    let positive = x > 0.0;
    let linear = if x < 0.0 { 0.0 } else { x };
    (linear + ln_1p_f32(e), if positive { share } else { e * share })
}

/// `exp(x)` for `x <= 709`; below the least normal number it stays there.
#[inline(always)]
pub fn exp_f64(x: f64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52
    const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = if x < -708.0 { -708.0 } else { x };
    let x = if x > 709.0 { 709.0 } else { x };
    let rounded = x * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let polynomial = horner(r, &FACTORIAL_RECIPROCALS);
    polynomial * f64::from_bits((rounded.to_bits() << 52).wrapping_add(1.0f64.to_bits()))
}

/// `ln(x)` for positive, normal or infinite `x`.
#[inline(always)]
pub fn ln_f64(x: f64) -> f64 {
    const SQRT_HALF: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    const TWO_52: f64 = 4_503_599_627_370_496.0;
    // x = m 2^e with m between sqrt(1/2) and sqrt(2).
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF).wrapping_add(1023 << 52);
    let exponent = f64::from_bits(TWO_52.to_bits() | (shifted >> 52)) - (TWO_52 + 1023.0);
    let m = f64::from_bits((shifted & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF));
    let s = (m - 1.0) / (m + 1.0); // |s| <= 0.172
    let series = 2.0 * s * horner(s * s, &ODD_RECIPROCALS_10);
    if x < f64::INFINITY { exponent * std::f64::consts::LN_2 + series } else { x }
}

/// `ln(1 + y)` for `0 <= y <= 1`, exact for the smallest `y` too.
#[inline(always)]
pub fn ln_1p_f64(y: f64) -> f64 {
    let s = y / (2.0 + y);
    2.0 * s * horner(s * s, &ODD_RECIPROCALS_16)
}

/// `softplus(x) = ln(1 + exp(x))` and its derivative, the logistic function.
#[inline(always)]
pub fn softplus_f64(x: f64) -> (f64, f64) {
    let e = exp_f64(-x.abs());
    let share = 1.0 / (1.0 + e);
    let linear = if x < 0.0 { 0.0 } else { x };
    (linear + ln_1p_f64(e), if x > 0.0 { share } else { e * share })
}

/// `ln Γ(z)` and its derivative, the digamma function, for positive `z`.
///
/// Stirling's series (Abramowitz & Stegun 6.1.40, 6.3.18) at `z + 8`, and down by
/// `Γ(z + 8) = z (z + 1) … (z + 7) Γ(z)`.
#[inline(always)]
pub fn ln_gamma_f64(z: f64) -> (f64, f64) {
    const HALF_LN_TAU: f64 = 0.918_938_533_204_672_7;
    let (mut product, mut slope) = (z, 1.0);
    for k in [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0] {
        let factor = z + k;
        slope = slope * factor + product;
        product *= factor;
    }
    let w = z + 8.0;
    let ln_w = ln_f64(w);
    let r = 1.0 / w;
    let r2 = r * r;
    let tail =
        r * horner(r2, &[1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0]);
    let ln_gamma = (w - 0.5) * ln_w - w + HALF_LN_TAU + tail - ln_f64(product);
    let tail = r2 * horner(r2, &[1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0]);
    (ln_gamma, ln_w - 0.5 * r - tail - slope / product)
}

/// 1/0!, 1/1!, 1/2!, …
const FACTORIAL_RECIPROCALS: [f64; 14] = {
    let (mut all, mut i) = ([1.0; 14], 1);
    while i < 14 {
        all[i] = all[i - 1] / i as f64;
        i += 1;
    }
    all
};

const ODD_RECIPROCALS_10: [f64; 10] = odd_reciprocals();
const ODD_RECIPROCALS_16: [f64; 16] = odd_reciprocals();

/// 1, 1/3, 1/5, …
const fn odd_reciprocals<const N: usize>() -> [f64; N] {
    let mut all = [0.0; N];
    let mut i = 0;
    while i < N {
        all[i] = 1.0 / (2 * i + 1) as f64;
        i += 1;
    }
    all
}

/// The polynomial with these coefficients, constant first.
#[inline(always)]
fn horner<T, const N: usize>(x: T, coefficients: &[T; N]) -> T
where
    T: Copy + std::ops::Mul<Output = T> + std::ops::Add<Output = T>,
{
    let mut sum = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        sum = sum * x + coefficients[i];
    }
    sum
}
