use super::super::private_key::SecretKey;
use super::*;

/// Made by OpenSSH 9.2p1: `ssh-keygen -Y sign -n file@example.com` over `message`.
const OPENSSH: &str = "-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgvsBWBp07hHzUFIUij2tOeHbk0U
KogKAELNmGzpK/U50AAAAQZmlsZUBleGFtcGxlLmNvbQAAAAAAAAAGc2hhNTEyAAAAUwAA
AAtzc2gtZWQyNTUxOQAAAEAYeRKkqrPYB1Tv5Vg6ueGY//Vh1YH/f/96HzrwYxTqRNb58f
pW0UbOZmYs7TBWyBjs4/MX7Wzdb2hDfn51DsIF
-----END SSH SIGNATURE-----
";

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length[..], bytes].concat()
}

/// The fields of a blob, each of which a test may spoil.
#[derive(Clone)]
struct Fields {
    version: u32,
    key: Vec<u8>,
    namespace: Vec<u8>,
    reserved: Vec<u8>,
    hash: Vec<u8>,
    signature: Vec<u8>,
}

impl Fields {
    /// What Alice signs, in namespace `n`.
    fn new(hash: HashAlg, message: &[u8]) -> Self {
        let alice = SecretKey::from_seed(&[1; 32]);
        let data = SshSig::signed_data("n", hash, message).unwrap();
        Self {
            version: 1,
            key: alice.public().to_blob(),
            namespace: b"n".to_vec(),
            reserved: Vec::new(),
            hash: hash.to_string().into_bytes(),
            signature: [string(b"ssh-ed25519"), string(&alice.sign(&data))].concat(),
        }
    }

    fn blob(&self) -> Vec<u8> {
        let mut blob = b"SSHSIG".to_vec();
        blob.extend(self.version.to_be_bytes());
        for field in [
            &self.key,
            &self.namespace,
            &self.reserved,
            &self.hash,
            &self.signature,
        ] {
            blob.extend(string(field));
        }
        blob
    }
}

fn armor(blob: &[u8]) -> String {
    format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(blob))
}

fn refused(blob: &[u8]) -> Code {
    SshSignature::parse(armor(blob).as_bytes())
        .unwrap_err()
        .code()
}

#[test]
fn a_signature_of_openssh_is_read_and_written_as_it_was() {
    let signature = SshSignature::parse(OPENSSH.as_bytes()).unwrap();
    assert_eq!(signature.namespace(), "file@example.com");
    let key = signature.verify("file@example.com", b"message").unwrap();
    assert_eq!(key, signature.key());
    assert_eq!(signature.to_armored(), OPENSSH);
    for (namespace, message, code) in [
        ("file@example.com", &b"massage"[..], Code::SSHSIG_MISMATCH),
        ("file", b"message", Code::SSHSIG_NAMESPACE),
        ("", b"message", Code::SSHSIG_NAMESPACE),
    ] {
        let error = signature.verify(namespace, message).unwrap_err();
        assert_eq!(error.code(), code);
    }
}

#[test]
fn what_we_sign_reads_back() {
    let alice = SecretKey::from_seed(&[1; 32]);
    let signature = SshSignature::sign(&alice, BUNDLE_SIGNATURE_NAMESPACE, b"statement").unwrap();
    let again = SshSignature::parse(signature.to_armored().as_bytes()).unwrap();
    assert_eq!(again, signature);
    let key = again.verify(BUNDLE_SIGNATURE_NAMESPACE, b"statement");
    assert_eq!(key, Ok(&alice.public()));
}

#[test]
fn armor_may_be_wrapped_anyhow_and_must_be_whole() {
    let good = OPENSSH.replace('\n', "\r\n");
    SshSignature::parse(good.as_bytes()).unwrap();
    SshSignature::parse(format!("\n{OPENSSH}\n\n").as_bytes()).unwrap();
    SshSignature::parse(armor(&Fields::new(HashAlg::Sha512, b"m").blob()).as_bytes()).unwrap();
    for text in [
        String::new(),
        BEGIN.to_owned(),
        OPENSSH.replace(END, ""),
        OPENSSH.replace(BEGIN, ""),
        OPENSSH.replace("SSH SIGNATURE", "SIGNATURE"),
        OPENSSH.replace("U1NI", " U1NI"),
        OPENSSH.replace("DsIF", "DsI"),
        format!("{OPENSSH}{OPENSSH}"),
        format!("x{OPENSSH}"),
        OPENSSH.replace(
            BEGIN,
            &format!("{BEGIN}\n{}", "A".repeat(SshSignature::MAX_BYTES)),
        ),
    ] {
        let error = SshSignature::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.code(), Code::SSHSIG_FORMAT, "{text}");
    }
    let latin = [OPENSSH.as_bytes(), b"\xff"].concat();
    assert_eq!(
        SshSignature::parse(&latin).unwrap_err().code(),
        Code::SSHSIG_FORMAT
    );
}

