//! The functions of a cell: what their parameters say.
//!
//! # Source
//! µBench, `CustomFunctions/Loader.py` and, for `compute_pi`, `ServiceCell/InternalServiceExecutor.py`.

use super::entries::Reader;
use meshsim_core::SimDuration;
use meshsim_models::application::internal_service::{
    BodyKind, CpuStress, DiskStress, InternalService, MemoryStress,
};
use serde_json::value::RawValue;

/// Longest mean sleep (s).
const SLEEP_SECONDS_MAX: f64 = 1e9;

/// Largest mean body (kB).
pub(super) const BODY_KB_MAX: f64 = 100_000.0;

/// Most kB, blocks, bytes of a block, or operations.
const STRESS_MAX: u64 = 1_000_000_000;

/// `loader`, with the defaults of `Loader.py`, merged key by key.
pub(super) fn read_loader(reader: &mut Reader<'_>, raw: &RawValue) -> InternalService {
    let mut internal = InternalService {
        sleep: SimDuration::from_millis(10),
        mean_body_kb: 11.0,
        body: BodyKind::Random,
        ..InternalService::idle()
    };
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "cpu_stress" => internal.cpu_stress = read_cpu_stress(reader, value),
            "sleep_stress" => internal.sleep = read_sleep(reader, value),
            "memory_stress" => internal.memory_stress = read_memory_stress(reader, value),
            "disk_stress" => internal.disk_stress = read_disk_stress(reader, value),
            "mean_response_size" | "mean_bandwidth" => {
                internal.mean_body_kb = reader.not_negative(value, key, BODY_KB_MAX);
            }
            "function_id" => {}
            other => reader.unknown_key(
                other,
                value,
                ["cpu_stress", "memory_stress", "disk_stress", "sleep_stress", "mean_response_size"],
            ),
        }
    }
    internal
}

fn read_cpu_stress(reader: &mut Reader<'_>, raw: &RawValue) -> Option<CpuStress> {
    let mut stress = CpuStress { complexity: [100, 100], thread_pool_size: 1, trials: 1 };
    let mut run = false;
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "run" => run = reader.parse(value).unwrap_or(false),
            "range_complexity" => stress.complexity = read_range(reader, value),
            "thread_pool_size" => stress.thread_pool_size = reader.positive(value, key, 1_000) as u32,
            "trials" => stress.trials = reader.positive(value, key, 1_000_000) as u32,
            other => {
                reader.unknown_key(other, value, ["run", "range_complexity", "thread_pool_size", "trials"]);
            }
        }
    }
    run.then_some(stress)
}

fn read_range(reader: &mut Reader<'_>, raw: &RawValue) -> [u32; 2] {
    match reader.parse::<[u32; 2]>(raw) {
        Some([low, high]) if low <= high && high <= 1_000_000 => [low, high],
        Some([low, high]) => {
            let message = format!("[{low}, {high}] is not a range of digits");
            reader.problem(raw, message, "write [least, greatest], at most 1000000");
            [1, 1]
        }
        None => [1, 1],
    }
}

fn read_sleep(reader: &mut Reader<'_>, raw: &RawValue) -> SimDuration {
    let (mut run, mut seconds) = (true, 0.01);
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "run" => run = reader.parse(value).unwrap_or(true),
            "sleep_time" => seconds = reader.not_negative(value, key, SLEEP_SECONDS_MAX),
            other => reader.unknown_key(other, value, ["run", "sleep_time"]),
        }
    }
    if run { SimDuration::from_secs_f64(seconds) } else { SimDuration::ZERO }
}

fn read_memory_stress(reader: &mut Reader<'_>, raw: &RawValue) -> Option<MemoryStress> {
    let mut stress = MemoryStress { size_kb: 10_000, operations: 1_000 };
    let mut run = false;
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "run" => run = reader.parse(value).unwrap_or(false),
            "memory_size" => stress.size_kb = reader.positive(value, key, STRESS_MAX) as u32,
            "memory_io" => stress.operations = reader.whole(value, key, STRESS_MAX) as u32,
            other => reader.unknown_key(other, value, ["run", "memory_size", "memory_io"]),
        }
    }
    run.then_some(stress)
}

fn read_disk_stress(reader: &mut Reader<'_>, raw: &RawValue) -> Option<DiskStress> {
    const KEYS: [&str; 4] = ["run", "tmp_file_name", "disk_write_block_count", "disk_write_block_size"];
    let mut stress = DiskStress { blocks: 1_000, block_bytes: 1_024 };
    let mut run = false;
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "run" => run = reader.parse(value).unwrap_or(false),
            "tmp_file_name" => {}
            "disk_write_block_count" => stress.blocks = reader.whole(value, key, STRESS_MAX) as u32,
            "disk_write_block_size" => stress.block_bytes = reader.positive(value, key, STRESS_MAX) as u32,
            other => reader.unknown_key(other, value, KEYS),
        }
    }
    run.then_some(stress)
}

/// `compute_pi`: `range_complexity` [50, 100] digits, and a body of one repeated character.
pub(super) fn read_compute_pi(reader: &mut Reader<'_>, raw: &RawValue) -> InternalService {
    let mut stress = CpuStress { complexity: [50, 100], thread_pool_size: 1, trials: 1 };
    let mut mean_body_kb = 10.0;
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "range_complexity" => stress.complexity = read_range(reader, value),
            "mean_response_size" | "mean_bandwidth" => {
                mean_body_kb = reader.not_negative(value, key, BODY_KB_MAX);
            }
            "function_id" => {}
            other => reader.unknown_key(other, value, ["range_complexity", "mean_response_size"]),
        }
    }
    InternalService {
        cpu_stress: Some(stress),
        mean_body_kb,
        body: BodyKind::Constant,
        ..InternalService::idle()
    }
}
