//! What a cluster has beyond its defaults: settings, listeners, users.

use crate::certificates::Pair;

/// Further broker settings, listeners besides the plain one of the harness, and SCRAM users.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub(super) listeners: Vec<(String, &'static str)>,
    settings: Vec<(String, String)>,
    users: Vec<(String, String)>,
}

impl Setup {
    /// Adds a listener with TLS that shows this certificate. Its own settings are those of the name
    /// `listener.name.NAME.SETTING`.
    #[must_use]
    pub fn tls(mut self, name: &str, certificate: &Pair, settings: &[(&str, &str)]) -> Self {
        self.listeners.push((name.to_owned(), "SSL"));
        self.of_listener(name, certificate, settings)
    }

    /// Adds one with TLS and SCRAM, both mechanisms.
    #[must_use]
    pub fn scram(mut self, name: &str, certificate: &Pair, settings: &[(&str, &str)]) -> Self {
        self.listeners.push((name.to_owned(), "SASL_SSL"));
        let login = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let scram = [
            ("sasl.enabled.mechanisms", "SCRAM-SHA-256,SCRAM-SHA-512"),
            ("scram-sha-256.sasl.jaas.config", login),
            ("scram-sha-512.sasl.jaas.config", login),
        ];
        self.of_listener(name, certificate, &[&scram, settings].concat())
    }

    /// Adds a user that can log in by SCRAM, with either mechanism.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    fn of_listener(mut self, name: &str, certificate: &Pair, settings: &[(&str, &str)]) -> Self {
        let store = [
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.certificate.chain", certificate.cert_pem.as_str()),
            ("ssl.keystore.key", certificate.key_pem.as_str()),
        ];
        for (setting, value) in store.iter().chain(settings) {
            // A line of PEM is a line of its own, which a properties file writes in one.
            let value = value.replace('\n', "\\n");
            let setting = format!("listener.name.{}.{setting}", name.to_lowercase());
            self.settings.push((setting, value));
        }
        self
    }

    /// The broker's settings but `listeners`, which names ports.
    pub(super) fn properties(&self) -> impl Iterator<Item = (&str, String)> {
        let protocols: String =
            self.listeners.iter().map(|(name, protocol)| format!(",{name}:{protocol}")).collect();
        let map = format!("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}");
        let settings = self.settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
        settings.chain([("listener.security.protocol.map", map)])
    }

    /// What tells the storage tool of the users.
    pub(super) fn format_arguments(&self) -> Vec<String> {
        let user = |(name, password): &(String, String)| {
            ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(|mechanism| {
                ["--add-scram".to_owned(), format!("{mechanism}=[name={name},password={password}]")]
            })
        };
        self.users.iter().flat_map(user).flatten().collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Setup {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(settings: I) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self { settings: settings.into_iter().map(owned).collect(), ..Self::default() }
    }
}
