//! The part of an address that names a category or a product: `pho-bo-tai-dac-biet`.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest slug, in characters.
pub const LONGEST: usize = 120;

/// A slug for a name: lower case, without diacritics, đ as d, everything else between words one dash. Nothing when no
/// letter or digit of ASCII remains (a name in another script).
#[must_use]
pub fn slug_of(name: &str) -> Option<String> {
    let mut slug = String::with_capacity(name.len());
    for letter in name.nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' | '0'..='9' => slug.push(letter),
            // A letter of its own in Vietnamese: no decomposition has it.
            'đ' => slug.push('d'),
            // An apostrophe joins: M'Drăk is one word.
            '\'' | '\u{2019}' => {}
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    if slug.len() > LONGEST {
        // At a word's end where there is one.
        let cut = slug[..LONGEST].rfind('-').unwrap_or(LONGEST);
        slug.truncate(cut);
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { None } else { Some(slug.to_owned()) }
}

/// Whether a text that a caller gave is a slug: words of `a-z` and `0-9` with single dashes between them.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    text.len() <= LONGEST && text.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vietnamese_names_lose_their_diacritics() {
        for (name, slug) in [
            ("Phở bò tái đặc biệt", "pho-bo-tai-dac-biet"),
            ("Bún đậu mắm tôm", "bun-dau-mam-tom"),
            ("ĐƯỜNG ĂN KIÊNG", "duong-an-kieng"),
            ("Cà phê sữa đá (ly lớn) – 500ml", "ca-phe-sua-da-ly-lon-500ml"),
            ("Nước mắm Phú Quốc 40°N", "nuoc-mam-phu-quoc-40-n"),
            ("Xôi M'Drăk", "xoi-mdrak"),
            ("Ươm ướt ỡm ờ", "uom-uot-om-o"),
        ] {
            assert_eq!(slug_of(name).as_deref(), Some(slug), "{name}");
        }
    }

    #[test]
    fn composed_and_decomposed_letters_give_the_same_slug() {
        let decomposed: String = "Bánh mì thịt nướng".nfd().collect();
        assert_eq!(slug_of(&decomposed), slug_of("Bánh mì thịt nướng"));
    }

    #[test]
    fn what_a_slug_cannot_hold_gives_none() {
        for name in ["", "   ", "!!!", "寿司", "🍜"] {
            assert_eq!(slug_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_words() {
        let slug = slug_of(&"mười hai ".repeat(40)).unwrap();
        assert!(slug.len() <= LONGEST && is_slug(&slug) && slug.ends_with("hai") | slug.ends_with("muoi"), "{slug}");
        assert_eq!(slug_of(&"x".repeat(500)).unwrap().len(), LONGEST);
    }

    #[test]
    fn only_words_with_single_dashes_are_slugs() {
        for good in ["pho-bo", "a", "7-up", "x2"] {
            assert!(is_slug(good), "{good}");
            assert_eq!(slug_of(good).as_deref(), Some(good));
        }
        for bad in ["", "-a", "a-", "a--b", "Pho", "phở", "a b", "a/b", &"a".repeat(LONGEST + 1)] {
            assert!(!is_slug(bad), "{bad}");
        }
    }
}
