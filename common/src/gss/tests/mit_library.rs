//! Tokens that MIT's library (libgssapi_krb5 1.20.1) made are read here.

use crate::ap;
use crate::ap::tests::fixture::{Counter, Forgetful, principal};
use crate::crypto::{EncType, Key};
use crate::gss::tests::octets;
use crate::gss::{Acceptor, BindingPolicy, ChannelBindings, Context, ContextFlags, PrfKey, Protection};
use crate::time::{KerberosTime, Timestamp};

// The service's key, the time, and what MIT's initiator sent without waiting for an answer, with the channel bindings
// "channel": the first token, then Wrap tokens sealed and not, the same rotated, a MIC, Wrap tokens of nothing, and the
// first 100 octets of GSS_Pseudo_random.
struct Vector {
    etype: EncType,
    key: &'static str,
    time: i64,
    token: &'static str,
    sealed: &'static str,
    signed: &'static str,
    sealed_rotated: &'static str,
    signed_rotated: &'static str,
    mic: &'static str,
    nothing_sealed: &'static str,
    nothing_signed: &'static str,
    prf: &'static str,
}

const DATA: &[u8] = b"of MIT's library";

fn accept(vector: &Vector) -> Context {
    let key = Key::new(vector.etype, &octets(vector.key)).unwrap();
    let keys = [(principal("host/www@EXAMPLE.COM"), 3, key)];
    let own = ChannelBindings::of_application(b"channel");
    let now = Timestamp::new(KerberosTime(vector.time), 0);
    let accepted = Acceptor::new(ap::Acceptor::for_any_service())
        .with_bindings(Some(own), BindingPolicy::Require)
        .accept(&octets(vector.token), &keys[..], &Forgetful, None, now, &mut Counter(1))
        .unwrap();
    assert_eq!(accepted.token(), None);
    assert_eq!(accepted.context().initiator(), &principal("alice@EXAMPLE.COM"));
    accepted.into_parts().1
}

#[test]
fn tokens_of_mits_library_are_read() {
    for vector in VECTORS {
        let mut context = accept(&vector);
        let flags = ContextFlags::REPLAY
            | ContextFlags::SEQUENCE
            | ContextFlags::CONF
            | ContextFlags::INTEG
            | ContextFlags::CHANNEL_BOUND;
        assert_eq!(context.flags(), flags);
        let now = KerberosTime(vector.time);
        let mut read = |token: &str, rotated: bool, data: &[u8], protection| {
            let token = octets(token);
            assert_eq!(token[6..8] != [0, 0], rotated);
            let unwrapped = context.unwrap(&token, now).unwrap();
            assert_eq!((unwrapped.data.as_slice(), unwrapped.protection), (data, protection));
        };
        read(vector.sealed, false, DATA, Protection::Confidential);
        read(vector.signed, false, DATA, Protection::Integrity);
        read(vector.sealed_rotated, true, DATA, Protection::Confidential);
        read(vector.signed_rotated, true, DATA, Protection::Integrity);
        context.verify_mic(DATA, &octets(vector.mic), now).unwrap();
        let mut read = |token: &str, protection| {
            let unwrapped = context.unwrap(&octets(token), now).unwrap();
            assert_eq!((unwrapped.data.as_slice(), unwrapped.protection), (&[][..], protection));
        };
        read(vector.nothing_sealed, Protection::Confidential);
        read(vector.nothing_signed, Protection::Integrity);
        for key in [PrfKey::Full, PrfKey::Partial] {
            assert_eq!(context.prf(key, DATA, 100).as_slice(), octets(vector.prf));
        }
    }
}

