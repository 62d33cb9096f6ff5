//! Laws, self times, search and text.
