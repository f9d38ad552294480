//! SPNEGO around NTLM: what IIS takes in `Negotiate`. RFC 4178

/// 1.3.6.1.4.1.311.2.2.10
const NTLM_OID: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];
const SIGNATURE: &[u8] = b"NTLMSSP\0";

/// The NTLM message in a token; IIS takes it with SPNEGO around it and without.
pub fn inner(token: &[u8]) -> Option<&[u8]> {
    if token.starts_with(SIGNATURE) {
        return Some(token);
    }
    // InitialContextToken { OID, [0] NegTokenInit } or [1] NegTokenResp; a sequence of tagged fields within both.
    let content = match token.first()? {
        0x60 => {
            let (inside, _) = value(token)?;
            let (_, after_oid) = value(inside)?;
            value(after_oid)?.0
        }
        0xa1 => value(token)?.0,
        _ => return None,
    };
    let (mut fields, _) = value(content)?;
    while !fields.is_empty() {
        let tag = *fields.first()?;
        let (field, rest) = value(fields)?;
        // mechToken and responseToken.
        if tag == 0xa2 {
            return value(field).map(|(token, _)| token).filter(|token| token.starts_with(SIGNATURE));
        }
        fields = rest;
    }
    None
}

/// NegTokenResp: accept-incomplete, NTLM, and its challenge.
pub fn challenge(message: &[u8]) -> Vec<u8> {
    let state = tagged(0xa0, &tagged(0x0a, &[1]));
    let mechanism = tagged(0xa1, &tagged(0x06, &NTLM_OID));
    let token = tagged(0xa2, &tagged(0x04, message));
    tagged(0xa1, &tagged(0x30, &[state, mechanism, token].concat()))
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => der.push(short),
        Ok(long) => der.extend([0x81, long]),
        Err(_) => {
            der.push(0x82);
            der.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    der.extend(content);
    der
}

/// The first DER value's content, and what follows it. X.690 8.1
fn value(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (octets, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(o, _)| o.len() <= 2)?;
        (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
    };
    rest.split_at_checked(length)
}
