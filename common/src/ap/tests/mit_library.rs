//! What MIT's library (libkrb5 1.20.1) makes is read here, and what is made here from the same parts is the same octets.

use core::net::IpAddr;

use super::fixture::{Counter, Forgetful, Issue, principal};
use crate::ap::{Accepted, Acceptor, Addresses, Channel, Initiator, krb_priv, krb_safe};
use crate::credential::Credential;
use crate::crypto::{EncType, Key, KeyUsage};
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{self, ApReq, KrbPriv};

// The service's key, the time, and as MIT's client sent them from 192.0.2.1 to 192.0.2.2: an AP-REQ with a subkey, a
// number and a checksum, a KRB-PRIV and a KRB-SAFE.
struct Vector {
    etype: EncType,
    key: &'static str,
    time: i64,
    ap_req: &'static str,
    krb_priv: &'static str,
    krb_safe: &'static str,
}

impl Vector {
    fn now(&self) -> Timestamp {
        Timestamp {
            time: KerberosTime(self.time),
            usec: 0,
        }
    }

    fn accepted(&self) -> Accepted {
        let key = Key::new(self.etype, &octets(self.key)).unwrap();
        let keys = [(principal("host/www@EXAMPLE.COM"), 3, key)];
        Acceptor::for_any_service()
            .accept(&octets(self.ap_req), &keys[..], &Forgetful, None, self.now().time)
            .unwrap()
    }
}

#[test]
fn messages_of_mits_library_are_read() {
    for vector in VECTORS {
        let (accepted, now) = (vector.accepted(), vector.now());
        assert_eq!(accepted.client(), &principal("alice@EXAMPLE.COM"));
        assert_eq!(accepted.subkey().unwrap().etype(), vector.etype);
        assert_eq!(accepted.verify_checksum(b"appdata"), Ok(()));
        let network = Addresses::network(IpAddr::from([192, 0, 2, 2]), IpAddr::from([192, 0, 2, 1]));
        let mut channel = Channel::stream(accepted.agreement_without_reply()).with_addresses(network);
        assert_eq!(
            channel.read_priv(&octets(vector.krb_priv), now).unwrap().as_slice(),
            b"private"
        );
        assert_eq!(
            channel.read_safe(&octets(vector.krb_safe), now).unwrap().as_slice(),
            b"safe"
        );
    }
}

