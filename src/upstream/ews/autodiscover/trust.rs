//! Who may see a user's secret.
//!
//! A host may, over https, when it is the user's domain or below it, when a host that may told so over TLS (in an answer
//! or a redirect), or when the administrator named it. What came without proof, by plain HTTP or by DNS, leads only to
//! the first and the last kind: whoever stands in between could have written it.
//!
//! **Invariant:** only this module makes a [`Trusted`].

use reqwest::Url;
use std::fmt;

/// A URL that may be asked with the user's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted(Url);

/// Why a lead is not followed.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// What is trusted during one walk.
pub struct Trust {
    domains: Vec<String>,
    named: Vec<String>,
}

/// Exchange Online's own.
const ONLINE: [&str; 3] = ["autodiscover-s.outlook.com", "autodiscover.outlook.com", "outlook.office365.com"];
const MAX_LABELS: usize = 253;

/// The domain of an address, if it is one that a host can have.
pub fn domain(address: &str) -> Option<&str> {
    let (name, domain) = address.rsplit_once('@')?;
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    // Numbers alone would be an address, not a name.
    let is_name = domain.split('.').all(is_label) && domain.contains('.') && domain.len() <= MAX_LABELS;
    let is_number = domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    (!name.is_empty() && is_name && !is_number).then_some(domain)
}

impl Trust {
    /// `named` are the administrator's.
    pub fn new(named: &[String]) -> Self {
        Self { domains: Vec::new(), named: named.iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// A domain of the user: the one that was signed in with, or one that a trusted host told.
    pub fn add_domain(&mut self, domain: &str) {
        self.domains.push(domain.to_ascii_lowercase());
    }

    /// A host of a domain of the user.
    pub fn own(&self, host: &str) -> Option<Trusted> {
        let url = Url::parse(&format!("https://{host}/")).ok()?;
        self.is_own(url.host_str()?).then_some(Trusted(url))
    }

    /// Exchange Online's host, for tokens that were made for it.
    pub fn online() -> Option<Trusted> {
        let [host, ..] = ONLINE;
        Url::parse(&format!("https://{host}/")).ok().map(Trusted)
    }

    /// What a trusted host told over TLS.
    pub fn told(by: &Trusted, text: &str) -> Result<Trusted, Refused> {
        let url = by.0.join(text.trim()).map_err(|_| Refused(format!("`{}` is no URL", short(text))))?;
        secure(url)
    }

    /// What stood in plain HTTP or in DNS.
    pub fn hinted(&self, text: &str) -> Result<Trusted, Refused> {
        let url = Url::parse(text.trim()).map_err(|_| Refused(format!("`{}` is no URL", short(text))))?;
        let Trusted(url) = secure(url)?;
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let is_named = self.named.iter().any(|named| is_below(host, named)) || ONLINE.contains(&host);
        if is_named || self.is_own(host) {
            return Ok(Trusted(url));
        }
        Err(Refused(format!(
            "leads to {host}, which is not of this domain, and nobody proves it: if it is right, put \"{host}\" into \
             exchange.trusted_hosts"
        )))
    }

    fn is_own(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| is_below(host, domain))
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn secure(url: Url) -> Result<Trusted, Refused> {
    if url.scheme() != "https" {
        return Err(Refused(format!("leads to {}, which is not https", short(url.as_str()))));
    }
    if url.host_str().is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err(Refused("leads to a URL with a name and a password in it".to_owned()));
    }
    Ok(Trusted(url))
}

/// Of strangers' texts not more than fits a line.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

impl Trusted {
    /// Where it leads.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Another path of the same host.
    pub(super) fn with_path(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(path);
        Self(url)
    }
}

impl fmt::Display for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn trust() -> Trust {
        let mut trust = Trust::new(&["hoster.net".to_owned()]);
        trust.add_domain("Example.com");
        trust
    }

    #[test]
    fn what_nobody_proves_leads_into_the_domain_or_to_hosts_that_were_named() {
        let trust = trust();
        for good in [
            "https://mail.example.com/a",
            "https://EXAMPLE.com./a",
            "https://x.hoster.net/",
            "https://autodiscover-s.outlook.com/autodiscover/autodiscover.xml",
        ] {
            assert!(trust.hinted(good).is_ok(), "{good}");
        }
        for bad in [
            "https://notexample.com/",
            "https://example.com.evil.test/",
            "https://example.com@evil.test/",
            "https://evil.test/?https://example.com/",
            "https://203.0.113.5/",
            "https://evil-outlook.com/",
            "https://x.outlook.com/",
            "http://mail.example.com/",
            "ftp://example.com/",
            "//example.com/",
            "",
        ] {
            assert!(trust.hinted(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_trusted_host_tells_leads_anywhere_but_out_of_tls() {
        let by = trust().own("example.com").unwrap();
        assert!(Trust::told(&by, "https://mail.elsewhere.test/EWS/Exchange.asmx").is_ok());
        assert_eq!(Trust::told(&by, "/a.xml").unwrap().to_string(), "https://example.com/a.xml");
        for bad in ["http://example.com/a", "javascript:alert(1)", "https://u:p@example.com/", "https://"] {
            assert!(Trust::told(&by, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_have_domains_that_hosts_can_have() {
        assert_eq!(domain("a@b@example.com"), Some("example.com"));
        for bad in [
            "a",
            "@example.com",
            "a@",
            "a@localhost",
            "a@10.0.0.1",
            "a@ex ample.com",
            "a@x/y.com",
            "a@x:1.com",
            "a@[::1]",
        ] {
            assert_eq!(domain(bad), None, "{bad}");
        }
        assert!(trust().own("evil.test").is_none());
    }
}
