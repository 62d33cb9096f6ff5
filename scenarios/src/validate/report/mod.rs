//! What a validation leaves behind: result files, a page with figures, a page of Markdown.

mod files;
mod markdown;
mod page;
mod svg;
pub mod texts;

pub use files::{MarkdownPage, write_one, write_suite};
pub use markdown::table;
