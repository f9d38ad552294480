//! NTLMv2, the client's side: three messages that sign a connection in. MS-NLMP
//!
//! No signing or sealing follows over HTTP, so no session key is exchanged; the MIC is made with the base key.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::{Digest as _, Md4};
use md5::Md5;

/// What one answer to a challenge is made from.
pub struct Answer<'a> {
    /// `user@domain`, `DOMAIN\user` or a bare name.
    pub login: &'a str,
    /// The password.
    pub password: &'a str,
    /// `HTTP/host`.
    pub target: &'a str,
    /// Hash of the TLS channel; `None` without TLS.
    pub binding: Option<[u8; 16]>,
    /// Random.
    pub nonce: [u8; 8],
    /// FILETIME, for servers that do not tell theirs.
    pub now: u64,
}

/// The server's challenge makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

// NEGOTIATE flags. MS-NLMP 2.2.2.5
const UNICODE: u32 = 0x0000_0001;
const REQUEST_TARGET: u32 = 0x0000_0004;
const NTLM: u32 = 0x0000_0200;
const ALWAYS_SIGN: u32 = 0x0000_8000;
const EXTENDED_SECURITY: u32 = 0x0008_0000;
const TARGET_INFO: u32 = 0x0080_0000;
const KEY_128: u32 = 0x2000_0000;
const KEY_56: u32 = 0x8000_0000;
const ASKED: u32 = UNICODE | REQUEST_TARGET | NTLM | ALWAYS_SIGN | EXTENDED_SECURITY | KEY_128 | KEY_56;

// AV_PAIR ids. MS-NLMP 2.2.2.1
const AV_EOL: u16 = 0;
const AV_DOMAIN: u16 = 2;
const AV_FLAGS: u16 = 6;
const AV_TIMESTAMP: u16 = 7;
const AV_TARGET: u16 = 9;
const AV_BINDING: u16 = 10;
/// The message carries a MIC.
const WITH_MIC: u32 = 2;

/// Where the payload of AUTHENTICATE begins: after the fixed fields, the version and the MIC.
const PAYLOAD: usize = 88;
const MIC_AT: usize = 72;

/// NEGOTIATE_MESSAGE. MS-NLMP 2.2.1.1
pub fn negotiate() -> Vec<u8> {
    let mut message = SIGNATURE.to_vec();
    message.extend(1_u32.to_le_bytes());
    message.extend(ASKED.to_le_bytes());
    // No domain, no workstation, no version.
    message.extend([0; 24]);
    message
}

/// AUTHENTICATE_MESSAGE to a CHALLENGE_MESSAGE, with NTLMv2 and MIC. MS-NLMP 3.1.5.1.2
pub fn authenticate(negotiated: &[u8], challenge: &[u8], answer: &Answer<'_>) -> Result<Vec<u8>, Malformed> {
    let Challenge { flags, nonce, pairs } = Challenge::read(challenge)?;
    let (user, domain) = split(answer.login, &pairs);
    let key = owf(answer.password, &user, &domain);
    let time = pairs
        .iter()
        .find(|(id, _)| *id == AV_TIMESTAMP)
        .and_then(|(_, value)| value.as_slice().try_into().ok())
        .unwrap_or_else(|| answer.now.to_le_bytes());

    let mut temp = vec![1, 1, 0, 0, 0, 0, 0, 0];
    temp.extend(time);
    temp.extend(answer.nonce);
    temp.extend([0; 4]);
    temp.extend(target_info(pairs, answer));
    temp.extend([0; 4]);
    let proof = hmac(&key, &[&nonce, &temp]);
    let base_key = hmac(&key, &[&proof]);
    let response = [proof.as_slice(), &temp].concat();

    // MS-NLMP 3.1.5.1.2: with a timestamp in the challenge the LM response is 24 zeros.
    let fields: [&[u8]; 6] = [&[0; 24], &response, &utf16(&domain), &utf16(&user), &[], &[]];
    let mut message = SIGNATURE.to_vec();
    message.extend(3_u32.to_le_bytes());
    let mut offset = PAYLOAD;
    for field in fields {
        let length = u16::try_from(field.len()).map_err(|_| Malformed)?;
        message.extend(length.to_le_bytes());
        message.extend(length.to_le_bytes());
        message.extend(u32::try_from(offset).map_err(|_| Malformed)?.to_le_bytes());
        offset += field.len();
    }
    message.extend((flags & (ASKED | TARGET_INFO)).to_le_bytes());
    message.extend([0; 8 + 16]);
    message.extend(fields.concat());
    let mic = hmac(&base_key, &[negotiated, challenge, &message]);
    message.get_mut(MIC_AT..PAYLOAD).ok_or(Malformed)?.copy_from_slice(&mic);
    Ok(message)
}

/// The server's pairs with ours. MS-NLMP 3.1.5.1.2
fn target_info(mut pairs: Vec<(u16, Vec<u8>)>, answer: &Answer<'_>) -> Vec<u8> {
    let flags = pairs.iter().find(|(id, _)| *id == AV_FLAGS);
    let flags = flags.and_then(|(_, value)| value.as_slice().try_into().ok()).map_or(0, u32::from_le_bytes);
    pairs.retain(|(id, _)| ![AV_FLAGS, AV_TARGET, AV_BINDING].contains(id));
    pairs.push((AV_FLAGS, (flags | WITH_MIC).to_le_bytes().to_vec()));
    pairs.push((AV_BINDING, answer.binding.unwrap_or_default().to_vec()));
    pairs.push((AV_TARGET, utf16(answer.target)));
    pairs.push((AV_EOL, Vec::new()));
    let mut octets = Vec::new();
    for (id, value) in pairs {
        octets.extend(id.to_le_bytes());
        octets.extend(u16::try_from(value.len()).unwrap_or_default().to_le_bytes());
        octets.extend(value);
    }
    octets
}

