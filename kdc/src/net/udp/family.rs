//! What differs between IPv4 and IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use nix::libc;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, SockaddrIn, SockaddrIn6, SockaddrLike};

/// An address family, as the system calls see it.
pub(super) trait Family: 'static {
    type Address: SockaddrLike + Copy;
    /// A control message that tells which address was asked, and back.
    type Asked: Copy + Send + 'static;

    fn cmsg_space() -> Vec<u8>;
    fn asked(cmsg: &ControlMessageOwned) -> Option<Self::Asked>;
    fn address(asked: &Self::Asked) -> IpAddr;
    fn from(asked: &Self::Asked) -> ControlMessage<'_>;
    fn peer(address: Self::Address) -> SocketAddr;
    fn to(peer: SocketAddr) -> Self::Address;
}

pub(super) struct V4;

impl Family for V4 {
    type Address = SockaddrIn;
    type Asked = libc::in_pktinfo;

    fn cmsg_space() -> Vec<u8> {
        nix::cmsg_space!(libc::in_pktinfo)
    }

    fn asked(cmsg: &ControlMessageOwned) -> Option<libc::in_pktinfo> {
        match cmsg {
            // ipi_spec_dst is the local address even of a broadcast. The route decides the interface.
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(libc::in_pktinfo {
                ipi_ifindex: 0,
                ..*info
            }),
            _ => None,
        }
    }

    fn address(asked: &libc::in_pktinfo) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(asked.ipi_spec_dst.s_addr.to_ne_bytes()))
    }

    fn from(asked: &libc::in_pktinfo) -> ControlMessage<'_> {
        ControlMessage::Ipv4PacketInfo(asked)
    }

    fn peer(address: SockaddrIn) -> SocketAddr {
        SocketAddr::V4(address.into())
    }

    fn to(peer: SocketAddr) -> SockaddrIn {
        match peer {
            SocketAddr::V4(peer) => peer.into(),
            SocketAddr::V6(_) => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into(),
        }
    }
}

pub(super) struct V6;

impl Family for V6 {
    type Address = SockaddrIn6;
    type Asked = libc::in6_pktinfo;

    fn cmsg_space() -> Vec<u8> {
        nix::cmsg_space!(libc::in6_pktinfo)
    }

    fn asked(cmsg: &ControlMessageOwned) -> Option<libc::in6_pktinfo> {
        match cmsg {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                // A link-local address means nothing without its link; else the route decides.
                let link_local = Ipv6Addr::from(info.ipi6_addr.s6_addr).is_unicast_link_local();
                Some(libc::in6_pktinfo {
                    ipi6_ifindex: if link_local { info.ipi6_ifindex } else { 0 },
                    ..*info
                })
            }
            _ => None,
        }
    }

    fn address(asked: &libc::in6_pktinfo) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(asked.ipi6_addr.s6_addr))
    }

    fn from(asked: &libc::in6_pktinfo) -> ControlMessage<'_> {
        ControlMessage::Ipv6PacketInfo(asked)
    }

    fn peer(address: SockaddrIn6) -> SocketAddr {
        SocketAddr::V6(address.into())
    }

    fn to(peer: SocketAddr) -> SockaddrIn6 {
        match peer {
            SocketAddr::V6(peer) => peer.into(),
            SocketAddr::V4(_) => SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0).into(),
        }
    }
}
