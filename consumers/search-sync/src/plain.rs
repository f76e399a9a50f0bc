//! Vietnamese text as it is typed without diacritics.
//!
//! The engine's own folding covers Latin-1 only (ò but not ở or đ) and its `vi` locale folds nothing, so each text is
//! indexed twice: composed (NFC), where `phở` is not `phố`, and folded, where both are `pho`.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// The composed form: a name typed on a machine that writes letters and marks apart is the same name.
pub(crate) fn composed(text: &str) -> String {
    // most are composed already, and to see that costs a tenth of composing
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text.to_owned(),
        IsNormalized::No | IsNormalized::Maybe => text.nfc().collect(),
    }
}

/// Without marks, lower case, đ as d.
pub(crate) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        // (marks have an order among each other, letters have none, and no mark stays)
        decompose_canonical(letter, |part| {
            if part.is_ascii() {
                plain.push(part.to_ascii_lowercase());
            } else if !is_combining_mark(part) {
                // a letter of its own in Vietnamese: no decomposition has it
                plain.extend(part.to_lowercase().map(|lower| if lower == 'đ' { 'd' } else { lower }));
            }
        });
    }
    // what else was taken apart (Hangul) is put together again
    composed(&plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_vietnamese_letter_loses_its_marks() {
        let vowels = [
            ("aàáảãạăằắẳẵặâầấẩẫậ", 'a'),
            ("eèéẻẽẹêềếểễệ", 'e'),
            ("iìíỉĩị", 'i'),
            ("oòóỏõọôồốổỗộơờớởỡợ", 'o'),
            ("uùúủũụưừứửữự", 'u'),
            ("yỳýỷỹỵ", 'y'),
            ("dđ", 'd'),
        ];
        for (letters, plain) in vowels {
            for letter in letters.chars() {
                assert_eq!(folded(&letter.to_string()), plain.to_string(), "{letter}");
                assert_eq!(folded(&letter.to_uppercase().to_string()), plain.to_string(), "{letter}");
            }
        }
    }

    #[test]
    fn both_placements_of_a_tone_and_both_unicode_forms_are_one() {
        assert_eq!(folded("Thủy hoà"), folded("thuỷ Hòa"));
        let apart: String = "Phở bò Đặc Biệt".nfd().collect();
        assert_eq!(folded(&apart), "pho bo dac biet");
        assert_eq!(composed(&apart), "Phở bò Đặc Biệt");
    }

    proptest! {
        #[test]
        fn a_letter_at_a_time_is_all_at_once(text in ".{0,12}", vietnamese in "[a-zđƠ-ưẠ-ỹ\u{300}-\u{323} ]{0,12}") {
            for text in [text, vietnamese] {
                let letters = text.nfd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase);
                let plain: String = letters.map(|letter| if letter == 'đ' { 'd' } else { letter }).nfc().collect();
                prop_assert_eq!(folded(&text), plain);
                prop_assert_eq!(composed(&text), text.nfc().collect::<String>());
            }
        }
    }

    #[test]
    fn other_scripts_stay() {
        assert_eq!(folded("김치 Bánh 7-Up"), "김치 banh 7-up");
    }
}