/// NTOWFv2. MS-NLMP 3.3.2
fn owf(password: &str, user: &str, domain: &str) -> [u8; 16] {
    let hash = Md4::digest(utf16(password));
    hmac(&hash, &[&utf16(&user.to_uppercase()), &utf16(domain)])
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    // HMAC takes keys of any length, so this cannot fail; the fallback signs nobody in.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else { return [0; 16] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// User and domain of a login; a bare name is meant in the server's domain, a UPN carries its own.
fn split(login: &str, pairs: &[(u16, Vec<u8>)]) -> (String, String) {
    if let Some((domain, user)) = login.split_once('\\') {
        return (user.to_owned(), domain.to_owned());
    }
    if login.contains('@') {
        return (login.to_owned(), String::new());
    }
    let domain = pairs.iter().find(|(id, _)| *id == AV_DOMAIN).map(|(_, value)| {
        let units = value.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    });
    (login.to_owned(), domain.unwrap_or_default())
}

/// What matters of a CHALLENGE_MESSAGE. MS-NLMP 2.2.1.2
struct Challenge {
    flags: u32,
    nonce: [u8; 8],
    pairs: Vec<(u16, Vec<u8>)>,
}

impl Challenge {
    fn read(message: &[u8]) -> Result<Self, Malformed> {
        if message.get(..8) != Some(SIGNATURE) || word(message, 8)? != 2 {
            return Err(Malformed);
        }
        let nonce = message.get(24..32).and_then(|n| n.try_into().ok()).ok_or(Malformed)?;
        let length = usize::from(half(message, 40)?);
        let offset = usize::try_from(word(message, 44)?).map_err(|_| Malformed)?;
        let end = offset.checked_add(length).ok_or(Malformed)?;
        let mut info = message.get(offset..end).ok_or(Malformed)?;
        let mut pairs = Vec::new();
        while !info.is_empty() {
            let (id, length) = (half(info, 0)?, usize::from(half(info, 2)?));
            if id == AV_EOL {
                break;
            }
            pairs.push((id, info.get(4..4 + length).ok_or(Malformed)?.to_vec()));
            info = info.get(4 + length..).unwrap_or_default();
        }
        Ok(Self { flags: word(message, 20)?, nonce, pairs })
    }
}

fn word(octets: &[u8], at: usize) -> Result<u32, Malformed> {
    let found = octets.get(at..at + 4).and_then(|o| o.try_into().ok());
    found.map(u32::from_le_bytes).ok_or(Malformed)
}

fn half(octets: &[u8], at: usize) -> Result<u16, Malformed> {
    let found = octets.get(at..at + 2).and_then(|o| o.try_into().ok());
    found.map(u16::from_le_bytes).ok_or(Malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|o| format!("{o:02x}")).collect()
    }

    #[test]
    fn the_keys_are_those_of_the_specification() {
        // MS-NLMP 4.2.4.1.1
        assert_eq!(hex(&owf("Password", "User", "Domain")), "0c868a403bfd7a93a3001ef22ef02e3f");
        // MS-NLMP 4.2.4.1.3, 4.2.4.2.2
        let mut temp = vec![1, 1, 0, 0, 0, 0, 0, 0];
        temp.extend([0; 8]);
        temp.extend([0xaa; 8]);
        temp.extend([0; 4]);
        for (id, text) in [(2_u16, "Domain"), (1, "Server")] {
            temp.extend(id.to_le_bytes());
            temp.extend([12, 0]);
            temp.extend(utf16(text));
        }
        temp.extend([0; 8]);
        let nonce = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let key = owf("Password", "User", "Domain");
        let proof = hmac(&key, &[&nonce, &temp]);
        assert_eq!(hex(&proof), "68cd0ab851e51c96aabc927bebef6a1c");
        assert_eq!(hex(&hmac(&key, &[&proof])), "8de40ccadbc14a82f15cb0ad0de95ca3");
    }

    #[test]
    fn names_are_split_as_windows_does() {
        let pairs = [(AV_DOMAIN, utf16("CORP"))];
        let own = |user: &str, domain: &str| (user.to_owned(), domain.to_owned());
        assert_eq!(split("OTHER\\alice", &pairs), own("alice", "OTHER"));
        assert_eq!(split("alice@example.com", &pairs), own("alice@example.com", ""));
        assert_eq!(split("alice", &pairs), own("alice", "CORP"));
    }

    #[test]
    fn a_challenge_that_is_none_is_refused() {
        let answer =
            Answer { login: "a", password: "b", target: "HTTP/x", binding: None, nonce: [0; 8], now: 0 };
        let mut cut = negotiate();
        cut[8] = 2;
        let mut beyond = [cut.clone(), vec![0; 24]].concat();
        beyond[40..48].copy_from_slice(&[0xff, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        let mut long_pair = [cut.clone(), vec![0; 24]].concat();
        long_pair[40..48].copy_from_slice(&[4, 0, 4, 0, 48, 0, 0, 0]);
        long_pair[48..52].copy_from_slice(&[2, 0, 0xff, 0xff]);
        for challenge in [b"".to_vec(), cut, beyond, long_pair, negotiate()] {
            assert_eq!(authenticate(&negotiate(), &challenge, &answer), Err(Malformed));
        }
    }
}
