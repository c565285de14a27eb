"""Credentials in addresses: taken out of whatever is stored, logged or shown."""

from __future__ import annotations

import re

_USER = re.compile(
    # In Azure's own addresses the part before the @ names a container.
    r"(\b(?!(?:abfss?|wasbs?|adl)://)[a-z][a-z0-9+.-]*://)[^/\s?#@\"'<>]*@",
    re.IGNORECASE,
)
_QUERY = re.compile(r"\?([^\s?#\"'<>]*)")
_SECRET = re.compile(
    r"(?:x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)"
    r"|awsaccesskeyid|signature|sig|(?:access_|auth_|id_)?token|api_?key|auth|password|passwd"
    r"|secret|client_secret)=.*",
    re.IGNORECASE,
)
"""Parameters that sign a request or let someone in (AWS, Google Cloud, Azure, and as usual)."""


def without_credentials(text: str) -> str:
    """A text whose addresses have neither user names, passwords nor tokens in them."""
    if "://" not in text:
        return text
    text = _USER.sub(r"\1", text)
    return _QUERY.sub(_without_secrets, text) if "?" in text else text


def hidden_address(address: str) -> str:
    """An address that has credentials, to be kept out of sight; empty for another."""
    return "" if without_credentials(address) == address else address


def _without_secrets(query: re.Match[str]) -> str:
    parameters = query[1].split("&")
    kept = [one for one in parameters if not _SECRET.fullmatch(one)]
    if len(kept) == len(parameters):
        return query[0]
    return f"?{'&'.join(kept)}" if kept else ""