#[test]
fn both_hashes_count_and_no_other() {
    for hash in [HashAlg::Sha256, HashAlg::Sha512] {
        let blob = Fields::new(hash, b"message").blob();
        let signature = SshSignature::parse(armor(&blob).as_bytes()).unwrap();
        signature.verify("n", b"message").unwrap();
    }
    for hash in [&b"sha1"[..], b"SHA512", b"", b"md5", b"sha384"] {
        let mut fields = Fields::new(HashAlg::Sha512, b"message");
        fields.hash = hash.to_vec();
        assert_eq!(refused(&fields.blob()), Code::SSHSIG_FORMAT);
    }
    // The signed data names the hash, so one cannot be passed off as the other.
    let mut fields = Fields::new(HashAlg::Sha512, b"message");
    fields.hash = b"sha256".to_vec();
    let signature = SshSignature::parse(armor(&fields.blob()).as_bytes()).unwrap();
    let error = signature.verify("n", b"message").unwrap_err();
    assert_eq!(error.code(), Code::SSHSIG_MISMATCH);
}

#[test]
fn each_defect_of_a_blob_is_refused() {
    let good = Fields::new(HashAlg::Sha512, b"message");
    SshSignature::parse(armor(&good.blob()).as_bytes()).unwrap();
    let spoil = |change: &dyn Fn(&mut Fields)| {
        let mut fields = good.clone();
        change(&mut fields);
        refused(&fields.blob())
    };
    let ed25519 = |bytes: &[u8]| [string(b"ssh-ed25519"), string(bytes)].concat();
    for version in [0, 2, u32::MAX] {
        assert_eq!(spoil(&|f| f.version = version), Code::SSHSIG_FORMAT);
    }
    // `ssh-keygen` takes this one: it neither reads nor signs the field.
    assert_eq!(spoil(&|f| f.reserved = b"x".to_vec()), Code::SSHSIG_FORMAT);
    assert_eq!(spoil(&|f| f.namespace.clear()), Code::SSHSIG_FORMAT);
    assert_eq!(spoil(&|f| f.namespace = vec![0xff]), Code::SSHSIG_FORMAT);
    assert_eq!(
        spoil(&|f| f.signature = ed25519(&[0; 63])),
        Code::SSHSIG_FORMAT
    );
    assert_eq!(spoil(&|f| f.signature.push(0)), Code::SSHSIG_FORMAT);
    let rsa = || [string(b"rsa-sha2-512"), string(&[0; 64])].concat();
    assert_eq!(spoil(&|f| f.signature = rsa()), Code::SSHSIG_FORMAT);
    assert_eq!(spoil(&|f| f.key.push(0)), Code::SSHSIG_KEY);
    assert_eq!(spoil(&|f| f.key = ed25519(&[1; 31])), Code::SSHSIG_KEY);
    for other in ["ssh-rsa", "sk-ssh-ed25519@openssh.com", "ssh-dss"] {
        assert_eq!(
            spoil(&|f| f.key = string(other.as_bytes())),
            Code::SSHSIG_KEY
        );
    }
    let blob = good.blob();
    assert_eq!(refused(&[&blob[..], b"\0"].concat()), Code::SSHSIG_FORMAT);
    for end in 0..blob.len() {
        SshSignature::from_blob(&blob[..end]).unwrap_err();
    }
}

#[test]
fn weak_keys_and_forgeries_under_them_are_refused() {
    // Under the identity, R = S·B and any message fits; with S = 0 that is R = the identity, and ssh-keygen agrees.
    let mut identity = [0; 32];
    identity[0] = 1;
    for point in [identity, [0; 32]] {
        let mut fields = Fields::new(HashAlg::Sha512, b"message");
        fields.key = [string(b"ssh-ed25519"), string(&point)].concat();
        let forged = [&identity[..], &[0; 32]].concat();
        fields.signature = [string(b"ssh-ed25519"), string(&forged)].concat();
        assert_eq!(refused(&fields.blob()), Code::KEY_WEAK);
    }
}

#[test]
fn a_signature_with_s_beyond_the_order_is_refused() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut signature = SshSignature::parse(OPENSSH.as_bytes()).unwrap();
    let mut carry = 0;
    for (byte, order) in signature.signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    let error = signature.verify("file@example.com", b"message");
    assert_eq!(error.unwrap_err().code(), Code::SSHSIG_MISMATCH);
}
