"""Every code the API answers with, and the one table from reasons to codes. Numbers as in Ethena's mint/redeem API."""

import msgspec

from domain.refusal import Reason


class Code(msgspec.Struct, frozen=True):
    """Hold a public code: its number on the wire, the HTTP status, and what it means."""

    number: int
    name: str
    status: int = 400


CODES: dict[int, Code] = {
    code.number: code
    for code in (
        Code(0, "RFQ payload misses required fields"),
        Code(1, "temporarily unavailable"),
        Code(2, "collateral asset not supported"),
        Code(3, "pair not supported"),
        Code(4, "side not supported"),
        Code(5, "size has too many significant figures"),
        Code(6, "size is not a number"),
        Code(7, "size is not positive"),
        Code(8, "size does not cover the gas cost"),
        Code(9, "size over the block capacity set"),
        Code(10, "wallet not whitelisted"),
        Code(11, "collateral in wallet insufficient"),
        Code(12, "collateral approval insufficient"),
        Code(13, "USDe balance insufficient"),
        Code(14, "USDe approval insufficient"),
        Code(15, "asset not active"),
        Code(16, "type_ not supported"),
        Code(17, "size over the block capacity left"),
        Code(18, "RFQ expired"),
        Code(19, "invalid RFQ"),
        Code(20, "the market moved too much, try again"),
        Code(21, "execution already being processed"),
        Code(22, "already executed this block"),
        Code(23, "order expired"),
        Code(24, "duplicate nonce"),
        Code(25, "benefactor not whitelisted"),
        Code(26, "beneficiary not whitelisted"),
        Code(27, "wrong minter: switch API"),
        Code(28, "benefactor throttled", 429),
        Code(29, "invalid payload"),
        Code(30, "invalid address"),
        Code(31, "fees not applicable"),
        Code(32, "slippage too high for a delegate-signed order"),
        Code(33, "no price source to validate"),
        Code(34, "contract balance insufficient"),
        Code(35, "order not found", 404),
        Code(36, "submitted, not mined", 202),
        Code(37, "RFQ already used", 409),
    )
}

UNAVAILABLE, MARKET_MOVED, BEING_PROCESSED, EXPIRED, THROTTLED, INVALID_PAYLOAD = 1, 20, 21, 23, 28, 29
INVALID_RFQ, INVALID_ADDRESS, FEES_NOT_APPLICABLE, ORDER_NOT_FOUND, NOT_MINED = 19, 30, 31, 35, 36

