mod cpu_accounting;
mod distance;
mod figures;
mod hops;
mod measured;
mod tolerance;
