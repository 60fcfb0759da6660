//! Writes the seeds of every target into `corpus/`, each under the digest of its bytes.
//!
//! `RUSTFLAGS="--cfg fuzzing" cargo run --no-default-features --example seeds`, in `fuzz/`.

use std::{fs, io, path::Path};

use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    for (target, _run) in duologue_fuzz::TARGETS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(target);
        fs::create_dir_all(&directory)?;
        let seeds = duologue_fuzz::seeds::of(target);
        for seed in &seeds {
            let digest = Sha256::digest(seed);
            let name: String = digest
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            fs::write(directory.join(name), seed)?;
        }
        println!("{target}: {}", seeds.len());
    }
    Ok(())
}
