//! Channel binding: ties a sign-in to the TLS connection that it came over, so that nobody in the middle can pass it on.

use md5::{Digest as _, Md5};
use sha2::{Sha256, Sha384, Sha512};

/// The hash of gss_channel_bindings_struct over `tls-server-end-point`. RFC 5929 4, MS-NLMP 3.1.5.1.2
pub fn of_certificate(certificate: &[u8]) -> [u8; 16] {
    let mut application = b"tls-server-end-point:".to_vec();
    match signature_hash(certificate) {
        Hash::Sha256 => application.extend(Sha256::digest(certificate)),
        Hash::Sha384 => application.extend(Sha384::digest(certificate)),
        Hash::Sha512 => application.extend(Sha512::digest(certificate)),
    }
    // Initiator and acceptor addresses: types and lengths, all zero. RFC 2744 3.11
    let mut hash = Md5::new();
    hash.update([0; 16]);
    hash.update(u32::try_from(application.len()).unwrap_or_default().to_le_bytes());
    hash.update(&application);
    hash.finalize().into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// Signature algorithms by their OID's octets; MD5 and SHA-1 count as SHA-256, and so does what is unknown.
const SIGNATURES: [(&[u8], Hash); 4] = [
    // sha384WithRSAEncryption, sha512WithRSAEncryption: 1.2.840.113549.1.1.12 and .13
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c], Hash::Sha384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d], Hash::Sha512),
    // ecdsa-with-SHA384, ecdsa-with-SHA512: 1.2.840.10045.4.3.3 and .4
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], Hash::Sha384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], Hash::Sha512),
];
/// RSASSA-PSS names its hash in the parameters: 1.2.840.113549.1.1.10
const PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
/// id-sha384, id-sha512: 2.16.840.1.101.3.4.2.2 and .3
const PSS_HASHES: [(&[u8], Hash); 2] = [
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02], Hash::Sha384),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03], Hash::Sha512),
];

fn signature_hash(certificate: &[u8]) -> Hash {
    let known = || {
        // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, … }, … }
        let (certificate, _) = value(certificate)?;
        let (_, after_tbs) = value(certificate)?;
        let (algorithm, _) = value(after_tbs)?;
        let (oid, parameters) = value(algorithm)?;
        if oid == PSS {
            // RSASSA-PSS-params ::= SEQUENCE { [0] SEQUENCE { OID, … }, … }
            let (parameters, _) = value(parameters)?;
            let (tagged, _) = value(parameters)?;
            let (hash, _) = value(tagged)?;
            let (oid, _) = value(hash)?;
            return PSS_HASHES.iter().find(|(known, _)| *known == oid).map(|(_, hash)| *hash);
        }
        SIGNATURES.iter().find(|(known, _)| *known == oid).map(|(_, hash)| *hash)
    };
    known().unwrap_or(Hash::Sha256)
}

/// The first DER value's content, and what follows it. X.690 8.1
fn value(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if octets.len() > 4 {
            return None;
        }
        (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn certificate(oid: &[u8]) -> Vec<u8> {
        let wrap =
            |tag: u8, content: Vec<u8>| [vec![tag, u8::try_from(content.len()).unwrap()], content].concat();
        let algorithm = wrap(0x30, wrap(0x06, oid.to_vec()));
        wrap(0x30, [wrap(0x30, vec![1, 2, 3]), algorithm].concat())
    }

    #[test]
    fn the_hash_is_that_of_the_signature_but_never_weaker_than_sha_256() {
        assert_eq!(signature_hash(&certificate(SIGNATURES[2].0)), Hash::Sha384);
        assert_eq!(signature_hash(&certificate(SIGNATURES[1].0)), Hash::Sha512);
        // sha1WithRSAEncryption
        assert_eq!(
            signature_hash(&certificate(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05])),
            Hash::Sha256
        );
    }

    #[test]
    fn what_is_no_certificate_does_no_harm() {
        for octets in [
            &[][..],
            &[0x30],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        ] {
            assert_eq!(signature_hash(octets), Hash::Sha256);
        }
    }
}
