//! `fantail token`: mints a JWT with a configured key.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use fantail_gateway::auth::{KeySection, MintRequest, SigningKey, mint};
use fantail_ops::clock::Clock;

use crate::cli::TokenArgs;
use crate::config::RawConfig;
use crate::demo::every_channel;

/// Longest private key file read.
const KEY_BYTES_MAX: u64 = 64 * 1_024;

/// Prints a token, and nothing else, to standard output.
///
/// # Errors
/// No key fits, or a channel is not understood.
pub fn run(args: &TokenArgs) -> anyhow::Result<ExitCode> {
    let (raw, problems) = RawConfig::load(&args.config);
    raw.meaning(problems)?;
    let key = choose(&raw.auth.keys, args)?;
    let signing = signing_key(key, args)?;
    let channels = if args.channels.is_empty() { every_channel() } else { args.channels.clone() };
    let request = MintRequest {
        user: args.user.clone(),
        issuer: key.iss.clone(),
        audience: key.aud.clone(),
        kid: key.kid.clone(),
        lifetime: Duration::from_secs(args.lifetime),
        channels,
        limits: Default::default(),
    };
    println!("{}", mint(&signing, &request, &Clock::system())?);
    Ok(ExitCode::SUCCESS)
}

fn choose<'a>(keys: &'a [KeySection], args: &TokenArgs) -> anyhow::Result<&'a KeySection> {
    let usable = |key: &&KeySection| key.secret.is_some() || args.private_key.is_some();
    let key = match &args.kid {
        Some(kid) => keys.iter().find(|key| key.kid.as_ref() == Some(kid)),
        None => keys.iter().find(usable),
    };
    key.with_context(|| match &args.kid {
        Some(kid) => format!("no [[auth.keys]] has kid = \"{kid}\""),
        None => "no [[auth.keys]] with a secret is configured; add one (HS256, 32 bytes or more), \
                 or name a private key with --private-key"
            .to_owned(),
    })
}

fn signing_key(key: &KeySection, args: &TokenArgs) -> anyhow::Result<SigningKey> {
    if let Some(path) = &args.private_key {
        let size = std::fs::metadata(path).with_context(|| path.display().to_string())?.len();
        anyhow::ensure!(size <= KEY_BYTES_MAX, "{}: too large for a key", path.display());
        let pem = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        return Ok(SigningKey::private(key.alg, &pem)?);
    }
    let secret = key.secret.as_ref().context(
        "this key's configuration holds only the public half; name the private one with \
         --private-key",
    )?;
    Ok(SigningKey::secret(secret.expose().as_bytes()))
}
