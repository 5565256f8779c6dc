//! The YAML scanner's complaints in words that help somebody who does not know YAML's grammar.

use granit_parser::ErrorKind;

/// What is wrong, and what to do about it.
pub fn explain(kind: &ErrorKind) -> (String, &'static str) {
    let (message, hint) = match kind {
        ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation | ErrorKind::TabNotAllowed => {
            ("a tab stands where blanks belong", "indent with blanks only")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("a key without its colon", "write `key: value`, with a blank after the colon")
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::MappingKeyNotAllowed | ErrorKind::InvalidColonPlacement => (
            "a colon stands where none can",
            "put a value that holds `: ` in quotes; begin every key on a line of its own, indented like its neighbours",
        ),
        ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => (
            "this line is not indented like its neighbours",
            "begin the keys of one item, and the `-` of one list, in the same column",
        ),
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => {
            ("a list item cannot begin here", "begin each `- ` on a line of its own, or write the list as `[a, b]`")
        }
        ErrorKind::UnexpectedCharacter { character: '@' | '`' | '%' } => {
            ("a value cannot begin with this character", "put the value in quotes")
        }
        ErrorKind::UnexpectedCharacter { .. } => {
            ("this character cannot stand here", "remove it, or put the value in quotes")
        }
        ErrorKind::UnknownAnchor => {
            ("no anchor of this name stands above", "define it with `&name`, or put the value in quotes")
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            ("a backslash escape that YAML does not have", "use single quotes, in which `\\` is an ordinary character")
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar => {
            ("text follows the closing quote", "double a quote within single quotes: `'it''s'`, or use double quotes")
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            ("text follows the closing quote", "put the whole value in quotes; a quote within is `\\\"`")
        }
        ErrorKind::UnclosedQuotedScalar => ("the closing quote is missing", "close the quote where the value ends"),
        ErrorKind::UnclosedFlowCollection { open } => {
            return (format!("`{open}` is never closed"), "close it, and separate its items by commas");
        }
        ErrorKind::MisplacedFlowCollectionEnd => ("a bracket closes what was never opened", "remove it, or open it"),
        ErrorKind::InvalidBlockScalarHeader => {
            ("text stands beside `|` or `>`", "begin the text on the next line, indented; or put the value in quotes")
        }
        // The rest is rare; the scanner's own words name the place in the grammar.
        other => return (other.to_string(), "check indentation, colons and closing quotes around here"),
    };
    (message.to_owned(), hint)
}
