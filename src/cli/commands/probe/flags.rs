//! The kinds' table of flags → subcommands of `watchdog probe` → the tree of options that a file would yield.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, Subcommand};

use crate::base::failure::{Failure, Kind as Failed};
use crate::base::term_safe::term_safe;
use crate::collect::kind::{Flag, Form, Kind, Operand};
use crate::collect::kinds::KINDS;
use crate::config::yaml::{self, Entry, Node, Span, Value};

/// One subcommand with what was written behind it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The kind's name.
    pub kind: &'static str,
    given: Vec<(Flag, Vec<String>)>,
    set: Vec<String>,
}

/// Kinds that can be probed from the command line.
fn probed() -> impl Iterator<Item = (&'static Kind, Operand)> {
    KINDS.iter().filter_map(|kind| Some((kind, kind.operand?)))
}

fn flags(kind: &'static Kind) -> impl Iterator<Item = Flag> {
    kind.flags.iter().copied().flatten().copied()
}

/// The operand, as if it were a flag.
fn operand(operand: Operand) -> Option<Flag> {
    match operand {
        Operand::Nothing => None,
        Operand::One { path, name, help } => Some(Flag::new("", path, Form::One(name), help)),
        Operand::Rest { path, name, help } => Some(Flag::new("", path, Form::Many(name), help)),
    }
}

impl Subcommand for Target {
    fn augment_subcommands(command: Command) -> Command {
        let command = command.subcommand_required(true).arg_required_else_help(true);
        probed().fold(command, |command, (kind, operand)| command.subcommand(subcommand(kind, operand)))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        probed().any(|(kind, _)| kind.name == name)
    }
}

fn subcommand(kind: &'static Kind, operand: Operand) -> Command {
    let mut command = Command::new(kind.name).about(kind.about.trim_end_matches('.'));
    match operand {
        Operand::Nothing => {}
        Operand::One { name, help, .. } => {
            command = command.arg(Arg::new("operand").value_name(name).help(help.trim_end_matches('.')).required(true));
        }
        Operand::Rest { name, help, .. } => {
            let arg = Arg::new("operand").value_name(name).help(help.trim_end_matches('.')).required(true);
            command = command.arg(arg.num_args(1..).trailing_var_arg(true).allow_hyphen_values(true));
        }
    }
    let set = Arg::new("set").long("set").value_name("OPTION=YAML").action(ArgAction::Append);
    command.args(flags(kind).map(arg)).arg(
        set.help("Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them"),
    )
}

fn arg(flag: Flag) -> Arg {
    let mut arg = Arg::new(flag.name).long(flag.name).help(flag.help.trim_end_matches('.'));
    if let Some(other) = flag.needs {
        arg = arg.requires(other);
    }
    match flag.form {
        Form::Switch(_) => arg.action(ArgAction::SetTrue),
        Form::One(name) | Form::Path(name) => arg.value_name(name),
        Form::Many(name) | Form::Pairs(_, name) => arg.value_name(name).action(ArgAction::Append),
        Form::List(name) => arg.value_name(name).action(ArgAction::Append).value_delimiter(','),
    }
}

impl FromArgMatches for Target {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let found = matches.subcommand().and_then(|(name, own)| Some((probed().find(|(k, _)| k.name == name)?, own)));
        let Some(((kind, first), own)) = found else {
            return Err(clap::Error::raw(ErrorKind::MissingSubcommand, "a kind of monitor is missing"));
        };
        let texts = |id: &str| own.get_many::<String>(id).into_iter().flatten().cloned().collect::<Vec<_>>();
        let mut given = Vec::new();
        if let Some(flag) = operand(first) {
            given.push((flag, texts("operand")));
        }
        for flag in flags(kind) {
            let values = match flag.form {
                Form::Switch(value) if own.get_flag(flag.name) => vec![value.to_owned()],
                Form::Switch(_) => Vec::new(),
                Form::One(_) | Form::Path(_) | Form::Many(_) | Form::List(_) | Form::Pairs(..) => texts(flag.name),
            };
            given.push((flag, values));
        }
        Ok(Self { kind: kind.name, given, set: texts("set") })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Target {
    /// The tree that a file would yield.
    ///
    /// # Errors
    /// A pair lacks its separator, or a value of `--set` is not YAML.
    pub fn options(&self) -> Result<Node, Failure> {
        let mut tree = Vec::new();
        for (flag, values) in self.given.iter().filter(|(_, values)| !values.is_empty()) {
            let levels: Vec<&str> = flag.path.split('.').collect();
            match flag.form {
                Form::Switch(_) | Form::One(_) => put(&mut tree, &levels, text(&values[0])),
                Form::Path(_) => put(&mut tree, &levels, text(&absolute(&values[0]))),
                Form::Many(_) | Form::List(_) => {
                    let items = values.iter().map(|t| node(text(t))).collect();
                    put(&mut tree, &levels, Value::Seq(items));
                }
                Form::Pairs(between, shape) => {
                    for pair in values {
                        let Some((name, value)) = pair.split_once(between) else {
                            let message = format!("`{}` has no `{between}`", term_safe(pair));
                            let hint = format!("write `--{} '{shape}'`", flag.name);
                            return Err(Failure::text(Failed::Usage, message).hint(hint));
                        };
                        let at: Vec<&str> = levels.iter().map(|l| if *l == "*" { name.trim() } else { l }).collect();
                        // Without quotes, so that `5` may be a number of JSON.
                        put(&mut tree, &at, Value::Scalar { text: value.trim().to_owned(), plain: true });
                    }
                }
            }
        }
        for given in &self.set {
            let (path, value) = setting(given)?;
            put(&mut tree, &path.split('.').collect::<Vec<_>>(), value);
        }
        Ok(node(Value::Map(tree)))
    }
}

/// `OPTION=YAML`.
fn setting(given: &str) -> Result<(&str, Value), Failure> {
    let wrong = |why: String| Failure::text(Failed::Usage, why).hint("write e.g. `--set 'expect.status=[200]'`");
    let Some((path, value)) = given.split_once('=') else {
        return Err(wrong(format!("`{}` has no `=`", term_safe(given))));
    };
    let (root, errors) = yaml::parse(value);
    match (errors.first(), root) {
        (Some(error), _) => Err(wrong(format!("`{}` is not YAML: {}", term_safe(value), error.kind))),
        (None, Some(root)) => Ok((path, root.value)),
        (None, None) => Ok((path, text(""))),
    }
}

/// Puts a value where `levels` lead; a mapping takes the place of a plain value that stands in the way.
fn put(tree: &mut Vec<Entry>, levels: &[&str], value: Value) {
    let Some((first, rest)) = levels.split_first() else { return };
    let at = tree.iter().position(|e| e.key == *first).unwrap_or_else(|| {
        let span = Span::default();
        tree.push(Entry { key: (*first).to_owned(), key_span: span, value: node(text("")), merged: false });
        tree.len() - 1
    });
    let own = &mut tree[at].value.value;
    if rest.is_empty() {
        *own = value;
        return;
    }
    if !matches!(own, Value::Map(_)) {
        *own = Value::Map(Vec::new());
    }
    if let Value::Map(inner) = own {
        put(inner, rest, value);
    }
}

fn node(value: Value) -> Node {
    Node { value, span: Span::default() }
}

/// Quoted, so that nothing a person types is taken for "no value".
fn text(text: &str) -> Value {
    Value::Scalar { text: text.to_owned(), plain: false }
}

/// Files need absolute paths; a shell's user means the directory where the shell is.
fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |p| p.to_string_lossy().into_owned())
}
