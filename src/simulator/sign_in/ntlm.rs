//! NTLMv2, the server's side: challenge, and the check of the answer with its MIC and channel binding. MS-NLMP

use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::{Digest as _, Md4};
use md5::Md5;
use sha2::Sha256;

use super::{Account, DOMAIN};

/// How far a connection's sign-in is.
#[derive(Debug, Default)]
pub enum State {
    /// Nobody said anything.
    #[default]
    New,
    /// A challenge was sent: NEGOTIATE, CHALLENGE.
    Challenged(Vec<u8>, Vec<u8>),
    /// Signed in, for as long as the connection lives.
    SignedIn(Account),
}

/// What follows from a message.
pub enum Step {
    /// A challenge is to be sent.
    Challenge(Vec<u8>),
    /// Somebody claims to be somebody.
    Claim(Box<Claim>),
    /// The message is wrong here.
    Refused,
}

/// An AUTHENTICATE message that follows its challenge, all but the password checked.
#[derive(Debug)]
pub struct Claim {
    /// As it was sent.
    pub user: String,
    /// As it was sent.
    pub domain: String,
    nonce: [u8; 8],
    response: Vec<u8>,
    encrypted_key: Option<Vec<u8>>,
    mic: Option<[u8; 16]>,
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    /// With the MIC left empty.
    authenticate: Vec<u8>,
}

const SIGNATURE: &[u8] = b"NTLMSSP\0";
const UNICODE: u32 = 0x0000_0001;
const KEY_EXCHANGE: u32 = 0x4000_0000;
const TARGET_TYPE_DOMAIN: u32 = 0x0001_0000;
const TARGET_INFO: u32 = 0x0080_0000;
const VERSION: u32 = 0x0200_0000;
/// What the server can do: Unicode, signing and sealing, extended security, key exchange, 128 and 56 bits, a MIC.
const ABLE: u32 = 0xe208_8235;
const MIC_AT: usize = 72;
const WITH_MIC: u32 = 2;

impl State {
    /// Who the connection belongs to.
    pub fn signed_in(&self) -> Option<Account> {
        if let Self::SignedIn(account) = self { Some(account.clone()) } else { None }
    }

    /// The connection belongs to somebody from now on.
    pub fn sign_in(&mut self, account: Account) {
        *self = Self::SignedIn(account);
    }

    /// Takes a message of the client.
    pub fn step(&mut self, message: &[u8], certificate: Option<&[u8]>) -> Step {
        let kind = message.get(..8).filter(|s| *s == SIGNATURE).and_then(|_| word(message, 8));
        match (kind, std::mem::take(self)) {
            (Some(1), _) => {
                let Some(challenge) = word(message, 12).and_then(challenge) else { return Step::Refused };
                *self = Self::Challenged(message.to_vec(), challenge.clone());
                Step::Challenge(challenge)
            }
            (Some(3), Self::Challenged(negotiate, challenge)) => {
                match Claim::read(message, negotiate, challenge, certificate) {
                    Some(claim) => Step::Claim(Box::new(claim)),
                    None => Step::Refused,
                }
            }
            _ => Step::Refused,
        }
    }
}

/// CHALLENGE_MESSAGE. MS-NLMP 2.2.1.2
fn challenge(asked: u32) -> Option<Vec<u8>> {
    if asked & UNICODE == 0 {
        return None;
    }
    let mut nonce = [0; 8];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut nonce).ok()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    let time = 116_444_736_000_000_000 + u64::try_from(now.as_nanos() / 100).ok()?;
    let name = utf16(DOMAIN);
    let mut info = Vec::new();
    let texts =
        [(2_u16, DOMAIN), (1, "EXCH01"), (4, "example.com"), (3, "exch01.example.com"), (5, "example.com")];
    for (id, text) in texts {
        let value = utf16(text);
        info.extend(id.to_le_bytes());
        info.extend(u16::try_from(value.len()).ok()?.to_le_bytes());
        info.extend(value);
    }
    info.extend([7, 0, 8, 0]);
    info.extend(time.to_le_bytes());
    info.extend([0; 4]);
    let flags = (asked & ABLE) | TARGET_TYPE_DOMAIN | TARGET_INFO | VERSION;
    let mut message = SIGNATURE.to_vec();
    message.extend(2_u32.to_le_bytes());
    let field = |length: usize, offset: usize| -> Option<Vec<u8>> {
        let length = u16::try_from(length).ok()?.to_le_bytes();
        Some([length.as_slice(), &length, &u32::try_from(offset).ok()?.to_le_bytes()].concat())
    };
    message.extend(field(name.len(), 56)?);
    message.extend(flags.to_le_bytes());
    message.extend(nonce);
    message.extend([0; 8]);
    message.extend(field(info.len(), 56 + name.len())?);
    // Windows Server 2019.
    message.extend([10, 0, 0x63, 0x45, 0, 0, 0, 15]);
    message.extend(name);
    message.extend(info);
    Some(message)
}

