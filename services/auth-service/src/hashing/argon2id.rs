//! argon2id itself, over memory that is kept from one hash to the next.

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::{
        Error,
        phc::{Output, ParamsString, Salt},
    },
};
use aws_lc_rs::constant_time;

use super::Verdict;
use crate::domain::Password;

const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// A stored hash that demands more than this is taken for damaged: nobody makes one, and it must not take the machine down.
const MOST_MEMORY_KIB: u32 = 256 * 1024;

/// glibc returns freed memory to the system for certain only when the allocation was a mapping of its own, and it maps
/// allocations of more than 32 MiB always. What is reserved beyond the blocks in use is address space, never touched.
const RESERVED_BLOCKS: usize = 33 * 1024;

/// What one hash costs; OWASP's minimum for argon2id unless set otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes; they are computed one after another here.
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            lanes: 1,
        }
    }
}

/// The memory that a hash fills, kept between hashes to spare the kernel 5,000 page faults each time.
#[derive(Default)]
pub(super) struct Memory {
    blocks: Vec<Block>,
    /// Blocks filled so far, each as often as it was: what the time of a hash depends on.
    filled: u64,
}

impl Memory {
    pub(super) fn is_held(&self) -> bool {
        self.blocks.capacity() > 0
    }

    pub(super) fn release(&mut self) {
        self.blocks = Vec::new();
    }

    fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.blocks.len() < count {
            self.release();
            self.blocks.reserve_exact(count.max(RESERVED_BLOCKS));
            self.blocks.resize(count, Block::new());
        }
        &mut self.blocks[..count]
    }

    #[cfg(test)]
    pub(super) fn filled(&self) -> u64 {
        self.filled
    }
}

/// The algorithm with today's cost, and a hash that nobody knows the password of.
pub(super) struct Argon2id {
    params: Params,
    dummy: PasswordHash,
}

impl Argon2id {
    pub(super) fn new(cost: Cost) -> Result<Self, argon2::Error> {
        let params = Params::new(cost.memory_kib, cost.iterations, cost.lanes, Some(OUTPUT_BYTES))?;
        let dummy = assemble(&params, rand::random(), &rand::random::<[u8; OUTPUT_BYTES]>());
        let dummy = dummy.map_err(|_| argon2::Error::OutputTooLong)?;
        Ok(Self { params, dummy })
    }

    pub(super) fn hash(&self, password: &Password, memory: &mut Memory) -> Result<String, Error> {
        let salt: [u8; SALT_BYTES] = rand::random();
        let output = compute(
            Version::default(),
            self.params.clone(),
            password.as_bytes(),
            &salt,
            OUTPUT_BYTES,
            memory,
        )?;
        Ok(assemble(&self.params, salt, &output)?.to_string())
    }

    /// Without a stored hash the work is that of a hash with today's cost, so that the answer takes as long; and so is that of a
    /// stored hash that was cheaper. What does not match may have been hashed before passwords were normalised.
    pub(super) fn verify(
        &self,
        password: &Password,
        stored: Option<&str>,
        memory: &mut Memory,
    ) -> Result<Verdict, Error> {
        let stored = match stored {
            Some(text) => &PasswordHash::new(text).map_err(|_| Error::EncodingInvalid)?,
            None => &self.dummy,
        };
        let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
            return Err(Error::EncodingInvalid);
        };
        if Algorithm::try_from(stored.algorithm.as_str()).ok() != Some(Algorithm::Argon2id) {
            return Err(Error::Algorithm);
        }
        let version = Version::try_from(stored.version.unwrap_or(0x13)).map_err(|_| Error::Version)?;
        let params = Params::try_from(stored)?;
        if params.m_cost() > MOST_MEMORY_KIB {
            return Err(Error::EncodingInvalid);
        }
        let outdated = !self.is_current(version, &params);
        let mut compare = |bytes: &[u8]| -> Result<bool, Error> {
            let output = compute(version, params.clone(), bytes, salt, expected.len(), memory)?;
            let matches = constant_time::verify_slices_are_equal(&output, expected.as_bytes()).is_ok();
            if !matches {
                self.spend_the_rest(&params, memory)?;
            }
            Ok(matches)
        };
        if compare(password.as_bytes())? {
            return Ok(if outdated {
                Verdict::MatchOutdated
            } else {
                Verdict::Match
            });
        }
        for former in password.former_spellings() {
            if compare(former)? {
                return Ok(Verdict::MatchOutdated);
            }
        }
        Ok(Verdict::Mismatch)
    }

    /// After a hash that was cheaper than today's: the difference, so that nobody learns from the time that there is an old account.
    fn spend_the_rest(&self, spent: &Params, memory: &mut Memory) -> Result<(), Error> {
        let work = |params: &Params| u64::from(params.m_cost()) * u64::from(params.t_cost());
        let rest = work(&self.params).saturating_sub(work(spent)) / u64::from(self.params.t_cost());
        let rest = u32::try_from(rest).unwrap_or(u32::MAX);
        // Less is not worth a measurement, and the algorithm has a minimum.
        if rest < 8 * self.params.p_cost() {
            return Ok(());
        }
        let (passes, lanes) = (self.params.t_cost(), self.params.p_cost());
        let params = Params::new(rest, passes, lanes, Some(OUTPUT_BYTES)).map_err(|_| Error::EncodingInvalid)?;
        compute(Version::default(), params, b"", &[0; SALT_BYTES], OUTPUT_BYTES, memory).map(drop)
    }

    fn is_current(&self, version: Version, params: &Params) -> bool {
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        version == Version::default() && costs(params) == costs(&self.params)
    }
}

fn compute(
    version: Version,
    params: Params,
    password: &[u8],
    salt: &[u8],
    length: usize,
    memory: &mut Memory,
) -> Result<Vec<u8>, Error> {
    let mut output = vec![0; length];
    memory.filled += u64::from(params.m_cost()) * u64::from(params.t_cost());
    let blocks = memory.blocks(params.block_count());
    Argon2::new(Algorithm::Argon2id, version, params).hash_password_into_with_memory(
        password,
        salt,
        &mut output,
        blocks,
    )?;
    Ok(output)
}

fn assemble(params: &Params, salt: [u8; SALT_BYTES], output: &[u8]) -> Result<PasswordHash, Error> {
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(params)?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(Output::new(output)?),
    })
}
