//! What a file is, by its first bytes.

/// The content type of a picture of a kind that is taken; nothing for anything else, whatever its name says.
#[must_use]
pub(super) fn content_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        // JPEG: SOI and the first byte of the next marker.
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        // PNG signature, then the header chunk.
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', _, _, _, _, b'I', b'H', b'D', b'R', ..] => {
            Some("image/png")
        }
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', b'V', b'P', b'8', b' ' | b'L' | b'X', ..] => {
            Some("image/webp")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        let cases: [(&[u8], &str); 5] = [
            (b"\xFF\xD8\xFF\xE0\x00\x10JFIF", "image/jpeg"),
            (b"\x89PNG\r\n\x1A\n\x00\x00\x00\x0DIHDR\x00", "image/png"),
            (b"GIF89a\x01\x00", "image/gif"),
            (b"GIF87a\x01\x00", "image/gif"),
            (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(content_type(bytes), Some(expected));
        }
    }

    #[test]
    fn what_only_looks_like_one_is_refused() {
        for bytes in [
            &b""[..],
            b"\xFF\xD8",
            b"\x89PNG\r\n",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<!doctype html><script>",
            b"RIFF\x24\x00\x00\x00WAVEfmt ",
            b"GIF90a",
            b"%PDF-1.7",
        ] {
            assert_eq!(content_type(bytes), None, "{bytes:?}");
        }
    }
}
