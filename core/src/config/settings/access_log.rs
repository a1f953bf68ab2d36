//! `log` and `access_log`.

use std::time::Duration;

use super::{
    Checker, Place, Setting, Settings,
    field::{Leaf, lens},
    forms::{Form, OrNone, Percent, Single, Size, Span, Whole, Words, meant_switch, switched},
    shape::Kind,
    switched::Switched,
};
use crate::{
    access_log::LogPattern,
    config::{
        fields::Fields,
        model::{AccessLogConfig, AccessLogFormat, LogConfig, LogFormat, LogLevel, LogRotation, LogTarget},
        problem::Refusal,
        size::{ByteSize, MAX_SIZE},
        suggest::closest,
        written::Written,
    },
};

const TOP: &[Place] = &[Place::Top];

/// Patterns are compiled once, and a line has to stay readable.
const MAX_PATTERN: usize = 4096;
/// A smaller file would be begun anew with every other write.
const LEAST_FILE: ByteSize = ByteSize::kib(64);
/// Each rotation renames all of them.
const MOST_KEPT: u32 = 1000;

const LEVEL: Words<LogLevel> = Words(
    "the name of a level",
    &[
        ("off", LogLevel::Off),
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ],
);

impl Settings for LogConfig {
    const SHORT: Option<&'static str> = Some("level");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "level",
            &Leaf(lens!(LogConfig, level), &LEVEL),
            "What is written to the log: this level and the more severe ones.",
        )
        .at(TOP),
        Setting::new(
            "format",
            &Leaf(
                lens!(LogConfig, format),
                &Words(
                    "text or json",
                    &[("text", LogFormat::Text), ("json", LogFormat::Json)],
                ),
            ),
            "The form of its lines: `text` for people, or `json`, an object a line.",
        )
        .at(TOP),
    ];
}

impl Settings for AccessLogConfig {
    const SHORT: Option<&'static str> = Some("path");
    const ELSEWHERE: &'static [(&'static str, &'static str)] = &[
        ("file", "the file's name is `path`"),
        ("level", "that of the other log is `log.level`"),
    ];
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "path",
            &Leaf(lens!(AccessLogConfig, path), &PATH),
            "The file that lines are appended to, or `\"-\"` for stdout. A relative path begins in the configuration's folder. A new file gets the mode 0640. SIGUSR1 makes the program open it again.",
        )
        .at(TOP),
        Setting::new(
            "format",
            &Leaf(lens!(AccessLogConfig, format), &FORMAT),
            "The form of a line: `json`, `combined` as web servers write it, `text` for people, or a pattern such as `{time} {client} {status} {header user-agent}`.",
        )
        .danger("Of header fields and queries only what a pattern names is written: name no secrets.")
        .see(&["docs/observability.md"])
        .at(TOP),
        Setting::new(
            "sample",
            &Leaf(lens!(AccessLogConfig, sample), &Percent(100)),
            "The share of requests that are written. Always written are responses with 5xx, errors of the balancer's own, requests that were broken off, and slow ones.",
        )
        .see(&["access_log.slow"])
        .at(TOP),
        Setting::new(
            "slow",
            &Leaf(
                lens!(AccessLogConfig, slow),
                &OrNone {
                    form: Span(Duration::from_millis(1)),
                    expects: "a duration or none",
                },
            ),
            "Requests that take at least so long are written whatever `sample` says; of a tunnel, the time to its opening counts.",
        )
        .see(&["access_log.sample"])
        .at(TOP),
        Setting::new(
            "rotate",
            &Switched(
                lens!(AccessLogConfig, rotate),
                "a size, off or a mapping",
            ),
            "Whether the file is begun anew when it is large. Older ones get `.1`, `.2` and so on behind their names. Leave it off where logrotate does that.",
        )
        .example("rotate: {size: 100MiB, keep: 5}")
        .at(TOP),
    ];

    fn judge(&mut self, own: &Fields<'_>, checker: &mut Checker<'_>) {
        // A path that was refused is none of stdout.
        let is_path = |path: Written| PATH.parse(&path) != Ok(LogTarget::Stdout);
        let is_stdout = self.path == LogTarget::Stdout && !own.written("path").is_some_and(is_path);
        if is_stdout && self.rotate.is_some() {
            let refusal = Refusal::new("must not be written for stdout, which is no file");
            checker.refuse_setting(own, "rotate", refusal.hint("remove it, or write a `path`"));
        }
    }
}

