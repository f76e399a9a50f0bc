//! Vietnamese tax codes (mã số thuế): 10 digits, 13 with a branch, or a personal ID of 12.
//!
//! Ten digits are two of the province, seven of a sequence and a check digit. Since 01/07/2025 individuals and household
//! businesses use their 12-digit personal ID (Circular 86/2024/TT-BTC), which has no check digit.

use std::fmt;

/// The weights of the first nine digits.
const WEIGHTS: [u32; 9] = [31, 29, 23, 19, 17, 13, 7, 5, 3];

/// A tax code that is well formed: digits only, 10, 12 or 13 of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxCode(String);

/// Why a text is no tax code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TaxCodeFault {
    /// Neither 10, 12 nor 13 digits.
    #[error("a tax code has 10 digits, 13 with its branch (0314409058-002), or 12 as a personal ID")]
    Length,
    /// Something other than digits (and one dash before the branch).
    #[error("a tax code has digits only, and a dash before the branch at most")]
    Character,
    /// The seven digits of the sequence are all zero.
    #[error("the tax code has no number after its province")]
    Sequence,
    /// The branch is 000.
    #[error("the branch of a tax code is 001 to 999")]
    Branch,
    /// The tenth digit does not fit the nine before it.
    #[error("the tax code's check digit does not fit: a digit is mistyped")]
    CheckDigit,
}

impl TaxCode {
    /// Reads a tax code; spaces around it are ignored.
    pub fn parse(text: &str) -> Result<Self, TaxCodeFault> {
        let digits = digits_of(text.trim())?;
        match digits.len() {
            12 => {}
            10 => check_stem(&digits)?,
            13 => {
                check_stem(&digits[..10])?;
                if digits.ends_with("000") {
                    return Err(TaxCodeFault::Branch);
                }
            }
            _ => return Err(TaxCodeFault::Length),
        }
        Ok(Self(digits))
    }

    /// Digits only, as it is stored and sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaxCode {
    /// As it is shown: a branch after a dash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_at_checked(10) {
            Some((stem, branch)) if branch.len() == 3 => write!(f, "{stem}-{branch}"),
            _ => f.write_str(&self.0),
        }
    }
}

/// The digits, without the dash that may stand before a branch.
fn digits_of(text: &str) -> Result<String, TaxCodeFault> {
    let digits = match text.split_once('-') {
        Some((stem, branch)) if stem.len() == 10 && branch.len() == 3 => format!("{stem}{branch}"),
        Some(_) => return Err(TaxCodeFault::Character),
        None => text.to_owned(),
    };
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { Ok(digits) } else { Err(TaxCodeFault::Character) }
}

fn check_stem(stem: &str) -> Result<(), TaxCodeFault> {
    if &stem[2..9] == "0000000" {
        return Err(TaxCodeFault::Sequence);
    }
    let mut digits = stem.bytes().map(|byte| u32::from(byte - b'0'));
    let sum: u32 = WEIGHTS.iter().zip(&mut digits).map(|(weight, digit)| weight * digit).sum();
    // 10 - 0 is no digit: no valid code has such a stem.
    let expected = 10 - sum % 11;
    if digits.next() == Some(expected) { Ok(()) } else { Err(TaxCodeFault::CheckDigit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_in_use_are_valid() {
        for code in [
            "0100109106",
            "0101243150",
            "0100233488",
            "0104128565",
            "0107001729",
            "0101360697",
            "0301464823",
            "0102454468",
            "0106869738",
            "0312650437",
            "0100686209",
            "0303609305",
        ] {
            assert_eq!(TaxCode::parse(code).map(|code| code.to_string()), Ok(code.to_owned()));
        }
    }

    #[test]
    fn a_branch_is_stored_without_its_dash_and_shown_with_it() {
        for written in ["0314409058-002", "0314409058002", " 0314409058-002 "] {
            let code = TaxCode::parse(written).unwrap();
            assert_eq!((code.as_str(), code.to_string().as_str()), ("0314409058002", "0314409058-002"));
        }
    }

    #[test]
    fn a_personal_id_has_twelve_digits_and_no_check_digit() {
        assert_eq!(TaxCode::parse("001203004567").unwrap().to_string(), "001203004567");
    }

    #[test]
    fn wrong_codes_are_told_apart() {
        for (code, fault) in [
            ("0100233480", TaxCodeFault::CheckDigit),
            ("0100000008", TaxCodeFault::Sequence),
            ("0314409058-000", TaxCodeFault::Branch),
            ("12345", TaxCodeFault::Length),
            ("", TaxCodeFault::Length),
            ("01002334881", TaxCodeFault::Length),
            ("010023348x", TaxCodeFault::Character),
            ("0314409058-02", TaxCodeFault::Character),
            ("03144090-58002", TaxCodeFault::Character),
            ("٠١٠٠١٠٩١٠٦", TaxCodeFault::Character),
        ] {
            assert_eq!(TaxCode::parse(code), Err(fault), "{code}");
        }
    }

    #[test]
    fn a_stem_whose_sum_is_a_multiple_of_eleven_has_no_valid_code() {
        for last in 0..10 {
            assert_eq!(TaxCode::parse(&format!("011000001{last}")), Err(TaxCodeFault::CheckDigit));
        }
    }
}
