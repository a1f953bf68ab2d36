//! A tunnel is transparent: random bytes, split at random places, with halves that close in either order, are the same
//! bytes on the other side.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::{exchange::Play, upgrade::open};

/// What one side does: pieces of so many bytes each, read before or after, and its half closed at the end.
#[derive(Debug, Clone)]
struct Side {
    pieces: Vec<usize>,
    seed: u8,
    /// Reads all before it writes, as far as the other side lets it.
    listens_first: bool,
}

fn side() -> impl Strategy<Value = Side> {
    let piece = prop_oneof![1..10_usize, 1..2000_usize, 1..200_000_usize];
    (vec(piece, 0..12), any::<u8>(), any::<bool>()).prop_map(|(pieces, seed, listens_first)| Side {
        pieces,
        seed,
        listens_first,
    })
}

impl Side {
    fn bytes(&self) -> Vec<u8> {
        let length = self.pieces.iter().sum();
        (0..length)
            .map(|at: usize| (at * 7 + at / 251) as u8 ^ self.seed)
            .collect()
    }

    fn write(&self, mut stream: &TcpStream) {
        let (bytes, mut at) = (self.bytes(), 0);
        for piece in &self.pieces {
            stream.write_all(&bytes[at..at + piece]).unwrap();
            at += piece;
        }
        stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Plays this side to its end; what came from the other one.
    fn play(&self, mut stream: TcpStream, both_listen: bool) -> Vec<u8> {
        let mut received = Vec::new();
        if self.listens_first && !both_listen {
            stream.read_to_end(&mut received).unwrap();
            self.write(&stream);
            return received;
        }
        thread::scope(|scope| {
            scope.spawn(|| self.write(&stream));
            (&stream).read_to_end(&mut received).unwrap();
        });
        received
    }
}

#[test]
fn a_tunnel_passes_any_bytes_in_any_pieces() {
    let play = std::cell::RefCell::new(Play::new());
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&(side(), side()), |(up, down)| {
            let mut play = play.borrow_mut();
            play.client = play.balancer.peer();
            let (backend, _) = open(&mut play);
            let spare = play.balancer.peer();
            let client = std::mem::replace(&mut play.client, spare).into_stream();
            let backend = backend.into_stream();
            let both_listen = up.listens_first && down.listens_first;
            let (at_client, at_backend) = thread::scope(|scope| {
                let up = scope.spawn(|| up.play(client, both_listen));
                let at_backend = down.play(backend, both_listen);
                (up.join().unwrap(), at_backend)
            });
            prop_assert!(
                at_backend == up.bytes(),
                "{} of {} bytes up",
                at_backend.len(),
                up.bytes().len()
            );
            prop_assert!(
                at_client == down.bytes(),
                "{} of {} bytes down",
                at_client.len(),
                down.bytes().len()
            );
            Ok(())
        })
        .unwrap();
}
