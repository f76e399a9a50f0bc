//! Drawing lots that fall the same way every time.

/// A number below `below` that depends on the words only: FNV-1a, then the finaliser of splitmix64.
pub(super) fn draw(words: &[&str], below: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in words.iter().flat_map(|word| word.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (hash ^ (hash >> 31)) % below.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_every_word_and_on_where_it_ends() {
        assert_eq!(draw(&["a", "b"], 1 << 60), draw(&["a", "b"], 1 << 60));
        assert_ne!(draw(&["a", "b"], 1 << 60), draw(&["ab", ""], 1 << 60));
        assert_eq!(draw(&["a"], 0), 0);
    }
}
