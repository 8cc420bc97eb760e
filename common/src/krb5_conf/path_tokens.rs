/// What stands for the tokens in the paths of a configuration. The program knows; this crate asks nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTokens {
    /// `%{uid}`, `%{USERID}`: the real user id.
    pub uid: u32,
    /// `%{euid}`: the effective user id.
    pub euid: u32,
    /// `%{username}`: the name that belongs to the effective user id, if there is one.
    pub username: Option<String>,
    /// `%{TEMP}`: `TMPDIR`, or `/tmp`.
    pub temp: String,
}

impl PathTokens {
    /// Puts the values in place of the tokens; `%{null}` is nothing.
    ///
    /// # Errors
    /// What is wrong: an unknown token, a token without an end, or a user without a name.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("%{") {
            let (token, after) = behind.split_once('}').ok_or("\"%{\" without \"}\"")?;
            out.push_str(before);
            match token {
                "uid" | "USERID" => out.push_str(&self.uid.to_string()),
                "euid" => out.push_str(&self.euid.to_string()),
                "username" => {
                    let none = || format!("user id {} has no name to stand for %{{username}}", self.euid);
                    out.push_str(self.username.as_deref().ok_or_else(none)?);
                }
                "TEMP" => out.push_str(&self.temp),
                "null" => {}
                other => {
                    return Err(format!(
                        "the token %{{{other}}} is not known; there are uid, euid, USERID, username, TEMP and null"
                    ));
                }
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> PathTokens {
        PathTokens {
            uid: 1000,
            euid: 0,
            username: Some("root".into()),
            temp: "/tmp".into(),
        }
    }

    #[test]
    fn tokens_are_replaced_once() {
        for (text, expanded) in [
            ("", ""),
            ("FILE:/tmp/krb5cc_%{uid}", "FILE:/tmp/krb5cc_1000"),
            ("%{TEMP}/%{username}/%{euid}%{null}", "/tmp/root/0"),
            ("%{USERID}%{USERID}", "10001000"),
            ("100%", "100%"),
        ] {
            assert_eq!(tokens().expand(text).as_deref(), Ok(expanded));
        }
        let odd = PathTokens {
            temp: "%{uid}".into(),
            ..tokens()
        };
        assert_eq!(odd.expand("%{TEMP}").as_deref(), Ok("%{uid}"));
    }

    #[test]
    fn what_cannot_be_expanded_is_said() {
        let nameless = PathTokens {
            username: None,
            ..tokens()
        };
        assert!(nameless.expand("%{username}").unwrap_err().contains("user id 0"));
        assert!(tokens().expand("%{LIBDIR}/x").unwrap_err().contains("%{LIBDIR}"));
        assert!(tokens().expand("%{uid").is_err());
        assert!(tokens().expand("%{}").is_err());
    }
}
