"""An authority of the server's own, and what it signs: the server's certificate and its project user's."""

import datetime as dt
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVICE_DOMAIN = "consul"
"""The client asks the Query Service's certificate for the name flyingduck.service.<this>."""


@dataclass(frozen=True)
class Signed:
    """A certificate and its private key, in PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True)
class Certificates:
    """All that the two servers and a client need to know each other."""

    authority: bytes
    server: Signed
    user: Signed


def make_certificates() -> Certificates:
    """Return new certificates, valid for a day."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _sign("Contract authority", authority_key, authority_key, "Contract authority", authority=True)
    server = _issue(authority_key, "server", ExtendedKeyUsageOID.SERVER_AUTH, names=True)
    user = _issue(authority_key, "lyrics__engineer", ExtendedKeyUsageOID.CLIENT_AUTH)
    return Certificates(authority.public_bytes(serialization.Encoding.PEM), server, user)


def _issue(
    authority_key: ec.EllipticCurvePrivateKey, name: str, usage: x509.ObjectIdentifier, names: bool = False
) -> Signed:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(name, key, authority_key, "Contract authority", usage=usage, names=names)
    return Signed(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _sign(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: str,
    authority: bool = False,
    usage: x509.ObjectIdentifier | None = None,
    names: bool = False,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_key_usage(authority), critical=True)
    )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        builder = builder.add_extension(_server_names(), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _server_names() -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            x509.DNSName("localhost"),
            x509.DNSName(f"flyingduck.service.{SERVICE_DOMAIN}"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
    )


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
