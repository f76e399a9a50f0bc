//! Tax codes that are well formed and nobody's in particular.

use super::draw::draw;

/// The weights of the first nine digits.
const WEIGHTS: [u64; 9] = [31, 29, 23, 19, 17, 13, 7, 5, 3];

/// The ten digits of an enterprise: a province, a sequence, the check digit. A stem that has none is passed over.
pub(super) fn enterprise(name: &str) -> String {
    let mut sequence = 1 + draw(&["enterprise", name], 9_999_000);
    let office = 1 + draw(&["office", name], 63);
    loop {
        let stem = format!("{office:02}{sequence:07}");
        let digits = stem.bytes().map(|byte| u64::from(byte - b'0'));
        let sum: u64 = WEIGHTS.iter().zip(digits).map(|(weight, digit)| weight * digit).sum();
        if !sum.is_multiple_of(11) {
            return format!("{stem}{}", 10 - sum % 11);
        }
        sequence += 1;
    }
}

/// The thirteen digits of an enterprise's branch.
pub(super) fn branch(enterprise: &str, number: u64) -> String {
    format!("{enterprise}{number:03}")
}

/// The twelve digits of a person, which household businesses use since 01/07/2025 (Circular 86/2024/TT-BTC): a place,
/// sex and century, the year of birth, a number. They have no check digit.
pub(super) fn person(name: &str) -> String {
    let place = 1 + draw(&["place", name], 96);
    let sex = draw(&["sex", name], 2);
    let year = 60 + draw(&["year", name], 40);
    let number = 1 + draw(&["person", name], 999_998);
    format!("{place:03}{sex}{year}{number:06}")
}
