//! Starts backends for people: `cargo run --bin dummy_servers`.

mod cli;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use dummy_servers::{DummyServer, Options, ready_line};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::cli::{Arguments, Names};

fn main() -> ExitCode {
    match run(&Arguments::from_command_line()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not `eprintln!`: it panics where standard error is closed.
            let _ = writeln!(io::stderr(), "dummy_servers: {error}");
            ExitCode::FAILURE
        }
    }
}

/// All servers start before the first is announced: a taken port leaves nothing half done.
fn run(arguments: &Arguments) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let servers = (1..).zip(&arguments.ports);
    let servers = servers
        .map(|(number, port)| start(arguments, number, *port))
        .collect::<io::Result<Vec<_>>>()?;
    announce(&servers);
    // Blocks until one comes; then dropping the servers ends them.
    signals.forever().next();
    Ok(())
}

fn start(arguments: &Arguments, number: usize, port: u16) -> io::Result<DummyServer> {
    let options = match arguments.names {
        Names::Number => Options::new(format!("Server {number}")),
        Names::Port => Options::named_by_port(),
    };
    let options = options
        .port(port)
        .behaviour(arguments.behaviour_of(port))
        .record(false);
    if arguments.quiet {
        options.start()
    } else {
        options.log(arguments.lang).start()
    }
}

/// Whoever started the servers may not read these lines, which is no reason to stop.
fn announce(servers: &[DummyServer]) {
    let mut output = io::stdout().lock();
    for server in servers {
        let _ = writeln!(output, "{}", ready_line(server.name(), &server.url()));
    }
    let _ = output.flush();
}
