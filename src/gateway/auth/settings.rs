//! The `[auth]` section: what was written, and what it means.
//!
//! Owns both forms and the way between them; every mistake is told with its key. Reads key files
//! once, here. Decides nothing about requests.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use fantail_model::Pattern;
use fantail_ops::config::{HumanDuration, Problems};
use fantail_ops::secret::Secret;
use serde::Deserialize;

use super::api_key::{self, ApiKey, ApiKeys};
use super::identity::{Scope, Scopes};
use super::keys::{KeyAlgorithm, VerificationKey};
use super::limits;
use super::network::{Network, Networks};
use super::origin::Origin;
use super::permission::{LimitOverrides, Permission, parse_grant};

/// `[auth]` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSection {
    /// Whether sessions without credentials are accepted.
    pub anonymous: bool,
    /// What they may see; every market channel unless written.
    pub anonymous_channels: Vec<String>,
    /// Web origins that may use this server: `https://x.example`.
    pub origins: Vec<String>,
    /// Whether `?token=` is accepted.
    pub query_token: bool,
    /// Tolerated clock difference to the issuers.
    pub leeway: HumanDuration,
    /// Failed attempts of an address per minute before it has to wait; 0 = no limit.
    pub failed_attempts_per_minute: u32,
    /// If not empty, only these address ranges may connect.
    pub ip_allow: Vec<String>,
    /// Address ranges that may not.
    pub ip_deny: Vec<String>,
    /// `[[auth.keys]]`: keys tokens are verified with.
    pub keys: Vec<KeySection>,
    /// `[[auth.api_keys]]`.
    pub api_keys: Vec<ApiKeySection>,
}

/// One `[[auth.keys]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySection {
    /// The `kid` tokens name it by.
    pub kid: Option<String>,
    /// The one algorithm it verifies.
    pub alg: KeyAlgorithm,
    /// HS256: the secret, at least 32 bytes.
    pub secret: Option<Secret>,
    /// The others: the public key in PEM …
    pub public_key: Option<String>,
    /// … or the file that holds it.
    pub public_key_file: Option<PathBuf>,
    /// Required `iss`.
    pub iss: String,
    /// Required `aud`.
    pub aud: String,
}

/// One `[[auth.api_keys]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeySection {
    /// The middle part of `ftk_<id>_<secret>`.
    pub id: String,
    /// SHA-256 of the secret part, in hexadecimal.
    pub hash: String,
    /// Whose it is.
    pub user: String,
    /// Channel patterns it may see.
    pub channels: Vec<String>,
    /// Limits that differ from the node's.
    #[serde(default)]
    pub limits: LimitOverrides,
    /// `stream`, `rest`; both unless written.
    #[serde(default)]
    pub scopes: Vec<Scope>,
}

/// `[auth]` as meant.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// What anonymous sessions may see, if there are any.
    pub anonymous: Option<Permission>,
    /// Allowed web origins.
    pub origins: Vec<Origin>,
    /// Whether `?token=` is accepted.
    pub query_token: bool,
    /// Tolerated clock difference.
    pub leeway: Duration,
    /// Failed attempts of an address per minute; 0 = no limit.
    pub failed_attempts_per_minute: u32,
    /// Who may connect at all.
    pub networks: Networks,
    /// Keys of tokens.
    pub keys: Vec<VerificationKey>,
    /// API keys.
    pub api_keys: ApiKeys,
}

impl Default for AuthSection {
    fn default() -> Self {
        Self {
            anonymous: false,
            anonymous_channels: Permission::everything().grants(),
            origins: Vec::new(),
            query_token: false,
            leeway: HumanDuration::from_secs(30),
            failed_attempts_per_minute: 30,
            ip_allow: Vec::new(),
            ip_deny: Vec::new(),
            keys: Vec::new(),
            api_keys: Vec::new(),
        }
    }
}

