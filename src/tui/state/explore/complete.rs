//! What the parser says about the text being written, and what could come next.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use crate::promql::ast::{Expr, Type};
use crate::promql::complete::{Ask, Completion, WordKind, complete};
use crate::promql::lexer::quote;
use crate::promql::parser::{Features, parse};
use crate::tui::action::Request;
use crate::tui::state::explore::Explore;
use crate::tui::state::explore::catalog::metrics_of;
use crate::tui::state::filter::contains;

pub(crate) use crate::promql::parser::Problem;

/// Items of one list that are offered; typing on narrows them down.
const ITEMS: usize = 200;
/// Lists of names kept.
const LISTS: usize = 64;
/// A list is asked for again after this: series come and go.
const FRESH: Duration = Duration::from_secs(60);
/// Names of one list that are asked for.
pub(crate) const NAMES: usize = 10_000;

/// What is wrong with a query that is to be drawn, and which metrics it reads, when it names them all. Nothing
/// about a blank one.
pub(crate) fn read(text: &str) -> (Option<Problem>, Option<Vec<String>>) {
    if text.trim().is_empty() {
        return (None, None);
    }
    // What is experimental is left to the server, which knows its settings.
    let parsed = parse(text, Features::all());
    if let Some(problem) = parsed.problems.into_iter().next() {
        return (Some(problem), None);
    }
    parsed.expr.map_or((None, None), |expr| (undrawable(&expr), metrics_of(&expr)))
}

/// Why the value of a query is nothing to draw.
fn undrawable(expr: &Expr) -> Option<Problem> {
    let (message, hint) = match expr.ty() {
        Type::Scalar | Type::Vector => return None,
        Type::Matrix => (
            "a range of samples is no line to draw",
            "a function makes one of it: `rate(…[5m])`, `avg_over_time(…[5m])`",
        ),
        Type::String => ("a text is no line to draw", "write an expression that is a number"),
    };
    Some(Problem {
        at: expr.span.start,
        span: expr.span.clone(),
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    })
}

/// A list of names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NamesOf {
    /// Of metrics.
    Metrics,
    /// Of labels, of the series that a selector accepts.
    Labels(Option<String>),
    /// Values of a label, of the series that a selector accepts.
    Values(String, Option<String>),
}

#[derive(Clone, Debug, Default)]
struct List {
    names: Vec<String>,
    /// When it was asked for, on the steady clock.
    asked: Duration,
    waiting: bool,
}

/// Names asked from the server, as completion needed them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    lists: HashMap<NamesOf, List>,
    wanted: Option<NamesOf>,
}

impl Names {
    /// Takes in a list; nothing instead of one when it was refused.
    pub(crate) fn take(&mut self, of: &NamesOf, names: Option<Vec<String>>) {
        if let Some(list) = self.lists.get_mut(of) {
            list.waiting = false;
            list.names = names.unwrap_or_default();
        }
    }

    /// Forgets that lists were asked for.
    pub(crate) fn forget_requests(&mut self) {
        self.lists.retain(|_, list| !list.waiting);
    }
}

/// One that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// What it shows. Untrusted.
    pub(crate) label: String,
    /// What it enters.
    pub(crate) insert: String,
    /// What it is, in a word.
    pub(crate) kind: &'static str,
    /// A line about it.
    pub(crate) doc: String,
}

/// Offers below the text field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Popup {
    /// The items.
    pub(crate) items: Vec<Item>,
    /// Items that fit what is written, those that are not offered included.
    pub(crate) total: usize,
    /// The marked one.
    pub(crate) at: usize,
    /// First one shown.
    pub(crate) top: usize,
    /// The bytes that an item replaces.
    pub(crate) range: Range<usize>,
    /// Whether the person moved the mark: then Enter takes the item.
    pub(crate) moved: bool,
    /// Old queries instead of what could come next.
    pub(crate) history: bool,
    /// Whether more are being fetched.
    pub(crate) waiting: bool,
}

/// The list that answers a question of the parser's.
fn names_of(ask: &Ask) -> NamesOf {
    let selector = |metric: &Option<String>| metric.as_ref().map(|name| format!("{{__name__={}}}", quote(name)));
    match ask {
        Ask::Metrics => NamesOf::Metrics,
        Ask::LabelNames { metric, .. } => NamesOf::Labels(selector(metric)),
        Ask::LabelValues { metric, label } => NamesOf::Values(label.clone(), selector(metric)),
    }
}

/// The names that fit what is written: those that begin so, then those that contain it.
fn fitting<'a>(names: &'a [String], offers: &Completion) -> Vec<&'a str> {
    let taken: &[String] = if let Some(Ask::LabelNames { taken, .. }) = &offers.ask { taken } else { &[] };
    let prefix = offers.prefix.trim_start_matches(['"', '\'', '`']).to_lowercase();
    let begins = |name: &str| name.get(..prefix.len()).is_some_and(|head| head.to_lowercase() == prefix);
    let free = || names.iter().map(String::as_str).filter(|name| !taken.iter().any(|t| t == name));
    let mut found: Vec<&str> = free().filter(|name| begins(name)).collect();
    found.extend(free().filter(|name| !begins(name) && contains(name, &prefix)));
    found
}

