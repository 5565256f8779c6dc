//! Go's `fmt.Sprintf` and `fmt.Sprint` for the values of templates.

use crate::render::gotemplate::float;
use crate::render::gotemplate::value::Value;

/// Widest field and longest precision; Go has a million.
const MAX_WIDTH: usize = 10_000;

#[derive(Default)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// `print`: blanks between operands when neither is a text.
pub(super) fn sprint(args: &[Value]) -> String {
    let mut out = String::new();
    let mut before_text = true;
    for (i, arg) in args.iter().enumerate() {
        let text = matches!(arg, Value::Text(_));
        if i > 0 && !text && !before_text {
            out.push(' ');
        }
        out.push_str(&shown(arg));
        before_text = text;
    }
    out
}

/// `println`
pub(super) fn sprintln(args: &[Value]) -> String {
    let shown: Vec<String> = args.iter().map(shown).collect();
    format!("{}\n", shown.join(" "))
}

/// As `fmt` prints it, where nil is `<nil>`.
fn shown(value: &Value) -> String {
    if let Value::Nil = value { "<nil>".to_owned() } else { value.show() }
}

/// `printf`; `limit` bounds the text.
pub(super) fn sprintf(format: &str, args: &[Value], limit: usize) -> String {
    let mut out = String::new();
    let mut rest = format;
    let mut next = 0;
    while let Some(i) = rest.find('%') {
        out.push_str(&rest[..i]);
        rest = &rest[i + 1..];
        if out.len() > limit {
            return out;
        }
        let mut flags = Flags::default();
        while let Some(c) = rest.chars().next() {
            match c {
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                '#' => flags.sharp = true,
                ' ' => flags.space = true,
                '0' => flags.zero = !flags.minus,
                _ => break,
            }
            rest = &rest[1..];
        }
        (flags.width, rest) = size(rest, args, &mut next);
        if let Some(after) = rest.strip_prefix('.') {
            (flags.precision, rest) = size(after, args, &mut next);
            flags.precision = flags.precision.or(Some(0));
        }
        let Some(verb) = rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(arg) = args.get(next) else {
            out.push_str(&format!("%!{verb}(MISSING)"));
            continue;
        };
        next += 1;
        out.push_str(&one(verb, &flags, arg));
    }
    out.push_str(rest);
    if next < args.len() {
        let extra: Vec<String> = args[next..].iter().map(|a| format!("{}={}", a.type_name(), shown(a))).collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

/// A number, or `*` for the next argument.
fn size<'t>(text: &'t str, args: &[Value], next: &mut usize) -> (Option<usize>, &'t str) {
    if let Some(rest) = text.strip_prefix('*') {
        let given = args.get(*next).and_then(|a| if let Value::Int(n) = a { usize::try_from(*n).ok() } else { None });
        *next += 1;
        return (given.map(|n| n.min(MAX_WIDTH)), rest);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    let number = if digits == 0 { None } else { Some(number.parse().unwrap_or(MAX_WIDTH).min(MAX_WIDTH)) };
    (number, rest)
}

fn one(verb: char, flags: &Flags, arg: &Value) -> String {
    match (verb, arg) {
        ('T', arg) => pad(arg.type_name().to_owned(), flags),
        ('v', Value::Text(text)) if flags.sharp => pad(format!("{text:?}"), flags),
        ('v' | 's', Value::Text(text)) => pad(cut(text, flags.precision), flags),
        ('q', Value::Text(text)) => pad(format!("{:?}", cut(text, flags.precision)), flags),
        ('x' | 'X', Value::Text(text)) => {
            let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
            pad(if verb == 'X' { hex.to_uppercase() } else { hex }, flags)
        }
        ('v' | 'g', Value::Float(v)) => number(&float::general(*v, flags.precision), flags),
        ('G', Value::Float(v)) => number(&float::general(*v, flags.precision).to_uppercase(), flags),
        ('e', Value::Float(v)) => number(&float::exponential(*v, Some(flags.precision.unwrap_or(6))), flags),
        ('E', Value::Float(v)) => {
            number(&float::exponential(*v, Some(flags.precision.unwrap_or(6))).to_uppercase(), flags)
        }
        ('f' | 'F', Value::Float(v)) => number(&float::fixed(*v, flags.precision.unwrap_or(6)), flags),
        ('v' | 'd', Value::Int(n)) => number(&n.to_string(), flags),
        ('x', Value::Int(n)) => number(&radix(*n, |n| format!("{n:x}"), flags.sharp.then_some("0x")), flags),
        ('X', Value::Int(n)) => number(&radix(*n, |n| format!("{n:X}"), flags.sharp.then_some("0X")), flags),
        ('o', Value::Int(n)) => number(&radix(*n, |n| format!("{n:o}"), flags.sharp.then_some("0")), flags),
        ('b', Value::Int(n)) => number(&radix(*n, |n| format!("{n:b}"), flags.sharp.then_some("0b")), flags),
        ('c', Value::Int(n)) => {
            let c = u32::try_from(*n).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            pad(c.to_string(), flags)
        }
        ('q', Value::Int(n)) => {
            let c = u32::try_from(*n).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            pad(format!("{c:?}"), flags)
        }
        ('U', Value::Int(n)) => pad(format!("U+{n:04X}"), flags),
        ('d', Value::Span(n)) => number(&n.to_string(), flags),
        ('v' | 't', Value::Bool(b)) => pad(b.to_string(), flags),
        ('v', Value::Nil) => pad("<nil>".to_owned(), flags),
        ('v' | 's', Value::Span(_) | Value::Time(_)) | ('v', _) => pad(shown(arg), flags),
        ('s', Value::Labels(_)) => pad(shown(arg), flags),
        (verb, Value::Nil) => format!("%!{verb}(<nil>)"),
        (verb, arg) => format!("%!{verb}({}={})", arg.type_name(), shown(arg)),
    }
}

fn cut(text: &str, precision: Option<usize>) -> String {
    precision.map_or_else(|| text.to_owned(), |n| text.chars().take(n).collect())
}

fn radix(n: i64, digits: impl Fn(u64) -> String, prefix: Option<&str>) -> String {
    format!("{}{}{}", if n < 0 { "-" } else { "" }, prefix.unwrap_or_default(), digits(n.unsigned_abs()))
}

/// A number with its sign; zeros go behind the sign.
fn number(text: &str, flags: &Flags) -> String {
    let bare = text.trim_start_matches(['-', '+']);
    let sign = match text.as_bytes().first() {
        Some(b'-') => "-",
        _ if flags.plus => "+",
        _ if flags.space => " ",
        Some(b'+') if bare == "Inf" => "+",
        _ => "",
    };
    let finite = bare != "Inf" && bare != "NaN";
    if flags.zero && finite && !flags.minus {
        let width = flags.width.unwrap_or(0).saturating_sub(sign.len());
        return format!("{sign}{bare:0>width$}");
    }
    pad(format!("{sign}{bare}"), flags)
}

fn pad(text: String, flags: &Flags) -> String {
    match flags.width {
        None => text,
        Some(width) if flags.minus => format!("{text:<width$}"),
        Some(width) => format!("{text:>width$}"),
    }
}
