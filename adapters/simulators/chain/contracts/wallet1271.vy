# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A contract wallet
@notice Owned by one key; says whether a signature is its own (EIP-1271), and can change its mind.
"""

OWNED: constant(uint8) = 0  # the owner's signature is the wallet's
REFUSING: constant(uint8) = 1  # none is
REVERTING: constant(uint8) = 2  # asking fails
ACCEPTING: constant(uint8) = 3  # any bytes are

MAGIC: constant(bytes4) = 0x1626ba7e
REFUSAL: constant(bytes4) = 0xffffffff

owner: public(address)
mode: public(uint8)


@deploy
def __init__(admin: address):
    self.owner = admin


@external
@payable
def __default__():
    assert len(msg.data) == 0


@external
def setMode(mode: uint8):
    assert msg.sender == self.owner
    assert mode <= ACCEPTING
    self.mode = mode


@external
@payable
def execute(target: address, data: Bytes[4096]) -> Bytes[1024]:
    assert msg.sender == self.owner
    return raw_call(target, data, value=msg.value, max_outsize=1024)


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[2048]) -> bytes4:
    if self.mode == REVERTING:
        raise "wallet: no answer"
    if self.mode == ACCEPTING or (self.mode == OWNED and self._is_owners(digest, signature)):
        return MAGIC
    return REFUSAL


@internal
@view
def _is_owners(digest: bytes32, signature: Bytes[2048]) -> bool:
    if len(signature) != 65:
        return False
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    r: uint256 = extract32(signature, 0, output_type=uint256)
    s: uint256 = extract32(signature, 32, output_type=uint256)
    signer: address = ecrecover(digest, v, r, s)
    return signer != empty(address) and signer == self.owner
