//! Ranks of which few are frequent: those of Zipf's law with the exponent 1.

use crate::varied_pools::Random;

/// A rank from 1 to `ranks`, with a probability proportional to its reciprocal. The same
/// for the same number.
pub(crate) fn rank(number: u64, ranks: u64) -> u64 {
    let mut random = Random(number);
    let logarithm = ((ranks + 1) as f64).ln();
    loop {
        // By inversion, a rank has the probability of ln(1 + 1/rank). Some of the ranks
        // are rejected, which makes it that of 1/rank.
        let rank = (unit(&mut random) * logarithm).exp().floor().clamp(1.0, ranks as f64);
        let accepted = std::f64::consts::LN_2 / (rank * (1.0 / rank).ln_1p());
        if unit(&mut random) < accepted {
            return rank as u64;
        }
    }
}

/// A number from 0 to 1, without 1.
fn unit(random: &mut Random) -> f64 {
    (random.number() >> 11) as f64 / (1_u64 << 53) as f64
}
