//! The lines that the binary prints, in both languages.

use std::{fmt, str::FromStr};

/// The language of the request lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// Korean, the default.
    #[default]
    Ko,
    /// English.
    En,
}

/// A language that the lines do not exist in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no language of these servers; legal are ko and en")]
pub struct UnknownLang(String);

impl FromStr for Lang {
    type Err = UnknownLang;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ko" => Ok(Self::Ko),
            "en" => Ok(Self::En),
            _ => Err(UnknownLang(text.to_owned())),
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ko => "ko",
            Self::En => "en",
        })
    }
}

/// The line for a request, such as `[Server 2] 요청 받음! GET /path`.
pub fn request_line(lang: Lang, name: &str, method: &str, path: &str) -> String {
    let received = match lang {
        Lang::Ko => "요청 받음!",
        Lang::En => "request received!",
    };
    format!("[{name}] {received} {method} {path}")
}

/// The line that says a server accepts connections: the same in each language, since scripts wait for it.
pub fn ready_line(name: &str, url: &str) -> String {
    format!("[{name}] listening on {url}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn request_lines_read_as_promised() {
        assert_eq!(
            request_line(Lang::Ko, "Server 2", "GET", "/path"),
            "[Server 2] 요청 받음! GET /path"
        );
        assert_eq!(
            request_line(Lang::En, "Server 2", "GET", "/path"),
            "[Server 2] request received! GET /path"
        );
        let url = "http://127.0.0.1:9001";
        assert_eq!(
            ready_line("Server 1", url),
            "[Server 1] listening on http://127.0.0.1:9001"
        );
    }

    #[test]
    fn knows_two_languages_and_says_so() {
        for lang in [Lang::Ko, Lang::En] {
            assert_eq!(lang.to_string().parse(), Ok(lang));
        }
        let error = "fr".parse::<Lang>().unwrap_err().to_string();
        assert!(error.contains("ko and en"), "{error}");
    }
}
