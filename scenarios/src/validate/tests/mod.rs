mod cpu_accounting;
mod distance;
mod measured;