impl Settings for LogRotation {
    const SHORT: Option<&'static str> = Some("size");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "size",
            &Leaf(lens!(LogRotation, size), &Size(LEAST_FILE, MAX_SIZE)),
            "The size from which a file is not continued.",
        )
        .at(TOP),
        Setting::new(
            "keep",
            &Leaf(lens!(LogRotation, keep), &Whole(1, MOST_KEPT)),
            "How many old files are kept.",
        )
        .at(TOP),
    ];
}

/// Also stdout as shells and systemd call it.
const PATH: Form<LogTarget> = Form {
    expects: "a path",
    kinds: || {
        vec![Kind::Text(
            "a path, or `\"-\"` for stdout",
            "^(?!([yY][eE][sS]|[nN][oO]|[nN]one|[oO]n|[oO]ff|[tT]rue|[fF]alse|enabled|disabled|[0-9]+)$)[^~]",
        )]
    },
    parse: |written| match written.text() {
        "-" | "/dev/stdout" => Ok(LogTarget::Stdout),
        path if path.starts_with('~') => {
            Err(Refusal::new("must not begin with ~, which only shells replace")
                .hint("write the whole path, or one that begins in the configuration's folder"))
        }
        path if path.ends_with('/') => {
            Err(Refusal::new("must be the path of a file").hint("add the file's name"))
        }
        path if !written.is_text() || path.is_empty() || path.contains('\0') => {
            Err(Refusal::new("must be a path, or \"-\" for stdout"))
        }
        // A file of such a name is written with its folder: ./on
        path if switched(written).is_some() || meant_switch(path).is_some() => {
            Err(Refusal::new("must be a path, or \"-\" for stdout")
                .hint("write the whole `access_log: off` to have none"))
        }
        path => Ok(LogTarget::File(written.masked(path))),
    },
    show: |path| path.shown().to_owned(),
};

const FORMATS: Words<u8> = Words(
    "the name of a format or a pattern",
    &[("json", 0), ("combined", 1), ("text", 2)],
);

const FORMAT: Form<AccessLogFormat> = Form {
    expects: FORMATS.0,
    kinds: || {
        let mut kinds = FORMATS.kinds();
        kinds.push(Kind::Text("a pattern with variables in braces", "\\{"));
        kinds
    },
    parse: format,
    show: |format| {
        match format {
            AccessLogFormat::Json => "json",
            AccessLogFormat::Combined => "combined",
            AccessLogFormat::Text => "text",
            AccessLogFormat::Pattern(pattern) => pattern.as_str(),
        }
        .to_owned()
    },
};

fn format(written: &Written) -> Result<AccessLogFormat, Refusal> {
    let text = written.text();
    let names = || FORMATS.1.iter().map(|(name, _)| *name);
    match text {
        "json" => Ok(AccessLogFormat::Json),
        "combined" => Ok(AccessLogFormat::Combined),
        "text" => Ok(AccessLogFormat::Text),
        _ if text.len() > MAX_PATTERN => {
            Err(Refusal::new(format!("must be at most {MAX_PATTERN} bytes long")))
        }
        _ if text.contains('{') && written.is_text() => match LogPattern::parse(text) {
            Ok(pattern) => Ok(AccessLogFormat::Pattern(pattern.shown_as(written.mark()))),
            Err(bad) => Err(Refusal::new(bad.rule).hint(bad.hint)),
        },
        _ => {
            let refusal = Refusal::new("must be json, combined, text, or a pattern with variables in braces");
            Err(match (closest(text, names()), text) {
                (Some(meant), _) => refusal.did_you_mean(Some(meant)),
                (None, "common" | "ncsa" | "clf") => refusal.did_you_mean(Some("combined")),
                (None, _) => refusal.hint("write for example \"{time} {client} {status} {path}\""),
            })
        }
    }
}
