//! Which part of a file is asked for (RFC 9110 section 14).

use std::ops::Range;

/// What a `Range` header means for a file of a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: no header, or one that may be ignored (another unit, several ranges, malformed).
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// None of it: the range begins beyond its end.
    Unsatisfiable,
}

/// Reads a `Range` header.
#[must_use]
pub(super) fn part(header: Option<&str>, size: u64) -> Part {
    let Some((first, last)) =
        header.and_then(|text| text.trim().strip_prefix("bytes=")).and_then(|text| text.split_once('-'))
    else {
        return Part::Whole;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number beyond 64 bits is beyond any file.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first.trim(), last.trim()) {
        ("", suffix) => match number(suffix) {
            Some(0) => Part::Unsatisfiable,
            Some(length) => Part::Bytes(size.saturating_sub(length)..size),
            None => Part::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), _) if first >= size && (last.is_empty() || number(last).is_some()) => Part::Unsatisfiable,
            (Some(first), None) if last.is_empty() => Part::Bytes(first..size),
            (Some(first), Some(last)) if first <= last => Part::Bytes(first..last.saturating_add(1).min(size)),
            _ => Part::Whole,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (header, expected) in [
            ("bytes=0-9", Part::Bytes(0..10)),
            ("bytes=90-", Part::Bytes(90..100)),
            ("bytes=-10", Part::Bytes(90..100)),
            ("bytes=-1000", Part::Bytes(0..100)),
            ("bytes=50-1000", Part::Bytes(50..100)),
            ("bytes=99-99", Part::Bytes(99..100)),
            ("bytes=100-", Part::Unsatisfiable),
            ("bytes=100-200", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=99999999999999999999-", Part::Unsatisfiable),
        ] {
            assert_eq!(part(Some(header), 100), expected, "{header}");
        }
    }

    #[test]
    fn what_is_not_one_range_of_bytes_is_ignored() {
        for header in
            ["bytes=0-1,3-4", "items=0-1", "bytes=9-1", "bytes=a-b", "bytes=", "bytes=-", "0-9", "bytes=200-x"]
        {
            assert_eq!(part(Some(header), 100), Part::Whole, "{header}");
        }
        assert_eq!(part(None, 100), Part::Whole);
    }
}
