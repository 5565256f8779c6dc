//! The title of a page of HTML: what stands between `<title>` and `</title>`, read without a parser of HTML.

/// Longest title that is looked at, in bytes.
const MAX_TITLE: usize = 4096;

/// The first title of a page, white space as browsers show it; `None` when there is none.
pub fn title(html: &str) -> Option<String> {
    let mut rest = html;
    loop {
        rest = &rest[find(rest, "<title")? + "<title".len()..];
        // `<titles>` is another element.
        if rest.starts_with(|c: char| c == '>' || c == '/' || c.is_ascii_whitespace()) {
            break;
        }
    }
    let text = &rest[rest.find('>')? + 1..];
    let end = find(text, "</title").unwrap_or(text.len()).min(text.floor_char_boundary(MAX_TITLE));
    Some(unescape(&text[..end]).split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The place of `needle`, which is lower-case ASCII, in whatever case.
fn find(text: &str, needle: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    bytes.windows(needle.len()).position(|w| w.eq_ignore_ascii_case(needle.as_bytes()))
}

/// Undoes the references that titles commonly have; others stay as they are.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest[1..].split(';').next().filter(|n| n.len() < 10 && rest.len() > n.len() + 1);
        match name.and_then(reference) {
            Some(c) => {
                out.push(c);
                rest = &rest[name.map_or(1, str::len) + 2..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        "ndash" => Some('–'),
        "mdash" => Some('—'),
        "hellip" => Some('…'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_found_as_browsers_show_them() {
        #[track_caller]
        fn check(html: &str, want: Option<&str>) {
            assert_eq!(title(html).as_deref(), want, "{html}");
        }
        check("<html><head><title>Shop</title>", Some("Shop"));
        check("<TITLE lang=en>\n  A &amp; B &#8211; &#x43; &unknown;\n</Title>", Some("A & B – C &unknown;"));
        check("<title>cut", Some("cut"));
        check("<title></title>", Some(""));
        check("<titles>x</titles>", None);
        check("<titles>x</titles><title>y</title>", Some("y"));
        check("<title", None);
        check("plain", None);
        check("<title>a & b &;&#xd800; &", Some("a & b &;&#xd800; &"));
        check(&format!("<title>{}", "é".repeat(10_000)), Some(&"é".repeat(2_048)));
    }

    proptest::proptest! {
        #[test]
        fn no_page_does_harm(text in "(<title>|&|#|;|é|x|</title>){0,40}") {
            title(&text);
        }
    }
}
