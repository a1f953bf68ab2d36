//! Lines of styled text that know how wide they are.
//!
//! ASCII only, so that a character is a column in every terminal.

/// What a piece of text means; the screen decides how that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Text.
    Plain,
    /// Headings and keys.
    Strong,
    /// What matters less.
    Faint,
    /// All is well.
    Good,
    /// Something is about to change, or is slow.
    Warning,
    /// Something is broken.
    Bad,
}

/// One line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    spans: Vec<(Style, String)>,
}

impl Line {
    /// A line of one style.
    pub(super) fn of(style: Style, text: impl Into<String>) -> Self {
        Self::default().then(style, text)
    }

    /// A line of plain text.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::of(Style::Plain, text)
    }

    /// This line with more text at its end.
    pub(super) fn then(mut self, style: Style, text: impl Into<String>) -> Self {
        self.spans.push((style, text.into()));
        self
    }

    /// Its pieces, from left to right.
    pub(super) fn spans(&self) -> &[(Style, String)] {
        &self.spans
    }

    /// How many columns it takes.
    pub(super) fn width(&self) -> usize {
        self.spans.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// Its text without styles.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        self.spans.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// The line cut, or filled with spaces, to exactly that many characters.
    pub(super) fn fit(self, width: usize) -> Self {
        let mut left = width;
        let mut spans = Vec::with_capacity(self.spans.len() + 1);
        for (style, text) in self.spans {
            let text: String = text.chars().take(left).collect();
            left -= text.chars().count();
            spans.push((style, text));
        }
        spans.push((Style::Plain, " ".repeat(left)));
        Self { spans }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_or_filled_to_the_width() {
        let line = || Line::of(Style::Strong, "health ").then(Style::Good, "up");
        assert_eq!(line().fit(12).text(), "health up   ");
        assert_eq!(line().fit(8).text(), "health u");
        assert_eq!(line().fit(3).text(), "hea");
        assert_eq!(line().fit(0).text(), "");
        assert_eq!(line().fit(8).spans()[1], (Style::Good, "u".to_owned()));
    }
}
