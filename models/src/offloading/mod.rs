//! The offloading controller of the authors of FLUIDOS-MESH, and the strategies that it may ask.
//!
//! # Models
//! The Geographical Microservice Autoplacer: when it acts (`controller`), what it asks Prometheus (`queries`), what it
//! believes of an edge (`analytic_model`, `belief`), and what its strategies answer (`policy`). What it is told is in
//! `settings`; `cluster/control/offloading` lets it look and act.
//!
//! # Source
//! mSvcBench/muPlacer at its commit of 9 July 2025, and the paper (DOI 10.36227/techrxiv.173626716.63354758/v1); the
//! rules are written from their description, and held by answers of the original.

pub mod analytic_model;
pub mod belief;
pub mod controller;
pub mod policy;
pub mod queries;
pub mod settings;
