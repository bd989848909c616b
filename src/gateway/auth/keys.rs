//! Verification and signing keys of tokens, with the one algorithm each is for.
//!
//! Owns the binding of key, algorithm, issuer and audience: what a token's header says can only
//! be compared with it. Reads PEM text; files are read by `settings`.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::Deserialize;

use super::limits::RSA_BITS_MIN;

/// Algorithms a key may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum KeyAlgorithm {
    /// HMAC with SHA-256.
    HS256,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

/// A key tokens are verified with.
#[derive(Clone)]
pub struct VerificationKey {
    /// The `kid` tokens name it by; without one, it is tried for tokens without one.
    pub kid: Option<String>,
    /// The only algorithm it verifies.
    pub algorithm: KeyAlgorithm,
    /// Required `iss`.
    pub issuer: String,
    /// Required among `aud`.
    pub audience: String,
    material: DecodingKey,
}

/// A key tokens are minted with.
#[derive(Clone)]
pub struct SigningKey {
    pub(super) algorithm: KeyAlgorithm,
    pub(super) material: EncodingKey,
}

/// Why text is no key of an algorithm. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A private key where a public one belongs.
    #[error("that is a private key; only its public half belongs here")]
    Private,
    /// Not PEM, or of another kind.
    #[error("not a PEM key of this algorithm")]
    Unreadable,
    /// RSA below 2048 bits.
    #[error("an RSA key needs at least 2048 bits")]
    TooSmall,
    /// HS256 with a PEM, or the reverse.
    #[error("HS256 takes a secret, the other algorithms a key pair")]
    WrongKind,
}

impl KeyAlgorithm {
    /// As tokens write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }

    pub(super) const fn library(self) -> Algorithm {
        match self {
            Self::HS256 => Algorithm::HS256,
            Self::RS256 => Algorithm::RS256,
            Self::ES256 => Algorithm::ES256,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }
}

impl VerificationKey {
    /// An HS256 key.
    #[must_use]
    pub fn secret(kid: Option<String>, issuer: String, audience: String, secret: &[u8]) -> Self {
        let (algorithm, material) = (KeyAlgorithm::HS256, DecodingKey::from_secret(secret));
        Self { kid, algorithm, issuer, audience, material }
    }

    /// A public key in PEM.
    ///
    /// # Errors
    /// [`KeyError`] when it isn't one of this algorithm.
    pub fn public(
        kid: Option<String>,
        issuer: String,
        audience: String,
        algorithm: KeyAlgorithm,
        pem: &str,
    ) -> Result<Self, KeyError> {
        if pem.contains("PRIVATE KEY") {
            return Err(KeyError::Private);
        }
        let read = match algorithm {
            KeyAlgorithm::HS256 => return Err(KeyError::WrongKind),
            KeyAlgorithm::RS256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
            KeyAlgorithm::ES256 => DecodingKey::from_ec_pem(pem.as_bytes()),
            KeyAlgorithm::EdDSA => DecodingKey::from_ed_pem(pem.as_bytes()),
        };
        let material = read.map_err(|_| KeyError::Unreadable)?;
        let bytes = material.try_get_as_bytes().map_err(|_| KeyError::Unreadable)?;
        match algorithm {
            // The DER holds the modulus and some 14 bytes more.
            KeyAlgorithm::RS256 if bytes.len() < RSA_BITS_MIN / 8 => Err(KeyError::TooSmall),
            // An uncompressed point of P-256; other curves are longer or shorter.
            KeyAlgorithm::ES256 if bytes.len() != 65 => Err(KeyError::Unreadable),
            _ => Ok(Self { kid, algorithm, issuer, audience, material }),
        }
    }

    /// Whether `signature` (base64url) is this key's over `message`.
    pub(super) fn verifies(&self, message: &str, signature: &str) -> bool {
        let algorithm = self.algorithm.library();
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.material, algorithm)
            .unwrap_or(false)
    }
}

impl SigningKey {
    /// An HS256 key.
    #[must_use]
    pub fn secret(secret: &[u8]) -> Self {
        Self { algorithm: KeyAlgorithm::HS256, material: EncodingKey::from_secret(secret) }
    }

    /// A private key in PEM (PKCS#8; RSA also in PKCS#1).
    ///
    /// # Errors
    /// [`KeyError`] when it isn't one of this algorithm.
    pub fn private(algorithm: KeyAlgorithm, pem: &str) -> Result<Self, KeyError> {
        let read = match algorithm {
            KeyAlgorithm::HS256 => return Err(KeyError::WrongKind),
            KeyAlgorithm::RS256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
            KeyAlgorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            KeyAlgorithm::EdDSA => EncodingKey::from_ed_pem(pem.as_bytes()),
        };
        Ok(Self { algorithm, material: read.map_err(|_| KeyError::Unreadable)? })
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerificationKey({:?}, {})", self.kid, self.algorithm.as_str())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm.as_str())
    }
}

/// Chooses the one crypto backend of the process for tokens. Safe to call any number of times; a
/// process in which two backends could be meant would otherwise panic at its first token.
pub fn install_crypto() {
    // Refused when installed before, by us or by the process: both are fine.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
