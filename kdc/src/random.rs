//! The daemon's randomness: a ChaCha20 generator for every thread, seeded from the operating system and seeded again
//! every so often. A call costs some 40 ns, a system call 600.

use std::cell::RefCell;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use tessera_common::Random;
use zeroize::Zeroizing;

/// After so many draws a thread takes a fresh seed, so that a leaked state tells little of what came before.
const DRAWS_PER_SEED: u32 = 4096;

/// The calling thread's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadRandom;

impl Random for ThreadRandom {
    fn fill(&mut self, out: &mut [u8]) {
        GENERATOR.with_borrow_mut(|generator| generator.fill(out));
    }
}

struct Generator {
    stream: ChaCha20Rng,
    draws: u32,
}

thread_local! {
    static GENERATOR: RefCell<Generator> = RefCell::new(Generator { stream: seeded(), draws: 0 });
}

impl Generator {
    fn fill(&mut self, out: &mut [u8]) {
        if self.draws == DRAWS_PER_SEED {
            *self = Self {
                stream: seeded(),
                draws: 0,
            };
        }
        self.draws += 1;
        self.stream.fill_bytes(out);
    }
}

fn seeded() -> ChaCha20Rng {
    let mut seed = Zeroizing::new([0; 32]);
    if let Err(why) = getrandom::fill(&mut *seed) {
        // Keys that can be guessed are worse than no realm at all, and no caller could do better.
        eprintln!("error: the operating system gives no randomness ({why}); stopping");
        std::process::abort();
    }
    ChaCha20Rng::from_seed(*seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_and_draws_differ() {
        let draw = || {
            let mut octets = [0; 32];
            ThreadRandom.fill(&mut octets);
            octets
        };
        let (first, second) = (draw(), draw());
        let other = std::thread::spawn(draw).join().unwrap();
        assert!(first != second && first != other && second != other);
    }

    #[test]
    fn a_generator_is_seeded_anew_after_its_draws() {
        let mut generator = Generator {
            stream: ChaCha20Rng::from_seed([0; 32]),
            draws: 0,
        };
        let mut twin = ChaCha20Rng::from_seed([0; 32]);
        let (mut ours, mut theirs) = ([0; 8], [0; 8]);
        for draw in 0..=DRAWS_PER_SEED {
            generator.fill(&mut ours);
            twin.fill_bytes(&mut theirs);
            assert_eq!(ours == theirs, draw < DRAWS_PER_SEED, "{draw}");
        }
    }
}
