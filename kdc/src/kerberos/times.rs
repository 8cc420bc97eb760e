//! When a ticket begins, ends, and stops being renewable (RFC 4120 §3.1.3, §3.3.3).

use core::time::Duration;

use tessera_common::error_code::ErrorCode;
use tessera_common::flags::KdcOptions;
use tessera_common::time::KerberosTime;
use tessera_common::wire::KdcReqBody;

use super::refusal::Refusal;
use crate::realm::authorization::Grant;
use crate::realm::denied::Denied;
use crate::realm::rules::Rule;

/// A ticket's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) start: KerberosTime,
    pub(super) end: KerberosTime,
    /// Absent, the ticket is not renewable.
    pub(super) renew_till: Option<KerberosTime>,
    /// It begins in the future, and is to be validated then.
    pub(super) postdated: bool,
}

/// What the ticket that a request comes with bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderBound {
    pub(super) end: KerberosTime,
    pub(super) renew_till: Option<KerberosTime>,
}

/// The times of a new ticket: what was asked for, within what is granted and what the header ticket has.
pub(super) fn new_ticket(
    body: &KdcReqBody,
    grant: &Grant<'_>,
    header: Option<HeaderBound>,
    now: KerberosTime,
    skew: Duration,
) -> Result<Times, Refusal> {
    let asks = |option| body.kdc_options.contains(option);
    if (asks(KdcOptions::ALLOW_POSTDATE) || asks(KdcOptions::POSTDATED)) && !grant.postdateable {
        return Err(Denied::NotPostdateable.into());
    }
    let (start, postdated) = start(body, now, skew)?;
    let till = asked(body.till);
    let mut end = till.unwrap_or(KerberosTime::MAX).min(start.plus(grant.life));
    if let Some(header) = header {
        end = end.min(header.end);
    }
    if end <= start {
        return Err(
            Refusal::new(ErrorCode::KDC_ERR_NEVER_VALID, "never-valid").detail(format!("start {start}, end {end}"))
        );
    }
    Ok(Times {
        start,
        end,
        renew_till: renew_till(body, grant, header, start, end),
        postdated,
    })
}

/// The times of a renewed ticket: the same length from now on, as far as it may be renewed. A rule that is about the renewal
/// bounds what is still to come of the ticket, as it bounds a new one.
pub(super) fn renewed(
    start: KerberosTime,
    end: KerberosTime,
    renew_till: Option<KerberosTime>,
    grant: &Grant<'_>,
    now: KerberosTime,
) -> Result<Times, Refusal> {
    let bound = grant.rule.and_then(Rule::max_life).map(|life| now.plus(life));
    let renew_till = renew_till.map(|limit| bound.into_iter().fold(limit, KerberosTime::min));
    let limit = renew_till.unwrap_or(KerberosTime::MIN);
    if limit <= now {
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_TKT_EXPIRED, "renewable-life-over")
            .detail(format!("renew-till {limit}"))
            .text("the ticket can no longer be renewed"));
    }
    Ok(Times {
        start: now,
        end: now.plus(end.since(start)).min(limit),
        renew_till,
        postdated: false,
    })
}

fn start(body: &KdcReqBody, now: KerberosTime, skew: Duration) -> Result<(KerberosTime, bool), Refusal> {
    match asked(body.from) {
        Some(from) if from > now && body.kdc_options.contains(KdcOptions::POSTDATED) => Ok((from, true)),
        Some(from) if from > now.plus(skew) => Err(Refusal::new(
            ErrorCode::KDC_ERR_CANNOT_POSTDATE,
            "postdated-without-the-option",
        )
        .detail(format!("from {from}"))),
        _ => Ok((now, false)),
    }
}