impl AuthSection {
    /// What the section means. What is wrong goes to `problems` and is left out.
    #[must_use]
    pub fn meaning(&self, problems: &mut Problems) -> AuthConfig {
        let mut reader = Reader { problems };
        let channels = reader.grants("auth.anonymous_channels", &self.anonymous_channels);
        AuthConfig {
            anonymous: self.anonymous.then_some(channels),
            origins: reader.each::<Origin>(
                "auth.origins",
                &self.origins,
                limits::ORIGINS_MAX,
                "write scheme://host[:port], without a path: https://x.example",
            ),
            query_token: self.query_token,
            leeway: reader.leeway(self.leeway),
            failed_attempts_per_minute: self.failed_attempts_per_minute,
            networks: Networks {
                allow: reader.networks("auth.ip_allow", &self.ip_allow),
                deny: reader.networks("auth.ip_deny", &self.ip_deny),
            },
            keys: reader.keys(&self.keys),
            api_keys: reader.api_keys(&self.api_keys),
        }
    }
}

impl AuthConfig {
    /// Whether no credential at all could be accepted: surely not what was meant.
    #[must_use]
    pub fn admits_nobody(&self) -> bool {
        self.anonymous.is_none() && self.keys.is_empty() && self.api_keys.is_empty()
    }
}

