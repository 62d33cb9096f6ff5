//! Elementary functions whose bits are the same on every machine.
//!
//! # Models
//! `f64::ln` and its kin call the platform's libm, whose last bit differs between systems and
//! releases; one differing bit in a drawn service time reorders events and every number after it.
//! These functions are the `libm` crate's (a port of musl's), compiled with the simulator.
//! Addition, multiplication, division and square root are exact by IEEE 754 and need no wrapper.
//!
//! # Source
//! musl libc, `src/math`, through the crate `libm`.

pub use libm::{erfc, exp, lgamma, log as ln, log1p as ln_1p, pow, sin, sqrt};
