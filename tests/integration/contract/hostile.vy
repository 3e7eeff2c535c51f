# pragma version 0.4.3
"""
@title A token, custodian and beneficiary with bad intentions
@notice Calls back whoever moves it or pays it, and answers as it was told to.
"""

target: address
data: Bytes[8192]
answer: bool

decimals: public(constant(uint8)) = 18


@external
def arm(target: address, data: Bytes[8192], answer: bool):
    self.target = target
    self.data = data
    self.answer = answer


@external
@payable
def __default__():
    self._strike()


@external
def transferFrom(sender: address, to: address, amount: uint256) -> bool:
    self._strike()
    return self.answer


@external
def transfer(to: address, amount: uint256) -> bool:
    self._strike()
    return self.answer


@internal
def _strike():
    if self.target != empty(address):
        raw_call(self.target, self.data)
