//! Vietnam's administrative units: two levels since 01/07/2025, 34 provinces and the wards in them.
//!
//! Provinces are complete, with the codes of Decision 19/2025/QĐ-TTg and the kinds since 30/04/2026 (Đồng Nai became a
//! city by Resolution 30/2026/QH16). Of the 3,321 wards, communes and special zones the data has the 3,187 on whose code,
//! name and province two independent compilations of the statistics office's list agree; nothing else is in it. So a ward
//! that is known must lie in the province given, and one that is not known is accepted when its code has five digits.

use std::sync::LazyLock;

use serde::Serialize;
use utoipa::ToSchema;

/// A province or a city of the first level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Province {
    /// Two digits.
    #[schema(example = "79")]
    pub code: &'static str,
    /// `CITY` or `PROVINCE`.
    pub kind: &'static str,
    /// Its name without the kind: `Hồ Chí Minh`.
    pub name: &'static str,
}

/// A ward, commune or special zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ward {
    /// Five digits.
    #[schema(example = "00004")]
    pub code: &'static str,
    /// The province that it lies in.
    pub province_code: &'static str,
    /// Its name with its kind: `Phường Ba Đình`.
    pub name: &'static str,
}

static PROVINCES: LazyLock<Vec<Province>> = LazyLock::new(|| {
    let rows = rows(include_str!("../data/provinces.tsv"));
    rows.map(|[code, kind, name]| Province { code, kind, name }).collect()
});

static WARDS: LazyLock<Vec<Ward>> = LazyLock::new(|| {
    let rows = rows(include_str!("../data/wards.tsv"));
    rows.map(|[code, province_code, name]| Ward { code, province_code, name }).collect()
});

fn rows(text: &'static str) -> impl Iterator<Item = [&'static str; 3]> {
    text.lines().filter_map(|line| line.split('\t').collect::<Vec<_>>().try_into().ok())
}

/// All 34, by code.
#[must_use]
pub fn provinces() -> &'static [Province] {
    &PROVINCES
}

/// The province of this code.
#[must_use]
pub fn province(code: &str) -> Option<&'static Province> {
    PROVINCES.iter().find(|province| province.code == code)
}

/// The wards known in a province, by code.
pub fn wards(province_code: &str) -> impl Iterator<Item = &'static Ward> {
    WARDS.iter().filter(move |ward| ward.province_code == province_code)
}

/// The ward of this code, when it is known.
#[must_use]
pub fn ward(code: &str) -> Option<&'static Ward> {
    // Codes are sorted: the file is, and a test says so.
    WARDS.binary_search_by_key(&code, |ward| ward.code).ok().map(|index| &WARDS[index])
}

/// What is wrong with the units of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// There is no such province.
    #[error("there is no province of this code; it is one of the 34 in force since 01/07/2025")]
    Province,
    /// A ward without a province, or not five digits.
    #[error("a ward's code has five digits and comes with its province")]
    Ward,
    /// The ward lies in another province.
    #[error("this ward lies in another province")]
    Elsewhere,
}

/// Checks the units of an address.
pub fn check(province_code: Option<&str>, ward_code: Option<&str>) -> Result<(), AddressFault> {
    if province_code.is_some_and(|code| province(code).is_none()) {
        return Err(AddressFault::Province);
    }
    let Some(code) = ward_code else { return Ok(()) };
    let well_formed = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit());
    if province_code.is_none() || !well_formed {
        return Err(AddressFault::Ward);
    }
    match ward(code) {
        Some(ward) if Some(ward.province_code) != province_code => Err(AddressFault::Elsewhere),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_34_provinces_and_every_ward_lies_in_one() {
        assert_eq!(provinces().len(), 34);
        assert_eq!(provinces().iter().filter(|province| province.kind == "CITY").count(), 7);
        assert_eq!(province("79").map(|province| province.name), Some("Hồ Chí Minh"));
        assert_eq!(WARDS.len(), 3187);
        assert!(WARDS.iter().all(|ward| province(ward.province_code).is_some()));
        assert!(WARDS.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn every_province_has_wards() {
        for province in provinces() {
            assert!(wards(province.code).count() >= 30, "{}", province.name);
        }
    }

    #[test]
    fn a_known_ward_must_lie_in_the_province_given() {
        assert_eq!(ward("00004").map(|ward| ward.name), Some("Phường Ba Đình"));
        assert_eq!(check(Some("01"), Some("00004")), Ok(()));
        assert_eq!(check(Some("79"), Some("00004")), Err(AddressFault::Elsewhere));
    }

    #[test]
    fn an_unknown_ward_needs_five_digits_and_a_province() {
        assert_eq!(check(Some("01"), Some("99999")), Ok(()));
        assert_eq!(check(Some("01"), Some("9999")), Err(AddressFault::Ward));
        assert_eq!(check(None, Some("00004")), Err(AddressFault::Ward));
        assert_eq!(check(None, None), Ok(()));
    }

    #[test]
    fn provinces_that_were_merged_away_are_refused() {
        for code in ["02", "74", "77", "1", ""] {
            assert_eq!(check(Some(code), None), Err(AddressFault::Province), "{code}");
        }
    }
}