impl Explore {
    /// What completion has to ask the server for.
    pub(crate) fn wanted_names(&mut self, steady: Duration) -> Option<Request> {
        let of = self.names.wanted.take()?;
        let known = self.names.lists.get(&of);
        if known.is_some_and(|l| l.waiting || steady.saturating_sub(l.asked) < FRESH) {
            return None;
        }
        if self.names.lists.len() >= LISTS {
            self.names.lists.retain(|_, l| l.waiting);
        }
        let list = self.names.lists.entry(of.clone()).or_default();
        (list.asked, list.waiting) = (steady, true);
        Some(Request::Names(of))
    }

    /// Opens, renews or closes the offers for what stands at the cursor. `asked`: the person wants them even where
    /// nothing is begun.
    pub(crate) fn offer(&mut self, asked: bool) {
        let query = self.query();
        let offers = complete(query.editor.text(), query.editor.cursor(), Features::all());
        // Inside braces what exists is hard to guess; elsewhere a list at every blank would be in the way.
        let labels = matches!(offers.ask, Some(Ask::LabelNames { .. } | Ask::LabelValues { .. }));
        if !asked && offers.prefix.is_empty() && !labels {
            self.popup = None;
            return;
        }
        let (names, waiting) = match offers.ask.as_ref().map(names_of) {
            Some(of) => {
                let list = self.names.lists.get(&of);
                let names = list.map(|l| l.names.clone()).unwrap_or_default();
                let waiting = list.is_none_or(|l| l.waiting);
                self.names.wanted = Some(of);
                (names, waiting)
            }
            None => (Vec::new(), false),
        };
        let words = offers.words.iter().map(|word| Item {
            label: word.text.clone(),
            insert: word.text.clone(),
            kind: match word.kind {
                WordKind::Function => "function",
                WordKind::Aggregation => "aggregation",
                WordKind::Keyword => "keyword",
                WordKind::Duration => "duration",
            },
            doc: word.doc.to_owned(),
        });
        let mut items: Vec<Item> = words.collect();
        let known = fitting(&names, &offers);
        let total = items.len() + known.len();
        let kind = match &offers.ask {
            Some(Ask::LabelNames { .. }) => "label",
            Some(Ask::LabelValues { .. }) => "value",
            Some(Ask::Metrics) | None => "metric",
        };
        let room = ITEMS.saturating_sub(items.len());
        let described = |name: &str| self.catalog.find(name).filter(|_| kind == "metric");
        items.extend(known.into_iter().take(room).map(|name| Item {
            label: name.to_owned(),
            insert: offers.insertion(name),
            kind,
            doc: described(name).map(|m| m.help.clone()).unwrap_or_default(),
        }));
        // What is written already needs no offer.
        let done = !asked && items.len() == 1 && items[0].label == offers.prefix;
        self.popup = (!done && (total > 0 || waiting)).then_some(Popup {
            items,
            total,
            at: 0,
            top: 0,
            range: offers.span,
            moved: false,
            history: false,
            waiting,
        });
    }

    /// Offers the queries that were run and contain what is written, newest first.
    pub(crate) fn offer_history(&mut self) {
        let text = self.query().editor.text().trim().to_owned();
        let fits = |h: &&String| h.contains(text.as_str()) && **h != text;
        let items: Vec<Item> = self
            .history
            .iter()
            .rev()
            .filter(fits)
            .map(|h| Item { label: h.replace('\n', " "), insert: h.clone(), kind: "", doc: String::new() })
            .take(ITEMS)
            .collect();
        let range = 0..self.query().editor.text().len();
        self.popup = (!items.is_empty()).then_some(Popup {
            total: items.len(),
            items,
            at: 0,
            top: 0,
            range,
            moved: true,
            history: true,
            waiting: false,
        });
    }

    /// Writes the name of a metric in place of the word at the cursor.
    pub(crate) fn write_metric(&mut self, name: &str) {
        let query = self.query();
        let offers = complete(query.editor.text(), query.editor.cursor(), Features::all());
        // Where no metric can stand it is written all the same, and the parser says what is wrong.
        let (span, text) = match offers.ask {
            Some(Ask::Metrics) => (offers.span.clone(), offers.insertion(name)),
            _ => (query.editor.cursor()..query.editor.cursor(), name.to_owned()),
        };
        query.editor.replace(span, &text);
        query.check();
        self.popup = None;
    }

    /// The rest of the marked item, when it goes on from what is written at the end of a line.
    pub(crate) fn ghost(&self) -> Option<&str> {
        let popup = self.popup.as_ref().filter(|p| !p.history)?;
        let editor = &self.queries.get(self.at)?.editor;
        let (text, cursor) = (editor.text(), editor.cursor());
        let written = text.get(popup.range.start..cursor).filter(|w| !w.is_empty())?;
        let after = text.get(cursor..)?;
        let rest = popup.items.get(popup.at)?.insert.strip_prefix(written)?;
        let ends = popup.range.end == cursor && (after.is_empty() || after.starts_with('\n'));
        (ends && !rest.is_empty()).then_some(rest)
    }

    /// Enters the marked item.
    pub(crate) fn take_offer(&mut self) {
        let Some(popup) = self.popup.take() else { return };
        let Some(item) = popup.items.get(popup.at) else { return };
        let query = self.query();
        query.editor.replace(popup.range, &item.insert);
        query.check();
        if !popup.history {
            self.offer(false);
        }
    }
}
