"""Credentials in addresses: taken out of whatever is stored, logged or shown."""

from __future__ import annotations

import re

_USER = re.compile(
    # In Azure's own addresses the part before the @ names a container.
    r"(\b(?!(?:abfss?|wasbs?|adl)://)[a-z][a-z0-9+.-]*://)(?:[^/\s?#@\"'<>]*@"
    # A password with a slash or a blank that is not escaped; behind a host is a port's number.
    r"|[^/\s?#@\"'<>:\[\]]+:(?![0-9]*(?:[/?#:\s]|\Z))[^@\"'<>\r\n]*@)",
    re.IGNORECASE,
)
_QUERY = re.compile(r"\?([^\s?#\"'<>]*)")
_SECRET = re.compile(
    r"(?:x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)"
    r"|awsaccesskeyid|key-pair-id|signature|sig|(?:access_|auth_|id_|sas_|__)?token(?:__)?"
    r"|hdn(?:ea|ts)|jwt|hmac|(?:api|access|secret|subscription)[_-]?key|auth|password|passwd|pwd"
    r"|(?:client_)?secret)=.*",
    re.IGNORECASE,
)
"""Parameters that sign a request or let someone in.

AWS, CloudFront, Google Cloud, Azure, Akamai, and as usual. Not ``key``, which often names the file.
"""

_FRAGMENT = re.compile(
    rf"(?<=\S)#(?:{_SECRET.pattern.removesuffix('.*')}[^\s\"'<>]*)", re.IGNORECASE
)
"""A part behind ``#`` that begins with such a parameter; it never reaches a server."""


def without_credentials(text: str) -> str:
    """A text whose addresses have neither user names, passwords nor tokens in them."""
    if "://" not in text:
        return text
    text = _USER.sub(r"\1", text)
    if "?" in text:
        text = _QUERY.sub(_without_secrets, text)
    return _FRAGMENT.sub("", text) if "#" in text else text


def hidden_address(address: str) -> str:
    """An address that has credentials, to be kept out of sight; empty for another."""
    return "" if without_credentials(address) == address else address


def _without_secrets(query: re.Match[str]) -> str:
    parameters = query[1].split("&")  # those of a feed may be escaped: "&amp;sig=..."
    harmless = [
        parameter
        for parameter in parameters
        if not _SECRET.fullmatch(parameter.removeprefix("amp;"))
    ]
    if len(harmless) == len(parameters):
        return query[0]
    return f"?{'&'.join(harmless)}" if harmless else ""


def is_web(source: str) -> bool:
    """Whether a picture is downloaded by HTTP."""
    return source[:8].lower().startswith(("http://", "https://"))
