//! Vietnamese text as it is typed without diacritics.
//!
//! The engine's own folding covers Latin-1 only (ò but not ở or đ) and its `vi` locale folds nothing, so each text is
//! indexed twice: composed (NFC), where `phở` is not `phố`, and folded, where both are `pho`.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The composed form: a name typed on a machine that writes letters and marks apart is the same name.
pub(crate) fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// Without marks, lower case, đ as d.
pub(crate) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let letters = text.nfd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase);
    // a letter of its own in Vietnamese: no decomposition has it
    letters.map(|letter| if letter == 'đ' { 'd' } else { letter }).nfc().collect()
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn other_scripts_stay() {
        assert_eq!(folded("김치 Bánh 7-Up"), "김치 banh 7-up");
    }
}
