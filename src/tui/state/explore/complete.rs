//! What the parser says about the text being written, and what could come next.