const VECTORS: [Vector; 4] = [
    Vector {
        etype: EncType::Aes256CtsHmacSha1_96,
        key: "1120b3d00955f032b6d46a242257c0186e372283acb06862b4133692fb1847a0",
        time: 1_795_579_038,
        token: "\
         6082020806092a864886f71201020201006e8201f7308201f3a003020105a10302010ea20703050000000000a382010b6182\
         010730820103a003020105a10d1b0b4558414d504c452e434f4da2163014a003020102a10d300b1b04686f73741b03777777\
         a381d43081d1a003020112a103020103a281c40481c119df83d3e986e05fc86d280850dd50150a3a0d26827c43ef42607752\
         71d4afc55b43cdac91564b175e4aab29838f5837e8e3b1df7b81c968d5fdc62e5f109ca3247c2762bd7d65d255cd55b90e89\
         d756f21e41220001a2ec5899e1c11e399855ddabb2c97b989770e9da745fb34991e6499110f8d6dead7870df64ead6fc0df4\
         09d94421e8342da376c29a713da3bd2ac86ca86d484ff64f91ca25aeaa6924a52869b447e8bae9cf0a60fb05e35237091d1a\
         a60067aca813bda3ecfb66e4723772a481ce3081cba003020112a281c30481c010f2b2db8f85ffc5611b29bb7ed99fc178a2\
         9bcb548618cfebc73256c8e52dd5afecbf71ae548befaf2cf9d0e36a9efdb5bb403ea4c91dd0f8a4098a4adb0275fc76c4ae\
         2d2f17d7af349123c9cb7ac99910052bd82db08d1b78ed55853adb89c6bcb8dfb45d284dd880b2c1a82f8f996f4d2f302ee4\
         03d7f6f2ed515eb6a9ce6f2859b621c794aab986dc9de1c815d59cb2c31223cb4a39fe9125ce1e0089d46eb2e037a20c5326\
         aa8819382be310b6e95fcaab572b0f541871fcb19bfe4428\
         ",
        sealed: "\
         050402ff00000000000000000776e6baf7b32ae89d56da9911800d4691b82c52ad5b565e55a8c092056e0b2b3f580da8996c\
         5a4390818c8845d5f6fd51384d55c0da06be713ee4be668d7c1f\
         ",
        signed: "050400ff000c0000000000000776e6bb6f66204d49542773206c696272617279de4cf844f9fd3ec884e33b75",
        sealed_rotated: "\
         050402ff0000001c000000000776e6bc2168514b169ece9349c650128c41b39640d85c5d16c3b5251eba86d1c72c12ce1270\
         10eaeb1b96887fcfe95bf152b22ff2bfe9f35ed4bedadad2a251\
         ",
        signed_rotated: "050400ff000c000c000000000776e6bd9c4556e2822d336ec329e4146f66204d49542773206c696272617279",
        mic: "040400ffffffffff000000000776e6be26ad97ab5c10683be754480c",
        nothing_sealed: "\
         050402ff00000000000000000776e6bf9628003c2a61ccd036198aca3ecb476e124078a82aa52c23eb353f88f7648fc00983\
         5246d8475dd4ee75e6fa\
         ",
        nothing_signed: "050400ff000c0000000000000776e6c0a9750aaad45badb8666b1cbc",
        prf: "\
         4977e177d4556b507f6ee70c1c256b891eea4c3305175c68989f2de2397e8ce59ffa6aac71b3caee5e8518d900edee958f8f\
         b35f5841a6c87fd9064513c1482c1e2583e05042f760c496993118cd6a394858216697f8d6f700a5ed1242ae88243892c30d\
         ",
    },
    Vector {
        etype: EncType::Aes256CtsHmacSha384_192,
        key: "362259904816818c04f73460a7fd64854079d22ed225a1f75c83eea29361787c",
        time: 1_795_579_038,
        token: "\
         6082022006092a864886f71201020201006e82020f3082020ba003020105a10302010ea20703050000000000a38201176182\
         01133082010fa003020105a10d1b0b4558414d504c452e434f4da2163014a003020102a10d300b1b04686f73741b03777777\
         a381e03081dda003020114a103020103a281d00481cd64eae46cacfab3bf7bc47aaedc52d66bfd2aa925a34ef3b9a59d86a0\
         f1b9f69b3ef56d407cf6ea4aa8265c28eb05ad4dc88d1714d8e570a4231c269b10e6a17bd8411f91cbc64738b25db4db77f3\
         43115767bb9d144cafe37baf0dbb463b328eb293d94e28f5d17c7db528d8eb49fb088e12b46e1e2df02e9deb8f17ca5ff618\
         e4885141813626c767e29dfa71d715817ee8f641cae2546b4f2374e98629827c11e594b0cd420b03d557ff86b487dcedca7d\
         0759aab8c422abbd09ac4f59523586553e6d491b3c4cda010616a9a481da3081d7a003020114a281cf0481cc5d1ca9b15f54\
         ae28c7a2fe79acf6971bce1a08ded5caa3e60cb62a271a231caa2af87a6f581451dce631ee2cba0d348ca3cbe21670dcbd9b\
         ab5bbdda3df4cb58f26d82774d5447bb004da0358254992bc75d9c22e42b48dc463cc5e6feba9b3542a8ff3b61e6dd9d43d2\
         bcfae1a20e0ba0d2fe3cae435f5eac815c894526889ab8c5a4a451639fa359c2fcf4f2977d1802eacb70249d2a5d7e3a3d2d\
         bc2d19d5d88edaa196a7ece77dc62f53533da8d6a382b76a570f8f4baad926b225667ff40fe023625dec7316edef1f74\
         ",
        sealed: "\
         050402ff000000000000000017a503c128531161dc704e7d547debb3e3a811304793569555bda110598cd55dc9673e26c55c\
         c702eb208722e183c878982748b4709da971b8caafadd4431e49c6c3e5540485de042b714a26\
         ",
        signed: "\
         050400ff001800000000000017a503c26f66204d49542773206c69627261727968f1031c2c4f82efc7de0264f69536aed986\
         4c3848618ac7\
         ",
        sealed_rotated: "\
         050402ff000000280000000017a503c3fc81852f6495fd5c7127cc63caeaa3dbce21b873108610e56ab31e0fbf81c4b7c94a\
         1f43de250ef66a29cc7c9f664ddb2963682575c0daaf0a77663e5acfd521ac6187213622148c\
         ",
        signed_rotated: "\
         050400ff001800180000000017a503c467f6515b690791f801d0384c2f071c93d7ba34b50d805e026f66204d49542773206c\
         696272617279\
         ",
        mic: "040400ffffffffff0000000017a503c509fc0b0d9e4ddd2afab470e7ca5dbbf081c519097ac905b9",
        nothing_sealed: "\
         050402ff000000000000000017a503c6d6a56fc480b0b5ca1d8e499fd61e4465ced3b094cea8c86e127f33f1d73624dc5913\
         3b567657005091117acb0fa77d441d6d97a3b9277360\
         ",
        nothing_signed: "050400ff001800000000000017a503c7cd27b04404d3dac09fece5741540f80ad54733987e747018",
        prf: "\
         1661733c34f4cd416e87dabe5bbf4ad7e313facb036386afab7a553a7e150e4f3e9a87cfccf4bdcd162cfce0dadc24be45ba\
         9cbb9f8e679c070d2678f265bbb2c68ac50b01d5cdfdf3f65b062952989eac4f51a1d55c7668616fbb6112a8d6f7611da57a\
         ",
    },
    Vector {
        etype: EncType::Aes128CtsHmacSha1_96,
        key: "808475f02ee373636434ff62b4e8edd1",
        time: 1_795_579_038,
        token: "\
         608201e506092a864886f71201020201006e8201d4308201d0a003020105a10302010ea20703050000000000a381f96181f6\
         3081f3a003020105a10d1b0b4558414d504c452e434f4da2163014a003020102a10d300b1b04686f73741b03777777a381c4\
         3081c1a003020111a103020103a281b40481b1110cfbfa8200d28a3b571bde2f855f5b452243713971a566fe92d21b947631\
         0621ee1ac90c0684071348bc532c4c4dad8a520eaed655ce302244212a712ae6088e4c4667343e953c0f4b1c0c94af7700f8\
         59100b28b46c2f82e792faadb67d43f3ef28ca212e177f0dcf109e051a601eb9964a3715cd9c32d61ff8cddee15e4b9f8f80\
         eb01e21f3b31bcb3556c57eef4b2b177eb16cb76b2637681b28450047380a3abcfec06233bef267ad931a844b111a481be30\
         81bba003020111a281b30481b07ef643263d93a124cc637cf275de048b985c2888edf81a79487d6af86544b9885bb791a89d\
         04e6989c44273859d16254cde03e1473cf988a4cbbc4859b26c247f3562b03afe1366697592f0e5bed4f782020df7ede134b\
         2365504bb59ba4632b5d14514e93613f674c3a16a5684edd3a56ecb60e321481f7dbf97f706a79b905049f7e75c2cad2e7a6\
         feb802469bda6bf13a8e1728c09c593301ebc6561d4cd6df7e484a960848651d989f14470ff6b7\
         ",
        sealed: "\
         050402ff0000000000000000380a0d6d3e293c000e4a3cfb7b31effbd9a73a3fdb35ed1623689cbc9f99f086ed89a37d9d1f\
         1532549e1c988ae7168324edbb689e718e293a667f4e1eda409c\
         ",
        signed: "050400ff000c000000000000380a0d6e6f66204d49542773206c69627261727914b09bc01de25eeb58937d1f",
        sealed_rotated: "\
         050402ff0000001c00000000380a0d6f5f803d7a44cf849670cab804fd16a608d6ef99d1f1fe68642e8c188cd56d8e872b74\
         ff5c968e4ec42f41624ef08e3818448025fc89093e9e271620d9\
         ",
        signed_rotated: "050400ff000c000c00000000380a0d709620c474d7c62d7ebda0de676f66204d49542773206c696272617279",
        mic: "040400ffffffffff00000000380a0d7151c83eacb978d72db62073cf",
        nothing_sealed: "\
         050402ff0000000000000000380a0d729b2dbf97bd9cf47fb459581986a825255653809a039799f547fc5304b1ee35b276a3\
         49b9a8e6d8df6ea0e430\
         ",
        nothing_signed: "050400ff000c000000000000380a0d73275f017b52fe9c13256aaf8d",
        prf: "\
         9d71d322d1fe4877d7b0e214a1980e721df33b852175ec72f3a46d5218ebeb28881614b6c22ffc64527294d60138043880eb\
         dd401d6af84b6857d56e90468c6b55918da9cc4755f51587db937b964b0e561e79ac6e729f50041176b0629dd4646bf81cd1\
         ",
    },
    Vector {
        etype: EncType::Aes128CtsHmacSha256_128,
        key: "bc4075f2ef431a441ddb4fcdd7c6d93a",
        time: 1_795_579_039,
        token: "\
         608201ed06092a864886f71201020201006e8201dc308201d8a003020105a10302010ea20703050000000000a381fd6181fa\
         3081f7a003020105a10d1b0b4558414d504c452e434f4da2163014a003020102a10d300b1b04686f73741b03777777a381c8\
         3081c5a003020113a103020103a281b80481b5b91940b664b36a681494404b98db9bb89e2a4cd42a2de3fc849a5efa40bf4e\
         903bcb7a49e9ba872e343aab7c728913f2ea197dbdaf88a40fa7005dc97c5306d1f734470ae5079dd06aa2b5e182fcfaae19\
         00594a144bf0e267a3a6e648bb3fec13400464b84ee9396620cdbae280bf27bd7ba42040c17205a8ce869cc1c1f373837570\
         f2b4e0d3273677d876b465109865edd65d36784ac0d884c2e113a0a069d7104fdca06dbffda49d106bc8a55b38384a4530ab\
         a481c23081bfa003020113a281b70481b436e64040859ee602d7c82baef283ed33c2fb077e2d54c18e8700c13f1e59622859\
         89f9ee6f03e40ee7d6dcf41a2cbef8fe7121a563f62a1d257d06aff4ba24a3a45ee67e59aa56a5b4397843b6acfd2632b1e8\
         9f950b2ecbf58949c7809b39fb158a1218bcfcbcbd246c7b0484ab004f28fbfd9ea5b5b04a03e818620462bbd0c8d2ef7ff0\
         a2bbceae6633925c28023a0cfee14c3b83b709887f9e0598e0e0a45566b94aa3b97dbaa691b065be30c19a72ce0727\
         ",
        sealed: "\
         050402ff00000000000000003c782d217974eaada4520f8eca3a91e6b72d08b364b1141ef1f17895d54bc0bceb7898645e85\
         0189d6a57f11f794139cdeefc5a8db1ca92586e3a89abaf85f177e3962fa\
         ",
        signed: "\
         050400ff00100000000000003c782d226f66204d49542773206c69627261727989d770224204cbea8900f22d486dfa7a\
         ",
        sealed_rotated: "\
         050402ff00000020000000003c782d2367d29cb4319e5c9bde0dd6cf052dfcd13e480b3effc55f4a2cf2b5efaa953f5b85d5\
         f0e2f1451afaf1e6deabde415980191048abd835ee18814c5f7297e11bd5\
         ",
        signed_rotated: "\
         050400ff00100010000000003c782d24db166d62828a159b455004aa6b7192d86f66204d49542773206c696272617279\
         ",
        mic: "040400ffffffffff000000003c782d25ccbc721117c6c9a97c2da0635e617ea8",
        nothing_sealed: "\
         050402ff00000000000000003c782d260534ef2f491438b74e69afb79c06a2bb758a1cc748df33bba4d82489cb13eb0c9558\
         79013fbad606de1e69dbeb720c4b\
         ",
        nothing_signed: "050400ff00100000000000003c782d27c2e41f5b2d41d1cd32d23ffca39ce21e",
        prf: "\
         d6d023921d7a471bc6706ae0280fb4da75a04a8692b1ebf0f1f64714c27ec21bbb15febf724217bfab062db7925911fc03b2\
         eb1b60edf85e73bc6308b41eec4c28b44154f9ce6f7861c8021a1d3d0f5d0d6fca582811a30fae71e02f22a52761ddaae4fb\
         ",
    },
];