#[test]
fn messages_made_of_the_same_parts_are_the_same_as_those_of_mits_library() {
    for vector in VECTORS {
        let accepted = vector.accepted();
        let subkey = accepted.subkey().unwrap();

        let ap_req = octets(vector.ap_req);
        let request: ApReq = wire::decode(&ap_req).unwrap();
        let credential = Credential {
            key: accepted.session_key().clone(),
            ticket: request.ticket.as_bytes().to_vec(),
            ..Issue::default().credential()
        };
        let ours = Initiator::new(&credential)
            .with_subkey(subkey.clone())
            .with_seq_number(accepted.seq_number().unwrap())
            .with_checksum_over(b"appdata")
            .request(accepted.time(), &mut Counter(1));
        let plain = |request: &ApReq| {
            let usage = KeyUsage::AP_REQ_AUTHENTICATOR;
            accepted
                .session_key()
                .decrypt(usage, &request.authenticator.cipher)
                .unwrap()
        };
        let mut made: ApReq = wire::decode(ours.octets()).unwrap();
        assert_eq!(plain(&made), plain(&request));
        made.authenticator = request.authenticator;
        assert_eq!(wire::encode(&made), ap_req);

        let theirs = octets(vector.krb_safe);
        let opened = krb_safe::read(subkey, &theirs).unwrap();
        assert_eq!(krb_safe::make(subkey, &opened.header, &opened.data), theirs);

        let theirs = octets(vector.krb_priv);
        let opened = krb_priv::read(subkey, &theirs).unwrap();
        let ours = krb_priv::make(subkey, &opened.header, &opened.data, &mut Counter(1));
        let (mut ours, theirs_parsed): (KrbPriv, KrbPriv) =
            (wire::decode(&ours).unwrap(), wire::decode(&theirs).unwrap());
        let plain = |message: &KrbPriv| subkey.decrypt(KeyUsage::KRB_PRIV, &message.enc_part.cipher).unwrap();
        assert_eq!(plain(&ours), plain(&theirs_parsed));
        ours.enc_part = theirs_parsed.enc_part;
        assert_eq!(wire::encode(&ours), theirs);
    }
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

const VECTORS: [Vector; 4] = [
    Vector {
        etype: EncType::Aes128CtsHmacSha1_96,
        key: "88d92b12eb1f4b3d3f8aa4c3ae813bcb",
        time: 1795406232,
        ap_req: "\
         6e8201c6308201c2a003020105a10302010ea20703050000000000a381f96181f63081f3a003020105a10d1b0b4558414d50\
         4c452e434f4da2163014a003020102a10d300b1b04686f73741b03777777a381c43081c1a003020111a103020103a281b404\
         81b1744cad1529e9ffe4a71f569d2c13e330fd3508026156d6b8f2daaf1c06b39ba490f1eb9884f7c6bce98db321cf80805f\
         c20a0b17a726eff206878646784cdd56351a28329b5a3137ca7f047cce810a776ddb3d5c3aa911fa365f85a3d5aa7e7e8adb\
         3a73279795acb7f54f024582065bf25029d20ffc4ff7dfe2c25580df0e07f160fbda4c231f7fc58a7c2751c9b6bf0f8c4f28\
         7521f9063942eee0ad480acfb3990e23ded939a11b2b2ff6f09814f975a481b03081ada003020111a281a50481a2dd2c2696\
         ed1d9264aa9391048c19476e361738515f43c282e35e6735420b454246f85b2e1edb1c625174bc739ddb16f6e0393261d635\
         7f0734265409a54f4e50375433534f9a0c67a10288a89007b0158bbd35fb6ba0ff67029f0441055e80e7431608ccbbfe7f33\
         98cc56a5927f1f9e34dd2353d44a750d82cfabfc064c7896d7b9771b104da9f434897aa97c30b955bf1de04ed2d2206ef602\
         554ba3eca93f109b\
         ",
        krb_priv: "\
         756e306ca003020105a103020115a360305ea003020111a25704551edcd0f57158ff6eee7561b1af65ef31299ff8c721cb3c\
         abffed847e783ed2804d062355fbfb1705d9eb893b3a834393bcefb2010f68cdd7967a9ccdea94efbfff7f19cde5fe7f1aa3\
         714a4f1cacb1550ddacb9c94\
         ",
        krb_safe: "\
         745b3059a003020105a103020114a2343032a006040473616665a30602040cbccc0ea40f300da003020102a1060404c00002\
         01a50f300da003020102a1060404c0000202a3173015a00302010fa10e040cafce36d0e5cca814bbc0a62f\
         ",
    },
    Vector {
        etype: EncType::Aes256CtsHmacSha1_96,
        key: "212cc8658d1808fba145b6cf66fcd836b640c5c5848f7fc6cedf10e5eca8049d",
        time: 1795406232,
        ap_req: "\
         6e8201e9308201e5a003020105a10302010ea20703050000000000a382010b6182010730820103a003020105a10d1b0b4558\
         414d504c452e434f4da2163014a003020102a10d300b1b04686f73741b03777777a381d43081d1a003020112a103020103a2\
         81c40481c154c0248b857f6a393cd89c3d568f4d91fae4b44421516cd59eacd7d85c8c2feb585f387a982d477833a0c2e03a\
         3a3d7361661ce1fd7616134d9b1712c781dce2e2baeb1521bb587d3345e64db20a6211b7ee0da94aaecf8e96a8437fc4cf5b\
         0dba27c76c79db5789227492cb0f0f137fcc4b68d2cdbe8369a2161b77169adf3059b8aa0b8f44ba0201a874d3f6c251264c\
         18828436c829112739f7d89e1d1640ba8bae100238f66fa50260c3150557bcabdade294c2de4778a4d5faf83794e6699a481\
         c03081bda003020112a281b50481b2bad8afd644f4891c39d850600e780ca5dc4655a4d4e084d6d02924bbbdafca9ccbbff9\
         25b86d24e7113f126d106401aa34508f3e8b1cc17e1e904a49b271f5d79d9a6ab10e17f00383f93e35926806ff51e4d07619\
         0ba55b4b58fb6a2c57e6a15d0e484875f3ef2edf374bd73ee7ce8e73f5d4bcddb0ab3d607ec040b48840a792df8ba96f8605\
         5b986d218a2f61a4178799cd2818557a30b8dadf95a2add500f47a828854e971c0eaaa9148ec245895c628\
         ",
        krb_priv: "\
         756e306ca003020105a103020115a360305ea003020112a25704556c55de6426950bd0e4cd391ff22b253fcbfb011480f7cf\
         cc47ea11d8a4f6ea24656a111d715a536c7f5a3fcacc36d71bdb4503c73f529be274a4928d0d6f0de7fe99d57183d18ba77a\
         5fd8ef45389897bd7bde3287\
         ",
        krb_safe: "\
         745b3059a003020105a103020114a2343032a006040473616665a306020428d8f5fda40f300da003020102a1060404c00002\
         01a50f300da003020102a1060404c0000202a3173015a003020110a10e040c7d1fa250d99e6977517d6192\
         ",
    },
    Vector {
        etype: EncType::Aes128CtsHmacSha256_128,
        key: "bb21cfe2fa5b7cd7819cb9260d511357",
        time: 1795406232,
        ap_req: "\
         6e8201d2308201cea003020105a10302010ea20703050000000000a381fd6181fa3081f7a003020105a10d1b0b4558414d50\
         4c452e434f4da2163014a003020102a10d300b1b04686f73741b03777777a381c83081c5a003020113a103020103a281b804\
         81b5649e3f78ffc0b4a615666562c4487dc9b6c7671400ba8c1ed8fbc2cb2ed4d5ebac6a08a6dc0393dbfa2bfac7aaaaf673\
         03966ae5dd2b04bc42251a4287067bb6c17df4b3eacaf61f0f9ef95899117c72eb866aea5b1e645213fbecb7a6f8ac12c97e\
         0b208940aa220910ee900100fde9606c91ef644979089bfce1d2971879c76dc05117088275a4918d933c72fca24cea0164aa\
         c07394b264b4d64038f45292819a37eb1f11441b4ac46f2df9067875d74072801ea481b83081b5a003020113a281ad0481aa\
         5eb3c6d4b1764af03a88c7cc759c650650926838d2d780f7a384f0d645a71a46256bb724b6204c9252de851d7eab91ea93b1\
         53dd3ecaab79c8d2caacc8045f812e08874f80c968531428b717e06f2e78d81a4a1c17ff5554cf38c7acc94ce5e14bc8077f\
         996de0e5feacb6aedd0e3d353ab73c5e485bef4d768be12b6bd7881780e2761cb06fb4f23b4920e0add91d70ea02212000cf\
         db902fcb0df99f21e2788ef953ce6a7832a38ebd\
         ",
        krb_priv: "\
         75723070a003020105a103020115a3643062a003020113a25b04595d8aa64762bd888f365e36765d6875560c6fb72d8238e3\
         4e5f1e6694067c04aad07014399adcbed2a60582830f67d1a51105264bcf4eb079abaed68ece4e11ef88f481f1cd676677e6\
         5d0091b7251034f475b26aa1a36aac73\
         ",
        krb_safe: "\
         745f305da003020105a103020114a2343032a006040473616665a306020415eafe3fa40f300da003020102a1060404c00002\
         01a50f300da003020102a1060404c0000202a31b3019a003020113a11204100c8c9bc97b3eae1e63f466d9c3f21cb3\
         ",
    },
    Vector {
        etype: EncType::Aes256CtsHmacSha384_192,
        key: "c4a0662c635dfc0ecdeee5cb48e6f7f956a40694de6610c40e8f48b4b51d79f3",
        time: 1795406232,
        ap_req: "\
         6e82020d30820209a003020105a10302010ea20703050000000000a3820117618201133082010fa003020105a10d1b0b4558\
         414d504c452e434f4da2163014a003020102a10d300b1b04686f73741b03777777a381e03081dda003020114a103020103a2\
         81d00481cda44a222708a847a95a1c4118e168287aeffbb68d3f33311e1dc03b7c73c292569be0f9bb2e7df280d5b051b980\
         50e6d9ae2d976843d3f73ab51eafc4a814a31ca9810660b753c33fa4fa2aa31a13fe5c72f5d02903afa3a71ca1080198affc\
         fb0acc5411b0bc5c158b2b1d982bd8505b6e5c1a6fbff7aa329d199214da33db02240af97f599091b4ebcc8dbe220988eb28\
         20988f03de2b9161d48ba4b9d729d5553c7fa5089326b05e79ce4acd0a21b52fb8fa125160d4c03576af37e227c7a09f8eac\
         94cf2cc8a6bd5a2994a0a481d83081d5a003020114a281cd0481cad21e244cb96887bd47ad76d8e17101075b78cbdeca60fa\
         60b07b570ea6525135788f513b5720e519ba792e7d74c4b5a5ede7e2ead72580c00ce9cd95f974f56dadf00372f7c1f647ab\
         2f56ea2e80c418c8addeb3a7b39aa68126655115c3be36aaca46ca1d1be749005eef93bc409517cf8d9e787b965a0ba0acb5\
         b18dcaee8e52269c55b9a6e41e2bb68b3e69e8fd83bcd544e21e7c9f6fc63678b76321eb19f992a0543efb09e4d7ae1232cd\
         ab0c08a0376369b945b4202dddf29c1f6dd88673b2af4f8f1a1ff41426\
         ",
        krb_priv: "\
         757a3078a003020105a103020115a36c306aa003020114a2630461c940b582366cbe4ee665d0518904f775be11efa0deeb17\
         3ef15da8d9de21351273fc9024c66a3ff9e847b038232ff01a5b5b9f60ec6d23b7db0fa8c7580f11e74c29934968e4adcac5\
         68ef486d0d01cdba6ead1d20295195b5b013e107bdfcc65b\
         ",
        krb_safe: "\
         74673065a003020105a103020114a2343032a006040473616665a30602042c2da69ba40f300da003020102a1060404c00002\
         01a50f300da003020102a1060404c0000202a3233021a003020114a11a0418ccf9eed045d4a5e499490997c62e3a57607d59\
         0a79c412a7\
         ",
    },
];
