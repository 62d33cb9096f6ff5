//! How much memory the buffers of a run take.

/// Memory of a buffer that grows by doubling (bytes): what it has, and what it takes next if it is nearly full.
///
/// `used` and `capacity` count elements of `size` bytes.
#[must_use]
pub const fn growing_bytes(used: usize, capacity: usize, size: usize) -> usize {
    let is_nearly_full = used >= capacity / 8 * 7;
    let has = capacity.saturating_mul(size);
    if is_nearly_full { has.saturating_mul(2) } else { has }
}

#[cfg(test)]
mod tests {
    use super::growing_bytes;

    #[test]
    fn what_a_full_buffer_takes_next_is_counted() {
        assert_eq!(growing_bytes(0, 0, 8), 0);
        assert_eq!(growing_bytes(55, 64, 8), 512);
        assert_eq!(growing_bytes(56, 64, 8), 1024);
    }
}
