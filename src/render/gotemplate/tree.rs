//! A template as a tree. Every node knows the byte where it stands.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::render::gotemplate::funcs::Func;

/// A whole template with those it defines.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) root: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
}

/// A piece of a template.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { at: usize, name: String, pipe: Option<Pipe> },
    Break,
    Continue,
}

/// What `if`, `with` and `range` have in common.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// `$x := a | b`.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) span: Range<usize>,
    /// Variables that get the value, `$` included.
    pub(super) variables: Vec<String>,
    /// `=`, not `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

/// A function with its arguments, or a value alone.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) span: Range<usize>,
    pub(super) args: Vec<Operand>,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub(super) span: Range<usize>,
    pub(super) kind: OperandKind,
}

#[derive(Debug)]
pub(super) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// `.a.b`
    Fields(Vec<String>),
    /// `$x.a`
    Variable(String, Vec<String>),
    Function(Func),
    /// `(…).a`
    Chain(Box<Operand>, Vec<String>),
    Pipe(Box<Pipe>),
}
