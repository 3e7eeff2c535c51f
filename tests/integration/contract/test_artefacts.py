"""What is committed is what the sources compile to, and speaks the deployed contract's interface."""

import decimal
import hashlib
import json

import pytest
from eth_hash.auto import keccak

from adapters.chain.eip712 import ORDER_TYPE, ContractDomain, domain_separator
from adapters.simulators.chain.contracts.artefacts import CONTRACTS, artefact, artefact_path, source_path
from adapters.simulators.chain.contracts.compiling import compile_contract, written
from tests.integration.contract.rig import Abi, Contract, Evm, canonical_abi, selector_of, signature_of, topic_of
from tests.integration.contract.stage import Stage

CODE_BYTES_MAX = 24_576  # EIP-170
MAINNET = "0xe3490297a08d6fc8da46edb7b6142e4f461b62d3"
MAINNET_SEPARATOR = "c4e859a2ad9827930f83695f76c902ef7a7dc112c15b6e056f48dae3abbffc53"
TYPEHASH = "0364fb0ceb19d9be21807e255d5221bd3766eb5974667c7c8ab9bc6fd85b2a1d"
KNOWN_SELECTORS = {"mint": "96eea750", "redeem": "75c890dc", "hashOrder": "7cef7e91", "verifyOrder": "7c549c1d"}
KNOWN_TOPICS = {
    "Mint": "29ee92e51cda311463f5c9ef98c54824a4bebe45e689c37da35edc774585d437",
    "Redeem": "0ea36c5b7b274f8fe58654fe884bb9307dec1899e0312f40ae10d9b3d100cc0c",
}
ERRORS = [
    "BenefactorNotWhitelisted",
    "BeneficiaryNotApproved",
    "DelegationNotInitiated",
    "GlobalMaxMintPerBlockExceeded",
    "GlobalMaxRedeemPerBlockExceeded",
    "MaxMintPerBlockExceeded",
    "MaxRedeemPerBlockExceeded",
    "InvalidAddress",
    "InvalidAmount",
    "InvalidAssetAddress",
    "InvalidBenefactorAddress",
    "InvalidBeneficiaryAddress",
    "InvalidCustodianAddress",
    "InvalidEIP712Signature",
    "InvalidEIP1271Signature",
    "InvalidNonce",
    "InvalidOrder",
    "InvalidRoute",
    "InvalidStablePrice",
    "InvalidUSDeAddress",
    "InvalidZeroAddress",
    "InvalidAdminChange",
    "NotPendingAdmin",
    "NoAssetsProvided",
    "SignatureExpired",
    "TransferFailed",
    "UnknownSignatureType",
    "UnsupportedAsset",
]
UNREACHABLE = {"UnknownSignatureType"}  # a signature type beyond the enum does not even decode


@pytest.mark.parametrize("contract", CONTRACTS)
def test_compiling_again_makes_the_same_bytes(contract: str):
    assert written(compile_contract(contract)) == artefact_path(contract).read_bytes()


@pytest.mark.parametrize("contract", CONTRACTS)
def test_an_artefact_names_its_source_and_compiler(contract: str):
    made = artefact(contract)
    assert made.source_sha256 == hashlib.sha256(source_path(contract).read_bytes()).hexdigest()
    assert (made.contract, made.compiler, made.evm_version) == (contract, "vyper 0.4.3", "cancun")
    assert len(made.runtime) // 2 - 1 <= CODE_BYTES_MAX


def test_a_contract_that_is_not_ours_has_no_artefact():
    with pytest.raises(KeyError, match="vault"):
        artefact("vault")


def _entries(abi: Abi, kind: str) -> dict[str, dict[str, object]]:
    return {str(entry["name"]): entry for entry in abi if entry["type"] == kind}


def _types(arguments: object) -> list[str]:
    return [signature_of({"name": "", "inputs": [each]}) for each in json.loads(json.dumps(arguments))]


def test_the_compiled_functions_are_those_of_the_canonical_interface():
    compiled, canonical = _entries(artefact("minting").abi, "function"), _entries(canonical_abi(), "function")
    assert len(canonical) == 52
    assert compiled.keys() == canonical.keys()
    for name, entry in canonical.items():
        assert selector_of(compiled[name]) == selector_of(entry), name
        assert compiled[name]["stateMutability"] == entry["stateMutability"], name
        assert _types(compiled[name]["outputs"]) == _types(entry["outputs"]), name


def test_the_compiled_events_are_those_of_the_canonical_interface():
    compiled, canonical = _entries(artefact("minting").abi, "event"), _entries(canonical_abi(), "event")
    assert compiled.keys() == canonical.keys()
    for name, entry in canonical.items():
        assert topic_of(compiled[name]) == topic_of(entry), name
        assert compiled[name]["inputs"] == entry["inputs"], name


def test_the_interface_has_the_numbers_of_the_deployed_contract():
    functions, events = _entries(canonical_abi(), "function"), _entries(canonical_abi(), "event")
    assert {name: selector_of(functions[name]).hex() for name in KNOWN_SELECTORS} == KNOWN_SELECTORS
    assert {name: topic_of(events[name]).hex() for name in KNOWN_TOPICS} == KNOWN_TOPICS


def test_the_interface_names_every_error_and_the_code_raises_them():
    canonical = _entries(canonical_abi(), "error")
    assert sorted(canonical) == sorted(ERRORS)
    # The compiler pushes a selector as a constant, so each is found in the creation code.
    code = bytes.fromhex(artefact("minting").bytecode[2:])
    assert {name for name, entry in canonical.items() if selector_of(entry) not in code} == UNREACHABLE


def test_the_signed_type_has_the_swapped_widths_and_the_known_hash(stage: Stage):
    assert keccak(ORDER_TYPE).hex() == TYPEHASH
    encoded = stage.minting.ask("encodeOrder", ("id", 0, 1, 2, *3 * ["0x" + 40 * "1"], 4, 5))
    assert encoded[:32].hex() == TYPEHASH
    assert len(encoded) == 320


def test_at_the_mainnet_address_the_domain_separator_is_the_deployed_one(stage: Stage):
    evm = Evm(chain_id=1)
    address = bytes.fromhex(MAINNET[2:])
    evm.state.set_code(address, stage.evm.state.get_code(bytes.fromhex(stage.minting.address[2:])))
    found = Contract(evm, MAINNET, canonical_abi()).ask("getDomainSeparator")
    assert found.hex() == MAINNET_SEPARATOR
    assert found == domain_separator(ContractDomain(chain_id=1, verifying_contract=MAINNET))


def test_the_compiler_keeps_its_precision_to_itself():
    before = decimal.getcontext()
    compile_contract("erc20")
    assert decimal.getcontext() is before
    assert before.prec == decimal.DefaultContext.prec
