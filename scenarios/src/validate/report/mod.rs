//! What a validation leaves behind: result files, and a page of Markdown (that of HTML is `crate::report`'s).

mod files;
mod markdown;
mod svg;
pub mod texts;

pub use files::{MarkdownPage, write_one, write_suite};
pub use markdown::table;