impl Claim {
    fn read(
        message: &[u8],
        negotiate: Vec<u8>,
        challenge: Vec<u8>,
        certificate: Option<&[u8]>,
    ) -> Option<Self> {
        let field = |at: usize| {
            let (length, offset) = (half(message, at)?, usize::try_from(word(message, at + 4)?).ok()?);
            message.get(offset..offset.checked_add(usize::from(length))?)
        };
        let response = field(20)?.to_vec();
        let flags = word(message, 60)?;
        // 24 octets are NTLM version 1; nothing is nobody.
        let temp = response.get(16..).filter(|temp| temp.len() >= 32 && temp.starts_with(&[1, 1]))?;
        let pairs = pairs(temp.get(28..)?)?;
        let pair = |id: u16| pairs.iter().find(|(known, _)| *known == id).map(|(_, value)| *value);
        // What the challenge said comes back as it was.
        if pair(2) != Some(utf16(DOMAIN).as_slice()) || pair(7)? != temp.get(8..16)? {
            return None;
        }
        if let Some(certificate) = certificate {
            // Extended Protection is required, as it is by default since Exchange 2019 CU14.
            if pair(10)? != binding(certificate) {
                return None;
            }
        }
        let av_flags = pair(6).and_then(|value| value.try_into().ok()).map_or(0, u32::from_le_bytes);
        let mut authenticate = message.to_vec();
        let mic = if av_flags & WITH_MIC == 0 {
            None
        } else {
            let place = authenticate.get_mut(MIC_AT..MIC_AT + 16)?;
            let mic = place.try_into().ok()?;
            place.fill(0);
            Some(mic)
        };
        Some(Self {
            user: text(field(36)?),
            domain: text(field(28)?),
            nonce: challenge.get(24..32)?.try_into().ok()?,
            encrypted_key: if flags & KEY_EXCHANGE == 0 { None } else { Some(field(52)?.to_vec()) },
            response,
            mic,
            negotiate,
            challenge,
            authenticate,
        })
    }

    /// Whether it was made with this password, and nobody changed the messages on the way. MS-NLMP 3.2.5.1.2
    pub fn proves(&self, password: &str) -> bool {
        let Some((proof, temp)) = self.response.split_at_checked(16) else { return false };
        let name = utf16(&(self.user.to_uppercase() + &self.domain));
        let key = hmac(&Md4::digest(utf16(password)), &[&name]);
        if hmac(&key, &[&self.nonce, temp]) != proof {
            return false;
        }
        let base = hmac(&key, &[proof]);
        let session = match &self.encrypted_key {
            Some(encrypted) => rc4(&base, encrypted),
            None => base.to_vec(),
        };
        let made = hmac(&session, &[&self.negotiate, &self.challenge, &self.authenticate]);
        self.mic.is_none_or(|mic| mic == made)
    }
}

/// AV_PAIRs up to the end of the list. MS-NLMP 2.2.2.1
fn pairs(mut octets: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    loop {
        let (id, length) = (half(octets, 0)?, usize::from(half(octets, 2)?));
        if id == 0 {
            return Some(found);
        }
        found.push((id, octets.get(4..4 + length)?));
        octets = octets.get(4 + length..)?;
    }
}

/// MD5 over the channel bindings of `tls-server-end-point`. RFC 5929 4; the certificates here are signed with SHA-256.
fn binding(certificate: &[u8]) -> [u8; 16] {
    let data = [b"tls-server-end-point:".as_slice(), &Sha256::digest(certificate)].concat();
    let length = u32::try_from(data.len()).unwrap_or_default().to_le_bytes();
    Md5::digest([[0; 16].as_slice(), &length, &data].concat()).into()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else { return [0; 16] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// RC4, which encrypts a client's session key. MS-NLMP 3.4.4
fn rc4(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut state: Vec<u8> = (0..=255).collect();
    let at = |state: &[u8], index: u8| state.get(usize::from(index)).copied().unwrap_or_default();
    let mut j = 0_u8;
    for (i, key) in (0..=255_u8).zip(key.iter().cycle()) {
        j = j.wrapping_add(at(&state, i)).wrapping_add(*key);
        state.swap(usize::from(i), usize::from(j));
    }
    let (mut i, mut j) = (0_u8, 0_u8);
    let next = |octet: &u8| {
        i = i.wrapping_add(1);
        j = j.wrapping_add(at(&state, i));
        state.swap(usize::from(i), usize::from(j));
        octet ^ at(&state, at(&state, i).wrapping_add(at(&state, j)))
    };
    data.iter().map(next).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn text(octets: &[u8]) -> String {
    let units: Vec<u16> = octets.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    String::from_utf16_lossy(&units)
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(octets.get(at..at + 4)?.try_into().ok()?))
}

fn half(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(octets.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn rc4_is_that_of_the_specification() {
        // RFC 6229 2, 40-bit key.
        assert_eq!(rc4(&[1, 2, 3, 4, 5], &[0; 8]), [0xb2, 0x39, 0x63, 0x05, 0xf0, 0x3d, 0xc0, 0x27]);
    }

    #[test]
    fn an_answer_without_a_challenge_is_refused() {
        let mut message = SIGNATURE.to_vec();
        message.extend(3_u32.to_le_bytes());
        message.extend([0; 100]);
        assert!(matches!(State::New.step(&message, None), Step::Refused));
        let mut state = State::New;
        assert!(matches!(state.step(b"NTLMSSP\0\x01\0\0\0\x05\0\0\0", None), Step::Challenge(_)));
        assert!(matches!(state.step(&message, None), Step::Refused));
    }
}
