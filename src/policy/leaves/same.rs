//! Comparing texts that are short.

/// Whether two texts are the same. Most are short, and compared here faster than by who is ready for any length.
#[inline(always)]
#[must_use]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    match (one.len(), one.len() == other.len()) {
        (_, false) => false,
        (8..=16, _) => have_same_ends::<8>(one, other),
        (4..8, _) => have_same_ends::<4>(one, other),
        (2..4, _) => have_same_ends::<2>(one, other),
        (17..=32, _) => have_same_ends::<16>(one, other),
        _ => one == other,
    }
}

/// Whether two texts begin and end with the same so many bytes.
#[inline(always)]
fn have_same_ends<const N: usize>(one: &[u8], other: &[u8]) -> bool {
    let both = one.first_chunk::<N>().zip(other.first_chunk());
    let ends = one.last_chunk::<N>().zip(other.last_chunk());
    match (both, ends) {
        (Some((one, other)), Some((end, other_end))) => one == other && end == other_end,
        _ => false,
    }
}
