# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token with the habits of USDT
@notice transfer, transferFrom and approve answer nothing; an allowance above zero must be reset to zero before another
        is set; what fails, fails without a word; six decimals.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

name: public(String[32])
symbol: public(String[16])
decimals: public(constant(uint256)) = 6
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
isBlackListed: public(HashMap[address, bool])
owner: public(address)


@deploy
def __init__(name_: String[32], symbol_: String[16], admin: address):
    assert admin != empty(address)
    self.name = name_
    self.symbol = symbol_
    self.owner = admin


@external
def mint(to: address, amount: uint256):
    assert msg.sender == self.owner
    self.totalSupply += amount
    self.balanceOf[to] += amount
    log Transfer(sender=empty(address), receiver=to, value=amount)


@external
def addBlackList(account: address):
    assert msg.sender == self.owner
    self.isBlackListed[account] = True


@external
def removeBlackList(account: address):
    assert msg.sender == self.owner
    self.isBlackListed[account] = False


@external
def approve(spender: address, amount: uint256):
    assert amount == 0 or self.allowance[msg.sender][spender] == 0
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)


@external
def transfer(to: address, amount: uint256):
    self._transfer(msg.sender, to, amount)


@external
def transferFrom(sender: address, to: address, amount: uint256):
    allowed: uint256 = self.allowance[sender][msg.sender]
    if allowed != max_value(uint256):
        self.allowance[sender][msg.sender] = allowed - amount
    self._transfer(sender, to, amount)


@internal
def _transfer(sender: address, to: address, amount: uint256):
    assert not self.isBlackListed[sender]
    self.balanceOf[sender] -= amount
    self.balanceOf[to] += amount
    log Transfer(sender=sender, receiver=to, value=amount)
