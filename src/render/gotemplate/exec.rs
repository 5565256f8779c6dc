//! Tree → text, within a budget of steps, bytes and depth.

use std::ops::Range;
use std::rc::Rc;

use crate::render::gotemplate::funcs::{self, Func, Refusal};
use crate::render::gotemplate::tree::{Branch, Command, Node, Operand, OperandKind, Pipe, Tree};
use crate::render::gotemplate::value::Value;
use crate::render::gotemplate::{Ask, MAX_OUTPUT, MAX_STEPS, Scope};

/// Deepest call of templates by templates.
const MAX_CALLS: usize = 50;
/// So many elements of a list cost a step before the first is looked at.
const LISTED: usize = 32;
/// So many bytes of text that a function is given cost a step.
const READ: usize = 256;
/// Go shows so many bytes of what it could not evaluate.
const CONTEXT: usize = 20;

/// The text, or Go's message.
pub(super) fn run(tree: &Tree, text: &str, scope: &Scope<'_>, ask: &mut dyn Ask) -> Result<String, String> {
    let mut machine = Machine {
        tree,
        text,
        scope,
        ask,
        out: String::new(),
        steps: MAX_STEPS,
        variables: vec![("$", Value::Data)],
        running: scope.name.to_owned(),
        calls: 0,
    };
    machine.nodes(&tree.root, &Value::Data)?;
    Ok(machine.out)
}

enum Flow {
    On,
    Break,
    Continue,
}

struct Machine<'a> {
    tree: &'a Tree,
    text: &'a str,
    scope: &'a Scope<'a>,
    ask: &'a mut dyn Ask,
    out: String,
    steps: u32,
    variables: Vec<(&'a str, Value)>,
    /// Name of the template at work.
    running: String,
    calls: usize,
}

type Done<T> = Result<T, String>;

impl<'a> Machine<'a> {
    /// A message with its place, in Go's form.
    fn error<T>(&self, span: &Range<usize>, message: &str) -> Done<T> {
        let before = &self.text[..span.start];
        let line = 1 + before.matches('\n').count();
        let column = span.start - before.rfind('\n').map_or(0, |i| i + 1);
        let mut context = self.text[span.clone()].to_owned();
        if context.len() > CONTEXT {
            context.truncate(context.floor_char_boundary(CONTEXT));
            context.push_str("...");
        }
        let name = self.scope.name;
        Err(format!("template: {name}:{line}:{column}: executing {:?} at <{context}>: {message}", self.running))
    }

    fn step(&mut self, span: &Range<usize>) -> Done<()> {
        self.charge(1, span)
    }

    fn charge(&mut self, steps: usize, span: &Range<usize>) -> Done<()> {
        match self.steps.checked_sub(u32::try_from(steps).unwrap_or(u32::MAX)) {
            Some(left) => self.steps = left,
            None => return self.error(span, "the template takes too many steps"),
        }
        Ok(())
    }

    fn write(&mut self, text: &str, span: &Range<usize>) -> Done<()> {
        if self.out.len() + text.len() > MAX_OUTPUT {
            return self.error(span, "the text is too long");
        }
        self.out.push_str(text);
        Ok(())
    }

