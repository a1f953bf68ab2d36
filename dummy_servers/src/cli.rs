//! The command line of the binary.

use std::str::FromStr;

use clap::{CommandFactory as _, Parser, ValueEnum, error::ErrorKind};
use dummy_servers::{Behaviour, Lang};

const BEHAVIOURS: &str = "\
Behaviours:
  ok              answers (the default)
  slow:DURATION   answers after 200ms, 3s, 1m
  fail            answers 500
  hang            reads the request and never answers
  reset           reads the head of the request, then resets the connection
  cut             promises a longer body than it sends, then closes
  flaky:PERCENT%  answers 500 to this share of the requests, evenly spread

Paths:
  /  /health  /echo  /bytes/N  /drip?bytes=N&for=3s  /count  /headers  /status/NNN  /redirect  /gzip-claim

Examples:
  dummy_servers                                         three servers on 9001, 9002, 9003
  dummy_servers --ports 9001,9002 --behaviour 9002=slow:200ms
  dummy_servers --behaviour 9001=flaky:10% --behaviour 9003=reset --lang en
  dummy_servers --names port --ports 9004               names itself \"Server 9004\" instead of \"Server 1\"
  dummy_servers --ports 0 --quiet                       one on any free port, for load tests";

/// Backends to try a load balancer with: they answer with their names, count, and fail in every way you ask for.
#[derive(Debug, Parser)]
#[command(name = "dummy_servers", version, after_help = BEHAVIOURS)]
pub(crate) struct Arguments {
    /// The ports of the servers, on 127.0.0.1 and [::1]; 0 takes any free one.
    #[arg(
        long,
        env = "DUMMY_SERVERS_PORTS",
        value_name = "PORTS",
        value_delimiter = ',',
        default_value = "9001,9002,9003",
        value_parser = port
    )]
    pub(crate) ports: Vec<u16>,

    /// How the server on a port behaves, such as 9002=slow:200ms; may be repeated.
    #[arg(
        long = "behaviour",
        alias = "behavior",
        value_name = "PORT=BEHAVIOUR",
        value_delimiter = ','
    )]
    behaviours: Vec<PortBehaviour>,

    /// What servers are named by: their place in --ports, or their port.
    #[arg(long, value_enum, default_value_t = Names::Number)]
    pub(crate) names: Names,

    /// The language of the request lines: ko or en.
    #[arg(long, default_value_t = Lang::Ko, value_name = "LANG")]
    pub(crate) lang: Lang,

    /// Prints no request lines.
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// What stands behind "Server" in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Names {
    /// The place in `--ports`: 1, 2, 3.
    Number,
    /// The port, which stays unique where servers are started one after the other.
    Port,
}

#[derive(Debug, Clone)]
struct PortBehaviour {
    port: u16,
    behaviour: Behaviour,
}

impl FromStr for PortBehaviour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, behaviour) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not PORT=BEHAVIOUR, such as 9002=slow:200ms"))?;
        let behaviour = behaviour
            .parse()
            .map_err(|error: dummy_servers::WrongBehaviour| error.to_string())?;
        Ok(Self {
            port: port(number)?,
            behaviour,
        })
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no port; legal is 1 to 65535, or 0 for any free one"))
}

impl Arguments {
    /// Reads the command line; ends the process with 0 after `--help`, with 2 if something is wrong.
    pub(crate) fn from_command_line() -> Self {
        let arguments = Self::parse();
        if let Err(problem) = arguments.check() {
            Self::command().error(ErrorKind::ValueValidation, problem).exit();
        }
        arguments
    }

    fn check(&self) -> Result<(), String> {
        let listed = self
            .ports
            .iter()
            .map(u16::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        for (index, port) in self.ports.iter().enumerate() {
            if *port != 0 && self.ports[..index].contains(port) {
                return Err(format!("port {port} is listed twice in --ports"));
            }
        }
        for (index, PortBehaviour { port, .. }) in self.behaviours.iter().enumerate() {
            if !self.ports.contains(port) {
                return Err(format!(
                    "--behaviour names port {port}, but the ports are {listed}"
                ));
            }
            if self.behaviours[..index]
                .iter()
                .any(|earlier| earlier.port == *port)
            {
                return Err(format!("--behaviour names port {port} twice"));
            }
        }
        Ok(())
    }

    /// How the server on this port of `--ports` behaves; one for 0 holds for all of them.
    pub(crate) fn behaviour_of(&self, port: u16) -> Behaviour {
        let named = self.behaviours.iter().find(|named| named.port == port);
        named.map_or(Behaviour::Ok, |named| named.behaviour)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    fn read(line: &str) -> Result<Arguments, String> {
        let arguments = Arguments::try_parse_from(format!("dummy_servers {line}").split_whitespace());
        let arguments = arguments.map_err(|error| error.to_string())?;
        arguments.check().map(|()| arguments)
    }

    #[test]
    fn ports_and_behaviours_go_together() {
        let arguments =
            read("--ports 9001,0,9002,0 --behaviour 9002=slow:200ms,0=reset --behaviour 9001=fail").unwrap();
        assert_eq!(arguments.ports, [9001, 0, 9002, 0]);
        assert_eq!(arguments.behaviour_of(9001), Behaviour::Fail);
        assert_eq!(
            arguments.behaviour_of(9002),
            Behaviour::Slow(Duration::from_millis(200))
        );
        assert_eq!(arguments.behaviour_of(0), Behaviour::Reset);
        assert_eq!((arguments.lang, arguments.quiet), (Lang::Ko, false));
        assert_eq!(read("--ports 9001 --lang en").unwrap().lang, Lang::En);
        let names = |line: &str| read(line).unwrap().names;
        assert_eq!((names(""), names("--names port")), (Names::Number, Names::Port));
    }

    #[test]
    fn a_wrong_argument_is_answered_with_what_is_legal() {
        for (line, legal) in [
            ("--ports 99999", "1 to 65535"),
            ("--ports 9001,", "1 to 65535"),
            ("--ports 9001,9001", "listed twice"),
            ("--ports 9001 --behaviour 9002=fail", "the ports are 9001"),
            ("--ports 9001 --behaviour 9001=fail,9001=ok", "twice"),
            ("--behaviour 9001", "such as 9002=slow:200ms"),
            ("--behaviour 9001=slwo", "legal are ok, slow"),
            ("--behaviour 9001=slow:3", "200ms, 3s or 1m"),
            ("--lang fr", "ko and en"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(legal), "{line}: {error}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }
}
