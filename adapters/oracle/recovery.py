"""Who signed a digest: recovery on secp256k1, and addresses as they are written.

coincurve binds libsecp256k1, the library whose recovery Ethereum clients themselves run; it takes the 65 bytes as they
are. The pure Python of eth_keys would take milliseconds for each of thirteen signatures, several times a second.
"""

import coincurve
from eth_hash.auto import keccak

from adapters.oracle.rejected import OracleRejected

COMPACT_BYTES = 64
RECOVERY_ID_MAX = 1


def recover(digest: bytes, compact: bytes, recovery_id: int) -> bytes:
    """Return the 20 bytes of the address that signed a digest; `compact` is r and s, 32 bytes each.

    Both halves of the curve order are taken for s, as by the contracts: what counts is what was signed, nothing here
    tells two signatures over one thing apart.
    """
    if len(compact) != COMPACT_BYTES or not 0 <= recovery_id <= RECOVERY_ID_MAX:
        raise OracleRejected("signature_invalid", "not r, s and a recovery id of 0 or 1")
    signature = compact + bytes((recovery_id,))
    # coincurve raises a bare Exception for what is no point of the curve.
    try:
        key = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except Exception as error:
        raise OracleRejected("signature_invalid", "no key can have made this signature") from error
    return keccak(key.format(compressed=False)[1:])[-20:]


def checksummed(address: bytes) -> str:
    """Write an address with the capitals of its checksum (EIP-55)."""
    text = address.hex()
    digest = keccak(text.encode()).hex()
    return "0x" + "".join(
        letter.upper() if int(nibble, 16) >= 8 else letter  # noqa: PLR2004 - the standard's own threshold
        for letter, nibble in zip(text, digest, strict=False)
    )
