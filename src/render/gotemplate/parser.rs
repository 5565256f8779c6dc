//! Tokens → tree. Names of functions and variables are checked here, as Go does, so that a template that was read can
//! fail on its data only.

use std::ops::Range;

use crate::render::gotemplate::Dialect;
use crate::render::gotemplate::funcs::Func;
use crate::render::gotemplate::lexer::{Fault, Kind, Token, fault, tokens};
use crate::render::gotemplate::tree::{Branch, Command, Node, Operand, OperandKind, Pipe, Tree};

/// Deepest nesting of blocks and parentheses.
const MAX_DEPTH: usize = 64;

pub(super) fn parse(text: &str, dialect: Dialect) -> Result<Tree, Fault> {
    let mut parser = Parser {
        text,
        tokens: tokens(text)?,
        next: 0,
        dialect,
        variables: vec!["$".to_owned()],
        loops: 0,
        depth: 0,
        tree: Tree::default(),
    };
    let (root, end) = parser.block(true)?;
    match end {
        Stop::Text => {
            parser.tree.root = root;
            Ok(parser.tree)
        }
        Stop::End(at) => fault(at, "unexpected {{end}}"),
        Stop::Else(at) => fault(at, "unexpected {{else}}"),
    }
}

/// What ended a list of nodes; for actions, where the word stands.
enum Stop {
    Text,
    End(usize),
    Else(usize),
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    dialect: Dialect,
    /// Names in scope, innermost last.
    variables: Vec<String>,
    loops: usize,
    depth: usize,
    tree: Tree,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token {
        // The last token is the end, which nothing steps over.
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn word(&self, token: &Token) -> &'a str {
        &self.text[token.span.clone()]
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Result<T, Fault> {
        let what = match token.kind {
            Kind::End => return fault(token.span.start, "unexpected EOF"),
            Kind::Right => format!("{:?}", self.word(token)),
            Kind::Word if is_keyword(self.word(token)) => format!("<{}>", self.word(token)),
            _ => format!("{:?}", self.word(token)),
        };
        fault(token.span.start, format!("unexpected {what} in {context}"))
    }

    fn expect(&mut self, kind: &Kind, context: &str) -> Result<Token, Fault> {
        let token = self.take();
        if token.kind == *kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    fn deeper<T>(&mut self, at: usize, inner: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            return fault(at, "max expression depth exceeded");
        }
        self.depth += 1;
        let done = inner(self);
        self.depth -= 1;
        done
    }

    /// Nodes up to `{{end}}`, `{{else}}` or the end of the text. After `else`, its word is read and no more.
    fn block(&mut self, top: bool) -> Result<(Vec<Node>, Stop), Fault> {
        let mut nodes = Vec::new();
        loop {
            let token = self.take();
            match token.kind {
                Kind::End if top => return Ok((nodes, Stop::Text)),
                Kind::End => return fault(token.span.start, "unexpected EOF"),
                Kind::Text => nodes.push(Node::Text(self.word(&token).to_owned())),
                _ => {
                    let first = self.peek().clone();
                    let keyword = if first.kind == Kind::Word { self.word(&first) } else { "" };
                    let at = first.span.start;
                    if is_keyword(keyword) {
                        self.next += 1;
                    }
                    match keyword {
                        "end" => {
                            self.expect(&Kind::Right, "end")?;
                            return Ok((nodes, Stop::End(at)));
                        }
                        "else" => return Ok((nodes, Stop::Else(at))),
                        "if" => nodes.push(Node::If(self.branch("if", at)?)),
                        "with" => nodes.push(Node::With(self.branch("with", at)?)),
                        "range" => nodes.push(Node::Range(self.branch("range", at)?)),
                        "template" => nodes.push(self.template(at)?),
                        "define" if top => self.define(at)?,
                        "block" => nodes.push(self.block_action(at)?),
                        "break" | "continue" => {
                            self.expect(&Kind::Right, &format!("{{{{{keyword}}}}}"))?;
                            if self.loops == 0 {
                                return fault(at, format!("{{{{{keyword}}}}} outside {{{{range}}}}"));
                            }
                            nodes.push(if keyword == "break" { Node::Break } else { Node::Continue });
                        }
                        "define" => return fault(at, "unexpected {{define}}"),
                        _ => {
                            let pipe = self.pipe("command", &Kind::Right)?;
                            nodes.push(Node::Action(pipe));
                        }
                    }
                }
            }
        }
    }

    fn branch(&mut self, word: &'static str, at: usize) -> Result<Branch, Fault> {
        self.deeper(at, |p| {
            let mark = p.variables.len();
            let pipe = p.pipe(word, &Kind::Right)?;
            p.loops += usize::from(word == "range");
            let (then, stop) = p.block(false)?;
            p.loops -= usize::from(word == "range");
            let otherwise = match stop {
                Stop::Else(else_at) => p.otherwise(word, else_at)?,
                Stop::End(_) | Stop::Text => Vec::new(),
            };
            p.variables.truncate(mark);
            Ok(Branch { pipe, then, otherwise })
        })
    }

    /// What follows the word `else`: a list to its `end`, or another branch that shares it.
    fn otherwise(&mut self, word: &'static str, else_at: usize) -> Result<Vec<Node>, Fault> {
        let next = self.peek().clone();
        if next.kind == Kind::Word && self.word(&next) == word && word != "range" {
            self.next += 1;
            let branch = self.branch(word, next.span.start)?;
            return Ok(vec![if word == "if" { Node::If(branch) } else { Node::With(branch) }]);
        }
        self.expect(&Kind::Right, "else")?;
        match self.block(false)? {
            (nodes, Stop::End(_) | Stop::Text) => Ok(nodes),
            (_, Stop::Else(at)) => fault(at.max(else_at), "expected end; found {{else}}"),
        }
    }

    fn name(&mut self, context: &str) -> Result<String, Fault> {
        let token = self.take();
        match token.kind {
            Kind::Text2(name) => Ok(name),
            _ => self.unexpected(&token, context),
        }
    }

    fn template(&mut self, at: usize) -> Result<Node, Fault> {
        let name = self.name("template clause")?;
        let pipe = if self.peek().kind == Kind::Right {
            self.next += 1;
            None
        } else {
            Some(self.pipe("template clause", &Kind::Right)?)
        };
        Ok(Node::Template { at, name, pipe })
    }

    /// A definition has variables of its own.
    fn define(&mut self, at: usize) -> Result<(), Fault> {
        let name = self.name("define clause")?;
        self.expect(&Kind::Right, "define clause")?;
        let nodes = self.body(at, "unexpected {{else}} in define clause")?;
        self.tree.defined.insert(name, nodes);
        Ok(())
    }

    fn body(&mut self, at: usize, on_else: &str) -> Result<Vec<Node>, Fault> {
        let outside = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let loops = std::mem::take(&mut self.loops);
        let (nodes, stop) = self.deeper(at, |p| p.block(false))?;
        (self.variables, self.loops) = (outside, loops);
        if let Stop::Else(at) = stop {
            return fault(at, on_else);
        }
        Ok(nodes)
    }

    fn block_action(&mut self, at: usize) -> Result<Node, Fault> {
        let name = self.name("block clause")?;
        let pipe = self.pipe("block clause", &Kind::Right)?;
        let nodes = self.body(at, "unexpected {{else}} in block clause")?;
        self.tree.defined.insert(name.clone(), nodes);
        Ok(Node::Template { at, name, pipe: Some(pipe) })
    }

    /// A pipeline and what ends it.
    fn pipe(&mut self, context: &str, end: &Kind) -> Result<Pipe, Fault> {
        let start = self.peek().span.start;
        let mut pipe = Pipe { span: start..start, variables: Vec::new(), assigns: false, commands: Vec::new() };
        self.declarations(context, &mut pipe)?;
        loop {
            let token = self.peek().clone();
            if token.kind == *end {
                self.next += 1;
                if pipe.commands.is_empty() {
                    return fault(token.span.start, format!("missing value for {context}"));
                }
                for command in pipe.commands.iter().skip(1) {
                    if let Some(first) = command.args.first()
                        && matches!(
                            first.kind,
                            OperandKind::Bool(_)
                                | OperandKind::Dot
                                | OperandKind::Nil
                                | OperandKind::Int(_)
                                | OperandKind::Float(_)
                                | OperandKind::Text(_)
                        )
                    {
                        return fault(first.span.start, "non executable command in pipeline stage 2");
                    }
                }
                pipe.span.end = self.tokens[self.next.saturating_sub(2)].span.end.max(start);
                return Ok(pipe);
            }
            if matches!(token.kind, Kind::Right | Kind::Close | Kind::End | Kind::Pipe | Kind::Comma) {
                return self.unexpected(&token, context);
            }
            let command = self.command(end)?;
            pipe.commands.push(command);
        }
    }

    /// `$x :=`, `$x =`, and for `range` `$i, $x :=`.
    fn declarations(&mut self, context: &str, pipe: &mut Pipe) -> Result<(), Fault> {
        let mut ahead = self.next;
        let mut names = Vec::new();
        let kind = |parser: &Self, at: usize| parser.tokens.get(at).map_or(Kind::End, |t| t.kind.clone());
        while kind(self, ahead) == Kind::Variable {
            names.push(self.word(&self.tokens[ahead]).to_owned());
            ahead += 1;
            match kind(self, ahead) {
                Kind::Declare => {
                    if names.len() > 1 && context != "range" {
                        return fault(self.tokens[ahead].span.start, format!("too many declarations in {context}"));
                    }
                    self.next = ahead + 1;
                    self.variables.extend(names.iter().cloned());
                    pipe.variables = names;
                    return Ok(());
                }
                Kind::Assign => {
                    for name in &names {
                        self.known(name, self.tokens[ahead].span.start)?;
                    }
                    self.next = ahead + 1;
                    (pipe.variables, pipe.assigns) = (names, true);
                    return Ok(());
                }
                Kind::Comma if context == "range" && names.len() < 2 => ahead += 1,
                Kind::Comma if context == "range" => {
                    return fault(self.tokens[ahead].span.start, "too many declarations in range");
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn known(&self, variable: &str, at: usize) -> Result<(), Fault> {
        if self.variables.iter().any(|v| v == variable) {
            return Ok(());
        }
        fault(at, format!("undefined variable {variable:?}"))
    }

    fn command(&mut self, end: &Kind) -> Result<Command, Fault> {
        let start = self.peek().span.start;
        let mut args: Vec<Operand> = Vec::new();
        loop {
            let token = self.peek().clone();
            if token.kind == *end || matches!(token.kind, Kind::Right | Kind::Close) {
                break;
            }
            if token.kind == Kind::Pipe {
                // Go takes a pipe with nothing behind it.
                self.next += 1;
                break;
            }
            if !args.is_empty() && !token.spaced {
                return self.unexpected(&token, "operand");
            }
            args.push(self.operand()?);
        }
        if args.is_empty() {
            return fault(start, "empty command");
        }
        let stop = args.last().map_or(start, |a| a.span.end);
        Ok(Command { span: start..stop, args })
    }

    fn operand(&mut self) -> Result<Operand, Fault> {
        let token = self.take();
        let mut span = token.span.clone();
        let word = self.word(&token);
        let kind = match token.kind {
            Kind::Dot => OperandKind::Dot,
            Kind::Field => {
                let mut fields = vec![word[1..].to_owned()];
                self.fields(&mut fields, &mut span);
                return Ok(Operand { span, kind: OperandKind::Fields(fields) });
            }
            Kind::Variable => {
                self.known(word, span.start)?;
                let mut fields = Vec::new();
                self.fields(&mut fields, &mut span);
                return Ok(Operand { span, kind: OperandKind::Variable(word.to_owned(), fields) });
            }
            Kind::Number => number(word, span.start)?,
            Kind::Char(c) => OperandKind::Int(i64::from(u32::from(c))),
            Kind::Text2(text) => OperandKind::Text(text),
            Kind::Word => match word {
                "true" | "false" => OperandKind::Bool(word == "true"),
                "nil" => OperandKind::Nil,
                _ if is_keyword(word) => return self.unexpected(&token, "operand"),
                _ => match Func::named(word, self.dialect) {
                    Some(func) => OperandKind::Function(func),
                    None => return fault(span.start, format!("function {word:?} not defined")),
                },
            },
            Kind::Open => {
                let pipe = self.deeper(span.start, |p| p.pipe("parenthesized pipeline", &Kind::Close))?;
                span.end = self.tokens[self.next.saturating_sub(1)].span.end;
                OperandKind::Pipe(Box::new(pipe))
            }
            _ => return self.unexpected(&token, "operand"),
        };
        let mut fields = Vec::new();
        let inner = span.clone();
        self.fields(&mut fields, &mut span);
        if fields.is_empty() {
            return Ok(Operand { span, kind });
        }
        if matches!(
            kind,
            OperandKind::Bool(_)
                | OperandKind::Int(_)
                | OperandKind::Float(_)
                | OperandKind::Text(_)
                | OperandKind::Nil
                | OperandKind::Dot
        ) {
            return fault(inner.end, format!("unexpected . after term {:?}", &self.text[inner]));
        }
        Ok(Operand { span, kind: OperandKind::Chain(Box::new(Operand { span: inner, kind }), fields) })
    }

    /// `.a.b` right behind an operand.
    fn fields(&mut self, fields: &mut Vec<String>, span: &mut Range<usize>) {
        while self.peek().kind == Kind::Field && !self.peek().spaced {
            let token = self.take();
            fields.push(self.word(&token)[1..].to_owned());
            span.end = token.span.end;
        }
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "if" | "else" | "end" | "range" | "with" | "template" | "define" | "block" | "break" | "continue")
}

fn number(text: &str, at: usize) -> Result<OperandKind, Fault> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let lower = digits.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(p, r)| Some((lower.strip_prefix(p)?, r)));
    let whole = match radix {
        Some((digits, radix)) => i64::from_str_radix(digits, radix).ok(),
        None if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit()) => {
            i64::from_str_radix(&lower, 8).ok()
        }
        None => lower.parse::<i64>().ok(),
    };
    if let Some(whole) = whole {
        return Ok(OperandKind::Int(sign * whole));
    }
    match lower.parse::<f64>() {
        Ok(value) if value.is_finite() && !lower.contains(['n', 'i']) => {
            Ok(OperandKind::Float(f64::from(i8::try_from(sign).unwrap_or(1)) * value))
        }
        _ => fault(at, format!("bad number syntax: {text:?}")),
    }
}
