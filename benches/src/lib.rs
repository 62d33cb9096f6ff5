//! Benchmarks of the kernel; see `benches/`.
