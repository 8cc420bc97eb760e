//! Which KDC options may be asked for where, and what each asks of the ticket that it is asked with.

use tessera_common::error_code::ErrorCode;
use tessera_common::flags::{KdcOptions, TicketFlags};

use super::refusal::Refusal;

/// Options that make sense with a ticket only; in an AS-REQ they are refused. Bits that have no name are ignored, in either.
const TGS_ONLY: [KdcOptions; 6] = [
    KdcOptions::FORWARDED,
    KdcOptions::PROXY,
    KdcOptions::CNAME_IN_ADDL_TKT,
    KdcOptions::ENC_TKT_IN_SKEY,
    KdcOptions::RENEW,
    KdcOptions::VALIDATE,
];

/// Options that this realm does not serve: to ignore them would give the client something else than it asked for.
const NOT_SERVED: [(KdcOptions, &str); 2] = [
    (KdcOptions::REQUEST_ANONYMOUS, "anonymous tickets are not issued"),
    (KdcOptions::CNAME_IN_ADDL_TKT, "constrained delegation is not served"),
];

/// What the header ticket of a TGS-REQ must be (RFC 4120 §3.3.3). FORWARDABLE, PROXIABLE and RENEWABLE are missing: where the
/// TGT is not, the new ticket silently is not either, as with MIT; Windows asks for a renewable ticket every time. For
/// POSTDATED the RFC says `KDC_ERR_CANNOT_POSTDATE`; MIT and Heimdal both say `KDC_ERR_BADOPTION`.
const NEEDS: [(KdcOptions, TicketFlags, &str); 6] = [
    (
        KdcOptions::FORWARDED,
        TicketFlags::FORWARDABLE,
        "the ticket is not forwardable",
    ),
    (KdcOptions::PROXY, TicketFlags::PROXIABLE, "the ticket is not proxiable"),
    (
        KdcOptions::ALLOW_POSTDATE,
        TicketFlags::MAY_POSTDATE,
        "the ticket may not be postdated",
    ),
    (
        KdcOptions::POSTDATED,
        TicketFlags::MAY_POSTDATE,
        "the ticket may not be postdated",
    ),
    (KdcOptions::RENEW, TicketFlags::RENEWABLE, "the ticket is not renewable"),
    (
        KdcOptions::VALIDATE,
        TicketFlags::INVALID,
        "the ticket needs no validation",
    ),
];

/// Each of these makes another ticket out of the header ticket, for the same server if that is no TGT, and says what may
/// differ. Two at once contradict each other: a renewed ticket keeps its addresses and flags, a forwarded one does not.
pub(super) const AGAIN: [KdcOptions; 4] = [
    KdcOptions::FORWARDED,
    KdcOptions::PROXY,
    KdcOptions::RENEW,
    KdcOptions::VALIDATE,
];

/// Checks the options of an AS-REQ.
pub(super) fn check_initial(options: KdcOptions) -> Result<(), Refusal> {
    if TGS_ONLY.iter().any(|option| options.contains(*option)) {
        return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, "option-needs-a-ticket")
            .text("the option is for requests with a ticket"));
    }
    check_served(options)
}

/// Checks the options of a TGS-REQ against the header ticket's flags.
pub(super) fn check_with_ticket(options: KdcOptions, ticket: TicketFlags) -> Result<(), Refusal> {
    check_served(options)?;
    check_together(options)?;
    match NEEDS
        .iter()
        .find(|(option, flag, _)| options.contains(*option) && !ticket.contains(*flag))
    {
        Some((_, _, text)) => {
            Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, "option-not-allowed-by-ticket").text(text))
        }
        None => Ok(()),
    }
}

// Neither RFC says what such a request would mean.
fn check_together(options: KdcOptions) -> Result<(), Refusal> {
    let asked = AGAIN.iter().filter(|option| options.contains(**option)).count();
    let keeps_ticket = options.intersects(KdcOptions::RENEW | KdcOptions::VALIDATE);
    if asked > 1 || (keeps_ticket && options.contains(KdcOptions::ENC_TKT_IN_SKEY)) {
        return Err(
            Refusal::new(ErrorCode::KDC_ERR_BADOPTION, "options-contradict").text("the options contradict each other")
        );
    }
    Ok(())
}

fn check_served(options: KdcOptions) -> Result<(), Refusal> {
    match NOT_SERVED.iter().find(|(option, _)| options.contains(*option)) {
        Some((_, text)) => Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, "option-not-served").text(text)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_as_req_takes_the_options_that_need_no_ticket() {
        for (option, name) in KdcOptions::NAMED {
            let taken = check_initial(*option).is_ok();
            let expected = !matches!(
                *name,
                "forwarded"
                    | "proxy"
                    | "cname-in-addl-tkt"
                    | "request-anonymous"
                    | "enc-tkt-in-skey"
                    | "renew"
                    | "validate"
            );
            assert_eq!(taken, expected, "{name}");
        }
        assert!(check_initial(KdcOptions(1 << 20)).is_ok());
    }

    #[test]
    fn a_tgs_req_takes_the_options_that_its_ticket_allows() {
        for (option, flag) in [
            (KdcOptions::FORWARDED, TicketFlags::FORWARDABLE),
            (KdcOptions::PROXY, TicketFlags::PROXIABLE),
            (KdcOptions::ALLOW_POSTDATE, TicketFlags::MAY_POSTDATE),
            (KdcOptions::POSTDATED, TicketFlags::MAY_POSTDATE),
            (KdcOptions::RENEW, TicketFlags::RENEWABLE),
            (KdcOptions::VALIDATE, TicketFlags::INVALID),
        ] {
            assert!(check_with_ticket(option, flag).is_ok(), "{option:?}");
            assert!(check_with_ticket(option, TicketFlags(!flag.0)).is_err(), "{option:?}");
        }
        for option in [
            KdcOptions::FORWARDABLE,
            KdcOptions::PROXIABLE,
            KdcOptions::RENEWABLE,
            KdcOptions::RENEWABLE_OK,
            KdcOptions::DISABLE_TRANSITED_CHECK,
            KdcOptions::ENC_TKT_IN_SKEY,
            KdcOptions::CANONICALIZE,
        ] {
            assert!(check_with_ticket(option, TicketFlags::empty()).is_ok(), "{option:?}");
        }
        assert!(check_with_ticket(KdcOptions(1 << 20), TicketFlags::empty()).is_ok());
        assert!(check_with_ticket(KdcOptions::CNAME_IN_ADDL_TKT, TicketFlags(!0)).is_err());
        assert!(check_with_ticket(KdcOptions::REQUEST_ANONYMOUS, TicketFlags(!0)).is_err());
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for (at, one) in AGAIN.into_iter().enumerate() {
            assert!(check_with_ticket(one, TicketFlags(!0)).is_ok(), "{one:?}");
            for other in AGAIN.into_iter().skip(at + 1) {
                assert!(
                    check_with_ticket(one | other, TicketFlags(!0)).is_err(),
                    "{one:?} {other:?}"
                );
            }
            let in_skey = check_with_ticket(one | KdcOptions::ENC_TKT_IN_SKEY, TicketFlags(!0));
            let keeps_ticket = matches!(one, KdcOptions::RENEW | KdcOptions::VALIDATE);
            assert_eq!(in_skey.is_err(), keeps_ticket, "{one:?}");
        }
    }
}
