"""VAAs, the signed envelopes that Pyth's price roots come in: read, and their signatures held to a signer set.

Layout, big-endian: version u8 = 1, set index u32, n u8, n x (index u8, r 32, s 32, recovery id u8), body. Body:
timestamp u32, nonce u32, emitter chain u16, emitter 32, sequence u64, consistency u8, payload. The digest is the double
keccak of the body. The set index is under no signature, and changes without the set changing: it is told, not judged.
"""

from itertools import pairwise

import msgspec
from eth_hash.auto import keccak

from adapters.oracle.cursor import Cursor
from adapters.oracle.recovery import COMPACT_BYTES, checksummed, recover
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.signers import SignerSet

VERSION = 1
PYTHNET_CHAIN = 26


class VerifiedVaa(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what a quorum signed: the payload, when and for whom; `signers` are addresses by index, ascending."""

    set_index: int
    signers: dict[int, str]
    timestamp_s: int
    nonce: int
    emitter: bytes
    sequence: int
    payload: bytes


def verify_vaa(data: bytes, signers: SignerSet) -> VerifiedVaa:
    """Return what the VAA says if a quorum of the set signed it; else raise `OracleRejected`.

    Every signature must be good, not only a quorum of them: as the contract does it.
    """
    cursor = Cursor(data, "VAA")
    if (version := cursor.unsigned(1)) != VERSION:
        raise OracleRejected("version_unknown", f"a VAA of version {version}")
    set_index = cursor.unsigned(4)
    signatures = [
        (cursor.unsigned(1), cursor.take(COMPACT_BYTES), cursor.unsigned(1)) for _ in range(cursor.unsigned(1))
    ]
    body = cursor.rest()
    indices = [index for index, _, _ in signatures]
    if any(later <= earlier for earlier, later in pairwise(indices)):
        raise OracleRejected("signers_not_ascending", f"signers {indices}: each index may stand once, in order")
    if len(signatures) < signers.quorum:
        raise OracleRejected("quorum_missing", f"{len(signatures)} signatures, and {signers.quorum} are needed")
    digest = keccak(keccak(body))
    verified: dict[int, str] = {}
    for index, compact, recovery_id in signatures:
        expected = signers.addresses.get(index)
        if expected is None:
            raise OracleRejected("signer_unknown", f"nobody is signer {index} in this set")
        if recover(digest, compact, recovery_id) != expected:
            raise OracleRejected("signature_invalid", f"signature {index} is not by {checksummed(expected)}")
        verified[index] = checksummed(expected)
    return _read_body(body, set_index, verified, signers)


def _read_body(body: bytes, set_index: int, verified: dict[int, str], signers: SignerSet) -> VerifiedVaa:
    cursor = Cursor(body, "VAA body")
    timestamp_s, nonce, chain = cursor.unsigned(4), cursor.unsigned(4), cursor.unsigned(2)
    emitter, sequence = cursor.take(32), cursor.unsigned(8)
    cursor.unsigned(1)  # the consistency level: how final it was on the emitting chain, the signers' business
    if chain != PYTHNET_CHAIN or emitter not in signers.emitters:
        raise OracleRejected("emitter_unknown", f"emitter {emitter.hex()} on chain {chain} does not speak for Pyth")
    return VerifiedVaa(
        set_index=set_index,
        signers=verified,
        timestamp_s=timestamp_s,
        nonce=nonce,
        emitter=emitter,
        sequence=sequence,
        payload=cursor.rest(),
    )