/// Turns written values into meant ones and collects what can't be.
struct Reader<'a> {
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn each<T: FromStr>(&mut self, key: &str, list: &[String], max: usize, fix: &str) -> Vec<T> {
        self.bounded(key, list.len(), max);
        let mut meant = Vec::new();
        for (at, text) in list.iter().enumerate().take(max) {
            match text.parse() {
                Ok(value) => meant.push(value),
                Err(_) => self.problems.push(format!("{key}.{at}"), text, "not understood", fix),
            }
        }
        meant
    }

    fn bounded(&mut self, key: &str, len: usize, max: usize) {
        if len > max {
            self.problems.push(key, "", format!("more than {max} entries"), "");
        }
    }

    fn networks(&mut self, key: &str, list: &[String]) -> Vec<Network> {
        let fix = "write a range without bits beyond its prefix, like 10.0.0.0/8 or 2001:db8::/32";
        self.each(key, list, limits::NETWORKS_MAX, fix)
    }

    fn grants(&mut self, key: &str, list: &[String]) -> Permission {
        self.bounded(key, list.len(), limits::GRANTS_MAX);
        let mut grants: Vec<Pattern> = Vec::new();
        for (at, text) in list.iter().enumerate().take(limits::GRANTS_MAX) {
            match parse_grant(text) {
                Ok(grant) => grants.push(grant),
                Err(error) => {
                    self.problems.push(format!("{key}.{at}"), text, error.reason, error.suggestion);
                }
            }
        }
        Permission::new(grants)
    }

    fn leeway(&mut self, leeway: HumanDuration) -> Duration {
        if leeway.get() > limits::LEEWAY_MAX {
            let reason = "expired tokens would live too long";
            self.problems.push("auth.leeway", leeway, reason, "at most 5m; 30s is usual");
        }
        leeway.get().min(limits::LEEWAY_MAX)
    }

    fn keys(&mut self, sections: &[KeySection]) -> Vec<VerificationKey> {
        self.bounded("auth.keys", sections.len(), limits::KEYS_MAX);
        let mut keys = Vec::new();
        for (at, section) in sections.iter().enumerate().take(limits::KEYS_MAX) {
            let name = format!("auth.keys.{at}");
            for (field, text) in [("iss", &section.iss), ("aud", &section.aud)] {
                if text.is_empty() {
                    let fix = "tokens of anyone else would do";
                    self.problems.push(format!("{name}.{field}"), "", "must not be empty", fix);
                }
            }
            keys.extend(match section.alg {
                KeyAlgorithm::HS256 => self.secret_key(&name, section),
                _ => self.public_key(&name, section),
            });
        }
        keys
    }

    fn secret_key(&mut self, name: &str, section: &KeySection) -> Option<VerificationKey> {
        if section.public_key.is_some() || section.public_key_file.is_some() {
            let fix = "HS256 takes only a secret; for a key pair, set alg to its algorithm";
            self.problems.push(format!("{name}.alg"), "HS256", "a public key is given", fix);
            return None;
        }
        let secret = section.secret.as_ref().map_or("", Secret::expose);
        if secret.len() < limits::HMAC_SECRET_BYTES_MIN {
            let reason = "HS256 needs a secret of at least 32 bytes";
            self.problems.push(format!("{name}.secret"), "", reason, "openssl rand -hex 32");
            return None;
        }
        let (kid, iss, aud) = (section.kid.clone(), section.iss.clone(), section.aud.clone());
        Some(VerificationKey::secret(kid, iss, aud, secret.as_bytes()))
    }

    fn public_key(&mut self, name: &str, section: &KeySection) -> Option<VerificationKey> {
        let alg = section.alg;
        if section.secret.is_some() {
            let reason = "a secret is for HS256 only";
            self.problems.push(format!("{name}.secret"), "", reason, "give public_key instead");
        }
        let (field, pem) = match (&section.public_key, &section.public_key_file) {
            (Some(pem), None) => ("public_key", pem.clone()),
            (None, Some(file)) => ("public_key_file", self.read_key_file(name, file)?),
            _ => {
                let reason = format!("{} needs one public key", alg.as_str());
                let fix = "give either public_key (PEM) or public_key_file";
                self.problems.push(name, "", reason, fix);
                return None;
            }
        };
        let (kid, iss, aud) = (section.kid.clone(), section.iss.clone(), section.aud.clone());
        VerificationKey::public(kid, iss, aud, alg, &pem)
            .map_err(|error| {
                let fix = format!("a public key for {} in PEM", alg.as_str());
                self.problems.push(format!("{name}.{field}"), "", error.to_string(), fix);
            })
            .ok()
    }

    fn read_key_file(&mut self, name: &str, file: &Path) -> Option<String> {
        let mut text = String::new();
        let read = File::open(file)
            .and_then(|open| open.take(limits::KEY_FILE_BYTES_MAX).read_to_string(&mut text));
        match read {
            Ok(_) => Some(text),
            Err(error) => {
                let key = format!("{name}.public_key_file");
                self.problems.push(key, file.display(), error.to_string(), "");
                None
            }
        }
    }

    fn api_keys(&mut self, sections: &[ApiKeySection]) -> ApiKeys {
        self.bounded("auth.api_keys", sections.len(), limits::API_KEYS_MAX);
        let mut keys = HashMap::new();
        for (at, section) in sections.iter().enumerate().take(limits::API_KEYS_MAX) {
            let name = format!("auth.api_keys.{at}");
            if !api_key::is_id(&section.id) {
                let fix = "1 to 32 lower case letters, digits and dashes";
                self.problems.push(format!("{name}.id"), &section.id, "not an id", fix);
            }
            if section.user.is_empty() || section.user.len() > limits::USER_BYTES_MAX {
                let key = format!("{name}.user");
                self.problems.push(key, &section.user, "must have 1 to 256 bytes", "");
            }
            let hash = api_key::parse_hash(&section.hash).unwrap_or_else(|| {
                let fix = "printf %s \"$SECRET\" | sha256sum";
                self.problems.push(format!("{name}.hash"), "", "not 64 hexadecimal digits", fix);
                [0; 32]
            });
            let key = ApiKey {
                hash,
                user: section.user.clone(),
                permission: self.grants(&format!("{name}.channels"), &section.channels),
                limits: section.limits,
                scopes: Scopes::of(&section.scopes),
            };
            if keys.insert(section.id.clone(), key).is_some() {
                self.problems.push(format!("{name}.id"), &section.id, "given twice", "");
            }
        }
        ApiKeys::new(keys)
    }
}
