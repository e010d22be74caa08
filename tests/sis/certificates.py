"""A certificate authority of our own, and every way a server's certificate can be wrong (reference 5, rows 5-11).

The good certificate comes from an intermediate authority, as bought ones do, so that leaving the intermediate out is
the real fault. Clients trust `Authority.root_pem` and nothing else.
"""

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from tempfile import NamedTemporaryFile
from typing import Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

CERTIFICATES: Final = {
    "good": "valid, the whole chain sent",
    "expired": "ended yesterday",
    "expiring": "valid, ends in `days` days",
    "not_yet_valid": "begins tomorrow",
    "self_signed": "its own issuer",
    "unknown_authority": "by an authority nobody trusts, which is sent along",
    "wrong_name": "for another host",
    "incomplete_chain": "valid, the intermediate left out",
}
PROTOCOLS: Final = {
    "modern": "TLS 1.2 and 1.3",
    "tls_1_2": "TLS 1.2 only, what Aeries demands",
    "old": "TLS 1.0 and 1.1 only",
}


class Authority:
    """Issues the server's certificates for `names`."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._root = trustme.CA(organization_name="Simulated SIS root")
        self._intermediate = self._root.create_child_ca()

    @property
    def root_pem(self) -> bytes:
        return self._root.cert_pem.bytes()

    def context(self, certificate: str = "good", protocol: str = "modern", days: float = 7) -> ssl.SSLContext:
        """A server's TLS context with one of `CERTIFICATES` and one of `PROTOCOLS`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            # Old versions are what a client must be seen to refuse; Python warns whoever names them.
            warnings.simplefilter("ignore", DeprecationWarning)
            if protocol == "old":
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
            else:
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                if protocol == "tls_1_2":
                    context.maximum_version = ssl.TLSVersion.TLSv1_2
        with NamedTemporaryFile(suffix=".pem") as file:  # OpenSSL reads certificates from files only
            file.write(self._pem(certificate, days))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _pem(self, certificate: str, days: float) -> bytes:
        """Private key, certificate and what is sent of the chain."""
        now = datetime.now(UTC)
        issue = self._intermediate.issue_cert
        if certificate == "good":
            leaf = issue(*self._names, not_before=now - timedelta(days=30), not_after=now + timedelta(days=300))
        elif certificate == "expired":
            leaf = issue(*self._names, not_before=now - timedelta(days=365), not_after=now - timedelta(days=1))
        elif certificate == "expiring":
            # An hour on top: "7 days" stays 7 whole days while a test runs.
            end = now + timedelta(days=days, hours=1)
            leaf = issue(*self._names, not_before=now - timedelta(days=365), not_after=end)
        elif certificate == "not_yet_valid":
            leaf = issue(*self._names, not_before=now + timedelta(days=1), not_after=now + timedelta(days=365))
        elif certificate == "wrong_name":
            leaf = issue("elsewhere.invalid")
        elif certificate == "incomplete_chain":
            leaf = issue(*self._names)
            return leaf.private_key_pem.bytes() + leaf.cert_chain_pems[0].bytes()
        elif certificate == "unknown_authority":
            stranger = trustme.CA(organization_name="Nobody's root")
            leaf = stranger.issue_cert(*self._names)
            return leaf.private_key_and_cert_chain_pem.bytes() + stranger.cert_pem.bytes()
        elif certificate == "self_signed":
            return _self_signed(self._names[0], now)
        else:
            raise ValueError(f"no certificate is called {certificate!r}; there are {', '.join(CERTIFICATES)}")
        return leaf.private_key_and_cert_chain_pem.bytes()


def _self_signed(name: str, now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)
