"""Organizations' signing keys: made, kept encrypted, used, verified. Ed25519 (RFC 8032).

`Signer` is the shape another algorithm (SM2) or a hardware module takes.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from parties.actors import Actor
from parties.models import Organization, SigningKey


class Signer(Protocol):
    """Signs bytes with one key. `key_uid` names the key in the log and in the signature's row."""

    @property
    def algorithm(self) -> str: ...

    @property
    def key_uid(self) -> str: ...

    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    key_uid: str
    private: Ed25519PrivateKey
    algorithm: str = "ed25519"

    def sign(self, message: bytes) -> bytes:
        """64 bytes, deterministic."""
        return self.private.sign(message)


def keyring() -> MultiFernet:
    """Encryption at rest; the first key encrypts, all of them decrypt, so that keys can be rotated."""
    return MultiFernet([Fernet(key) for key in settings.KEY_ENCRYPTION_KEYS])


def create_key(organization: Organization, *, actor: Actor) -> SigningKey:
    """Make and store the organization's key, in the caller's transaction. It must have none in use."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key = SigningKey.objects.create(
        organization=organization,
        public=public,
        sealed_private=keyring().encrypt(private.private_bytes_raw()),
    )
    record(
        Event.KEY_CREATED, actor=actor, about=key,
        key=str(key.uid), algorithm=key.algorithm, public=base64.b64encode(public).decode(),
    )  # fmt: skip
    return key


def signer_for(organization: Organization) -> Signer:
    key = organization.signing_keys.filter(retired=None).first()
    if key is None:
        raise Refused(
            "key.missing",
            _("Your organization has no signing key. Ask the bureau's administrator to make one."),
        )
    raw = keyring().decrypt(bytes(key.sealed_private))
    return Ed25519Signer(str(key.uid), Ed25519PrivateKey.from_private_bytes(raw))


def verify(key: SigningKey, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes(key.public)).verify(signature, message)
    except InvalidSignature:
        return False
    return True
