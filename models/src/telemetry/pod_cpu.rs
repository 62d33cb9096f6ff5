//! What pods use of the CPU, whoever asks them for it.

/// CPU time that the pods used which had a slot one after the other (s).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PodCpu {
    /// Of the application.
    pub application: f64,
    /// Of the sidecar, if there is one.
    pub sidecar: f64,
}
