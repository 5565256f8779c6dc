//! Texts made from templates: bounded in work and size, and never a reason for a message not to leave.

pub mod gotemplate;