fn renew_till(
    body: &KdcReqBody,
    grant: &Grant<'_>,
    header: Option<HeaderBound>,
    start: KerberosTime,
    end: KerberosTime,
) -> Option<KerberosTime> {
    let asked_for = if body.kdc_options.contains(KdcOptions::RENEWABLE) {
        asked(body.rtime).unwrap_or(KerberosTime::MAX)
    } else if body.kdc_options.contains(KdcOptions::RENEWABLE_OK) {
        // Instead of the life that was asked for, and no longer than it: MIT's client refuses more.
        asked(body.till).unwrap_or(KerberosTime::MAX)
    } else {
        return None;
    };
    let mut limit = asked_for.min(start.plus(grant.renewable_life?));
    if let Some(header) = header {
        limit = limit.min(header.renew_till?);
    }
    // Renewable no longer than it is good anyway: then it is not renewable.
    (limit > end).then_some(limit)
}

// 1970 stands for "as MIT's client has nothing to ask".
fn asked(time: Option<KerberosTime>) -> Option<KerberosTime> {
    time.filter(|time| *time != KerberosTime::EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_common::flags::TicketFlags;
    use tessera_common::wire::UInt32;

    const NOW: KerberosTime = KerberosTime(1_000_000);
    const SKEW: Duration = Duration::from_secs(300);
    const HOUR: i64 = 3600;

    fn grant() -> Grant<'static> {
        Grant {
            life: Duration::from_secs(10 * 3600),
            renewable_life: Some(Duration::from_secs(7 * 86_400)),
            delegation: TicketFlags::empty(),
            postdateable: true,
            ok_as_delegate: false,
            rule: None,
        }
    }

    fn body(options: KdcOptions, from: Option<i64>, till: Option<i64>, rtime: Option<i64>) -> KdcReqBody {
        let at = |offset: Option<i64>| offset.map(|offset| KerberosTime(NOW.0 + offset));
        KdcReqBody {
            kdc_options: options,
            cname: None,
            realm: "R".into(),
            sname: None,
            from: at(from),
            till: at(till),
            rtime: at(rtime),
            nonce: UInt32(1),
            etype: vec![],
            addresses: None,
            enc_authorization_data: None,
            additional_tickets: None,
        }
    }

    fn code(result: Result<Times, Refusal>) -> i32 {
        match result.unwrap_err().as_event() {
            crate::realm::accounting::Result::Refused { code, .. } => code.0,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_ticket_begins_now_unless_it_is_postdated() {
        let s = SKEW.as_secs().cast_signed();
        for (from, postdate, expected) in [
            (None, false, Ok((0, false))),
            (Some(-1_000_000), false, Ok((0, false))),
            (Some(-s - 1), false, Ok((0, false))),
            (Some(s), false, Ok((0, false))),
            (Some(s + 1), false, Err(10)),
            (Some(s + 1), true, Ok((s + 1, true))),
            (Some(HOUR), true, Ok((HOUR, true))),
            (Some(-HOUR), true, Ok((0, false))),
            (None, true, Ok((0, false))),
        ] {
            let options = KdcOptions::empty().set(KdcOptions::POSTDATED, postdate);
            let got = new_ticket(&body(options, from, Some(8 * HOUR), None), &grant(), None, NOW, SKEW);
            match expected {
                Ok((start, postdated)) => {
                    let times = got.unwrap();
                    assert_eq!((times.start.0 - NOW.0, times.postdated), (start, postdated), "{from:?}");
                }
                Err(expected) => assert_eq!(code(got), expected, "{from:?}"),
            }
        }
    }

    #[test]
    fn a_ticket_ends_when_asked_and_never_later_than_granted() {
        for (till, end) in [
            (None, Ok(10 * HOUR)),
            (Some(-1_000_000), Ok(10 * HOUR)),
            (Some(5), Ok(5)),
            (Some(20 * HOUR), Ok(10 * HOUR)),
            (Some(0), Err(11)),
            (Some(-5), Err(11)),
        ] {
            let got = new_ticket(&body(KdcOptions::empty(), None, till, None), &grant(), None, NOW, SKEW);
            match end {
                Ok(end) => assert_eq!(got.unwrap().end.0 - NOW.0, end, "{till:?}"),
                Err(expected) => assert_eq!(code(got), expected, "{till:?}"),
            }
        }
    }

    #[test]
    fn a_ticket_ends_no_later_than_the_header_ticket() {
        let header = HeaderBound {
            end: KerberosTime(NOW.0 + HOUR),
            renew_till: None,
        };
        let got = new_ticket(
            &body(KdcOptions::RENEWABLE, None, None, None),
            &grant(),
            Some(header),
            NOW,
            SKEW,
        )
        .unwrap();
        assert_eq!((got.end, got.renew_till), (header.end, None));
        let over = HeaderBound {
            end: NOW,
            renew_till: None,
        };
        assert_eq!(
            code(new_ticket(
                &body(KdcOptions::empty(), None, None, None),
                &grant(),
                Some(over),
                NOW,
                SKEW
            )),
            11
        );
    }

    #[test]
    fn renew_till_is_what_was_asked_within_what_is_granted() {
        let week = 7 * 86_400;
        for (options, till, rtime, expected) in [
            (KdcOptions::empty(), Some(8 * HOUR), Some(week), None),
            (KdcOptions::RENEWABLE, Some(8 * HOUR), None, Some(week)),
            (KdcOptions::RENEWABLE, Some(8 * HOUR), Some(-1_000_000), Some(week)),
            (KdcOptions::RENEWABLE, Some(8 * HOUR), Some(86_400), Some(86_400)),
            (KdcOptions::RENEWABLE, Some(8 * HOUR), Some(2 * week), Some(week)),
            (KdcOptions::RENEWABLE, Some(8 * HOUR), Some(HOUR), None),
            (KdcOptions::RENEWABLE_OK, Some(8 * HOUR), None, None),
            (KdcOptions::RENEWABLE_OK, Some(20 * HOUR), None, Some(20 * HOUR)),
            (KdcOptions::RENEWABLE_OK, None, None, Some(week)),
        ] {
            let got = new_ticket(&body(options, None, till, rtime), &grant(), None, NOW, SKEW).unwrap();
            assert_eq!(
                got.renew_till.map(|t| t.0 - NOW.0),
                expected,
                "{options:?} {till:?} {rtime:?}"
            );
        }
        let not_renewable = Grant {
            renewable_life: None,
            ..grant()
        };
        let got = new_ticket(
            &body(KdcOptions::RENEWABLE, None, None, None),
            &not_renewable,
            None,
            NOW,
            SKEW,
        )
        .unwrap();
        assert_eq!(got.renew_till, None);
    }

    #[test]
    fn postdating_is_refused_by_policy() {
        let strict = Grant {
            postdateable: false,
            ..grant()
        };
        for option in [KdcOptions::ALLOW_POSTDATE, KdcOptions::POSTDATED] {
            assert_eq!(
                code(new_ticket(&body(option, None, None, None), &strict, None, NOW, SKEW)),
                10
            );
        }
    }

    #[test]
    fn renewal_keeps_the_length_up_to_renew_till() {
        let at = |offset: i64| KerberosTime(NOW.0 + offset);
        let times = renewed(at(-HOUR), at(HOUR), Some(at(10 * HOUR)), &grant(), NOW).unwrap();
        assert_eq!(
            (times.start, times.end, times.renew_till),
            (NOW, at(2 * HOUR), Some(at(10 * HOUR)))
        );
        assert_eq!(
            renewed(at(-HOUR), at(HOUR), Some(at(60)), &grant(), NOW).unwrap().end,
            at(60)
        );
        assert_eq!(code(renewed(at(-HOUR), at(HOUR), Some(NOW), &grant(), NOW)), 32);
        assert_eq!(code(renewed(at(-HOUR), at(HOUR), None, &grant(), NOW)), 32);
    }
}