PUBLIC: dict[Reason, int] = {
    Reason.HALTED: 1,
    Reason.REDUCE_ONLY: 1,
    Reason.POLICY_MISSING: 1,
    Reason.DEPENDENCY_LOST: 1,
    Reason.CHAIN_UNKNOWN: 1,
    Reason.VENUE_SUSPENDED: 33,
    Reason.INSTRUMENT_SUSPENDED: 33,
    Reason.ASSET_SUSPENDED: 33,
    Reason.ASSET_DEPEGGED: 15,
    Reason.ORDER_TYPE_INVALID: 29,
    Reason.ADDRESS_INVALID: 30,
    Reason.PAIR_UNSUPPORTED: 3,
    Reason.SIDE_UNSUPPORTED: 4,
    Reason.ASSET_UNSUPPORTED: 2,
    Reason.ASSET_INACTIVE: 15,
    Reason.SIZE_TOO_PRECISE: 5,
    Reason.SIZE_NOT_POSITIVE: 7,
    Reason.BENEFACTOR_NOT_WHITELISTED: 25,
    Reason.BENEFICIARY_NOT_APPROVED: 26,
    Reason.SIGNATURE_INVALID: 29,
    Reason.WALLET_BALANCE: 11,
    Reason.WALLET_ALLOWANCE: 12,
    Reason.ISSUED_BALANCE: 13,
    Reason.ISSUED_ALLOWANCE: 14,
    Reason.QUOTE_UNKNOWN: 19,
    Reason.QUOTE_USED: 37,
    Reason.QUOTE_EXPIRED: 18,
    Reason.QUOTE_MISMATCH: 19,
    Reason.ORDER_EXPIRED: 23,
    Reason.NONCE_INVALID: 29,
    Reason.NONCE_USED: 24,
    Reason.REFERENCE_MISSING: 33,
    Reason.REFERENCE_STALE: 33,
    Reason.QUORUM_MISSING: 33,
    Reason.HEDGE_UNVOUCHED: 33,
    Reason.DEPTH_INSUFFICIENT: 17,
    Reason.ROOM_INSUFFICIENT: 17,
    Reason.BACKING_INSUFFICIENT: 34,
    Reason.BLOCK_CAPACITY_SET: 9,
    Reason.BLOCK_CAPACITY_LEFT: 17,
    Reason.HOT_BALANCE: 34,
    Reason.CONTROL_LATCHED: 1,
    Reason.OWN_TOKEN: 2,
    Reason.DESTINATION_UNKNOWN: 29,
    Reason.VALUE_UNKNOWN: 33,
    Reason.BACKING_RATIO: 1,
    Reason.STRESS_LOSS: 1,
    Reason.MARGIN_RATIO: 17,
    Reason.LIQUIDATION_DISTANCE: 17,
    Reason.LEVERAGE: 17,
    Reason.GROSS_NOTIONAL: 17,
    Reason.POSITION_NOTIONAL: 17,
    Reason.OPEN_ORDER_NOTIONAL: 17,
    Reason.OPEN_ORDERS: 17,
    Reason.OPEN_INTEREST_SHARE: 17,
    Reason.VENUE_CONCENTRATION: 17,
    Reason.CUSTODIAN_CONCENTRATION: 17,
    Reason.STABLE_CONCENTRATION: 17,
    Reason.UNSETTLED_PROFIT: 17,
    Reason.SLIPPAGE_BUDGET: 1,
    Reason.PRICE_COLLAR_PERIOD: 20,
    Reason.REPEATED_EXECUTION: 1,
    Reason.DUPLICATE_ORDERS: 1,
    Reason.ORDER_RATE: 1,
    Reason.MESSAGE_RATE: 1,
    Reason.ORDER_TO_TRADE: 1,
    Reason.MINT_CAPACITY: 17,
    Reason.REDEEM_CAPACITY: 17,
    Reason.TRANSFER_NOTIONAL: 29,
    Reason.TRANSFER_CAPACITY: 29,
    Reason.LIMIT_MISSING: 1,
    Reason.ORDER_NOTIONAL: 9,
    Reason.NET_DELTA: 17,
    Reason.PRICE_COLLAR: 20,
    Reason.SIZE_BELOW_GAS: 8,
    Reason.MARKET_MOVED: 20,
    Reason.STABLE_PRICE: 20,
    Reason.DELEGATE_SLIPPAGE: 32,
    Reason.UNKNOWN_ORDER: 35,
    Reason.UNKNOWN_SUBJECT: 35,
    # Answers to the settlement worker and to people's commands; a public caller cannot bring them about.
    Reason.TRANSACTION_INVALID: 29,
    Reason.SETTLEMENT_WAITS: 1,
    Reason.LOOSENING_NEEDS_APPROVAL: 29,
    Reason.SCOPE_INVALID: 29,
    Reason.VALUE_INVALID: 29,
    Reason.APPROVAL_OWN: 29,
    Reason.APPROVAL_OVER: 29,
    Reason.COMMAND_ID_REUSED: 29,
}

# What the contract says when it refuses, for a request that falls by it; the names are its own.
CONTRACT: dict[str, int] = {
    "BenefactorNotWhitelisted": 25,
    "BeneficiaryNotApproved": 26,
    "DelegationNotInitiated": 29,
    "GlobalMaxMintPerBlockExceeded": 17,
    "GlobalMaxRedeemPerBlockExceeded": 17,
    "MaxMintPerBlockExceeded": 17,
    "MaxRedeemPerBlockExceeded": 17,
    "InvalidAddress": 30,
    "InvalidAmount": 29,
    "InvalidAssetAddress": 2,
    "InvalidEIP712Signature": 29,
    "InvalidEIP1271Signature": 29,
    "InvalidNonce": 24,
    "InvalidOrder": 29,
    "InvalidStablePrice": 20,
    "InvalidZeroAddress": 30,
    "SignatureExpired": 23,
    "TransferFailed": 11,
    "UnknownSignatureType": 29,
    "UnsupportedAsset": 15,
}


def fallen_code(text: str) -> Code:
    """Return the code of a request that fell: of the contract's error or the reason that its text begins with.

    Otherwise the hedge could not be traded, or the transaction came to nothing: code 20, ask for a new quote.
    """
    word = text.partition(":")[0].strip()
    reason = Reason.__members__.get(word.upper())
    return CODES[CONTRACT.get(word, PUBLIC[reason] if reason is not None else MARKET_MOVED)]


# Under /v1 the code is the reason's name in lower case; here is its status where it is not 409 (the state forbids it).
KEYED_STATUS: dict[Reason, int] = {
    Reason.UNKNOWN_SUBJECT: 404,
    Reason.UNKNOWN_ORDER: 404,
    Reason.SCOPE_INVALID: 400,
    Reason.VALUE_INVALID: 400,
    Reason.APPROVAL_OWN: 403,
}
KEYED_STATUS_DEFAULT = 409


def public_code(reason: Reason) -> Code:
    """Return the public code of a reason."""
    return CODES[PUBLIC[reason]]


def keyed_code(reason: Reason) -> tuple[str, int]:
    """Return a reason's code string and HTTP status under /v1."""
    return reason.name.lower(), KEYED_STATUS.get(reason, KEYED_STATUS_DEFAULT)