    fn nodes(&mut self, nodes: &'a [Node], dot: &Value) -> Done<Flow> {
        for node in nodes {
            match node {
                Node::Text(text) => self.write(text, &(0..0))?,
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.write(&value.show(), &pipe.span)?;
                    }
                }
                Node::If(branch) | Node::With(branch) => {
                    let mark = self.variables.len();
                    let value = self.pipe(&branch.pipe, dot)?;
                    let with = matches!(node, Node::With(_));
                    let flow = match value.truth() {
                        true if with => self.nodes(&branch.then, &value)?,
                        true => self.nodes(&branch.then, dot)?,
                        false => self.nodes(&branch.otherwise, dot)?,
                    };
                    self.variables.truncate(mark);
                    if !matches!(flow, Flow::On) {
                        return Ok(flow);
                    }
                }
                Node::Range(branch) => {
                    let mark = self.variables.len();
                    let flow = self.range(branch, dot)?;
                    self.variables.truncate(mark);
                    if !matches!(flow, Flow::On) {
                        return Ok(flow);
                    }
                }
                Node::Template { at, name, pipe } => self.call_template(*at, name, pipe.as_ref(), dot)?,
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::On)
    }

    fn range(&mut self, branch: &'a Branch, dot: &Value) -> Done<Flow> {
        let value = self.plain_pipe(&branch.pipe, dot)?;
        let items: Vec<(Value, Value)> = match &value {
            Value::Samples(samples) => {
                samples.iter().zip(0..).map(|(s, i)| (Value::Int(i), Value::Sample(Rc::clone(s)))).collect()
            }
            Value::Labels(labels) => labels.iter().map(|(k, v)| (Value::text(k), Value::text(v))).collect(),
            Value::Map(map) => map.iter().map(|(k, v)| (Value::text(k), v.clone())).collect(),
            Value::Int(n) => (0..(*n).min(i64::from(MAX_STEPS))).map(|i| (Value::Int(i), Value::Int(i))).collect(),
            Value::Nil => Vec::new(),
            other => {
                let message = format!("range can't iterate over {}", other.show());
                return self.error(&branch.pipe.span, &message);
            }
        };
        if items.is_empty() {
            return self.nodes(&branch.otherwise, dot);
        }
        // The list was made, however early the loop is left.
        self.charge(items.len() / LISTED, &branch.pipe.span)?;
        for (key, item) in items {
            self.step(&branch.pipe.span)?;
            let mark = self.variables.len();
            match branch.pipe.variables.as_slice() {
                [] => {}
                names if branch.pipe.assigns => {
                    let values = if names.len() == 1 { vec![item.clone()] } else { vec![key, item.clone()] };
                    names.iter().zip(values).for_each(|(name, value)| self.assign(name, value));
                }
                [one] => self.variables.push((one, item.clone())),
                [first, second, ..] => {
                    self.variables.push((first, key));
                    self.variables.push((second, item.clone()));
                }
            }
            let flow = self.nodes(&branch.then, &item)?;
            self.variables.truncate(mark);
            if let Flow::Break = flow {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn call_template(&mut self, at: usize, name: &'a str, pipe: Option<&'a Pipe>, dot: &Value) -> Done<()> {
        let span = at..at;
        let Some(nodes) = self.tree.defined.get(name) else {
            return self.error(&span, &format!("template {name:?} not defined"));
        };
        if self.calls >= MAX_CALLS {
            return self.error(&span, &format!("exceeded maximum template depth ({MAX_CALLS})"));
        }
        let data = match pipe {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => Value::Nil,
        };
        let outside = std::mem::replace(&mut self.variables, vec![("$", data.clone())]);
        let caller = std::mem::replace(&mut self.running, name.to_owned());
        self.calls += 1;
        self.nodes(nodes, &data)?;
        self.calls -= 1;
        (self.variables, self.running) = (outside, caller);
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Value) {
        if let Some(variable) = self.variables.iter_mut().rev().find(|(n, _)| *n == name) {
            variable.1 = value;
        }
    }

    fn pipe(&mut self, pipe: &'a Pipe, dot: &Value) -> Done<Value> {
        let value = self.plain_pipe(pipe, dot)?;
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value.clone());
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    /// Without its declarations.
    fn plain_pipe(&mut self, pipe: &'a Pipe, dot: &Value) -> Done<Value> {
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, dot, last)?);
        }
        Ok(last.unwrap_or(Value::Nil))
    }

    fn command(&mut self, command: &'a Command, dot: &Value, last: Option<Value>) -> Done<Value> {
        self.step(&command.span)?;
        let Some((first, args)) = command.args.split_first() else { return Ok(Value::Nil) };
        if let OperandKind::Function(func) = &first.kind {
            return self.call(*func, command, args, dot, last);
        }
        let given = !args.is_empty() || last.is_some();
        if given {
            let message = match &first.kind {
                OperandKind::Fields(f) => format!("{} has arguments but cannot be invoked as function", f.join(".")),
                _ => format!("can't give argument to non-function {}", &self.text[first.span.clone()]),
            };
            return self.error(&first.span, &message);
        }
        if let OperandKind::Nil = first.kind {
            return self.error(&first.span, "nil is not a command");
        }
        self.operand(first, dot)
    }

    fn call(
        &mut self,
        func: Func,
        command: &'a Command,
        args: &'a [Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Done<Value> {
        if let Some(message) = func.wrong_count(args.len() + usize::from(last.is_some())) {
            return self.error(&command.span, &message);
        }
        if func.is_lazy() {
            let decides = func.name == "or";
            let mut value = Value::Nil;
            for arg in args {
                value = self.operand(arg, dot)?;
                if value.truth() == decides {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut values = Vec::with_capacity(args.len() + 1);
        for arg in args {
            values.push(self.operand(arg, dot)?);
        }
        values.extend(last);
        let read: usize = values.iter().map(|v| if let Value::Text(text) = v { text.len() } else { 0 }).sum();
        self.charge(func.cost() + read / READ, &command.span)?;
        match funcs::call(func, &values, self.scope, self.ask) {
            // A text that doubles with every step of a loop would soon fill all memory.
            Ok(Value::Text(text)) if text.len() > MAX_OUTPUT => self.error(&command.span, "the text is too long"),
            Ok(value) => Ok(value),
            Err(Refusal::Type(message)) => self.error(&command.span, &message),
            Err(Refusal::Call(message)) => {
                self.error(&command.span, &format!("error calling {}: {message}", func.name))
            }
        }
    }

    fn operand(&mut self, operand: &'a Operand, dot: &Value) -> Done<Value> {
        self.step(&operand.span)?;
        match &operand.kind {
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Nil => Ok(Value::Nil),
            OperandKind::Bool(b) => Ok(Value::Bool(*b)),
            OperandKind::Int(n) => Ok(Value::Int(*n)),
            OperandKind::Float(v) => Ok(Value::Float(*v)),
            OperandKind::Text(text) => Ok(Value::text(text)),
            OperandKind::Fields(names) => self.fields(dot.clone(), names, &operand.span),
            OperandKind::Variable(name, names) => {
                let value = self.variables.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone());
                self.fields(value.unwrap_or(Value::Nil), names, &operand.span)
            }
            OperandKind::Function(func) => match func.wrong_count(0) {
                Some(message) => self.error(&operand.span, &message),
                None => match funcs::call(*func, &[], self.scope, self.ask) {
                    Ok(value) => Ok(value),
                    Err(Refusal::Type(m) | Refusal::Call(m)) => self.error(&operand.span, &m),
                },
            },
            OperandKind::Chain(inner, names) => {
                let value = self.operand(inner, dot)?;
                self.fields(value, names, &operand.span)
            }
            OperandKind::Pipe(pipe) => self.pipe(pipe, dot),
        }
    }

    fn fields(&mut self, value: Value, names: &[String], span: &Range<usize>) -> Done<Value> {
        let mut value = value;
        for name in names {
            value = match funcs::field(&value, name, self.scope) {
                Ok(value) => value,
                Err(message) => return self.error(span, &message),
            };
        }
        Ok(value)
    }
}
