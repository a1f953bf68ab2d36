//! Where a picture may be written: never over something that is none. `--plot config.yaml` is quickly typed.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use lb_core::config::shown_path;

/// An SVG begins within that, whatever comments and declarations its program writes before it.
const BEGIN: u64 = 4096;

/// Whether a picture may be written there: where nothing is, or a picture, and the name says that it is one. A pipe would hang
/// whoever opens it without a reader.
///
/// # Errors
/// What stands in the way, and what to do.
pub(in crate::cli::simulate) fn may_write(path: &Path) -> Result<(), String> {
    let shown = shown_path(path);
    let is_named = path
        .extension()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("svg"));
    let named = is_named
        .then_some(())
        .ok_or_else(|| format!("--plot: the picture is an SVG, so {shown} must end with .svg"));
    let Ok(there) = fs::metadata(path) else {
        return named;
    };
    if there.is_dir() {
        return Err(format!("--plot: {shown} is a folder; name a file in it"));
    }
    if !there.is_file() {
        return Err(format!(
            "--plot: {shown} is no regular file; name one, or one that is not there yet"
        ));
    }
    if there.len() == 0 {
        return named;
    }
    match begin(path) {
        Ok(begin) if is_svg(&begin) => named,
        Ok(_) => Err(format!(
            "--plot: {shown} is there and is no SVG, so it is not overwritten; name another file, or remove it"
        )),
        Err(error) => Err(format!(
            "--plot: cannot read {shown}, so it is not overwritten: {error}; name another file, or remove it"
        )),
    }
}

fn begin(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BEGIN).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the first element is `svg`.
fn is_svg(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!DOCTYPE") => ">",
            _ => break,
        };
        let Some((_, after)) = rest.split_once(end) else {
            return false;
        };
        rest = after.trim_start();
    }
    let name = rest.strip_prefix("<svg");
    name.is_some_and(|after| after.starts_with(|next: char| next.is_whitespace() || next == '>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_svg_is_known_by_its_first_element() {
        for svg in [
            "<svg>",
            "<svg xmlns=\"http://www.w3.org/2000/svg\">",
            "\u{feff}<?xml version=\"1.0\"?>\n<!-- by hand > -->\n<!DOCTYPE svg PUBLIC \"a\" \"b\">\n<svg\nwidth=\"1\">",
        ] {
            assert!(is_svg(svg), "{svg}");
        }
        for other in [
            "",
            "port: 80\n# <svg>",
            "<html><svg>",
            "<svgs>",
            "<!-- <svg>",
            "<?xml version=\"1.0\"?><html>",
        ] {
            assert!(!is_svg(other), "{other}");
        }
    }
}
