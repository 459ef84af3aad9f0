//! An authority that vouches for servers on loopback, rightly or not.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use serde_json::{Value, json};

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// Its own certificate, which makes those that trust it do so.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// What a server at this host needs, good until this year.
    pub fn certifies(&self, host: &str, last_year: i32) -> Value {
        let (params, key) = (of_server(host, last_year), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        json!({ "cert": certificate.pem(), "key": key.serialize_pem() })
    }
}

/// For which nobody vouches but the server itself.
pub fn self_signed(host: &str) -> Value {
    let (params, key) = (of_server(host, 2100), KeyPair::generate().unwrap());
    let certificate = params.self_signed(&key).unwrap();
    json!({ "cert": certificate.pem(), "key": key.serialize_pem() })
}

fn of_server(host: &str, last_year: i32) -> CertificateParams {
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_after = date_time_ymd(last_year, 1, 1);
    params
}
