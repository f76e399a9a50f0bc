//! What makes a merchant acceptable.

use shell::{Checks, Problem};

use super::Merchant;
use crate::address::{self, AddressFault};
use crate::tax_code::TaxCode;

/// Checks every field, and brings the tax code into its stored form.
pub(super) fn check(merchant: &mut Merchant) -> Result<(), Problem> {
    let mut checks = Checks::new();
    checks.length(merchant.name.trim(), 1, 200, "/name").length(&merchant.address_line, 0, 400, "/address_line");
    for (text, most, pointer) in [
        (&merchant.tax_name, 400, "/tax_name"),
        (&merchant.tax_address, 400, "/tax_address"),
        (&merchant.phone, 20, "/phone"),
        (&merchant.email, 254, "/email"),
    ] {
        if let Some(text) = text {
            checks.length(text, 1, most, pointer);
        }
    }
    if let Some(email) = &merchant.email {
        checks.that(is_email(email), "/email", "EMAIL", "must be an e-mail address");
    }
    if let Some(phone) = &merchant.phone {
        checks.that(
            is_phone(phone),
            "/phone",
            "PHONE",
            "must be digits, with a plus before them and spaces between at most",
        );
    }
    match merchant.tax_code.as_deref().map(TaxCode::parse) {
        Some(Ok(code)) => merchant.tax_code = Some(code.as_str().to_owned()),
        Some(Err(fault)) => checks.wrong("/tax_code", "TAX_CODE", fault.to_string()),
        None => {}
    }
    if let Err(fault) = address::check(merchant.province_code.as_deref(), merchant.ward_code.as_deref()) {
        let pointer = if fault == AddressFault::Province { "/province_code" } else { "/ward_code" };
        checks.wrong(pointer, "ADMINISTRATIVE_UNIT", fault.to_string());
    }
    checks.finish()
}

/// Not a proof, only against slips: one `@` with something on both sides, a dot in the domain, no spaces.
fn is_email(text: &str) -> bool {
    let plain = !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    plain
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.contains('@') && domain.trim_matches('.').contains('.')
        })
}

fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    (6..=15).contains(&count) && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_and_phones_are_checked_against_slips() {
        for good in ["a@b.vn", "chu.quan+hcm@example.com.vn"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["a", "a@b", "@b.vn", "a b@c.vn", "a@b@c.vn", "a@.vn."] {
            assert!(!is_email(bad), "{bad}");
        }
        for good in ["0912345678", "+84 91 234 5678", "028.3822.1234"] {
            assert!(is_phone(good), "{good}");
        }
        for bad in ["12345", "phone", "0912345678x", "++84912345678"] {
            assert!(!is_phone(bad), "{bad}");
        }
    }
}
