# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A collateral token
@notice An ERC-20 whose owner mints and freezes accounts, as the issuers of dollar tokens do.
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
decimals: public(uint8)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
isFrozen: public(HashMap[address, bool])
owner: public(address)


@deploy
def __init__(name_: String[32], symbol_: String[16], decimals_: uint8, admin: address):
    assert admin != empty(address)
    self.name = name_
    self.symbol = symbol_
    self.decimals = decimals_
    self.owner = admin


@external
def mint(to: address, amount: uint256):
    self._check_owner()
    self.totalSupply += amount
    self.balanceOf[to] += amount
    log Transfer(sender=empty(address), receiver=to, value=amount)


@external
def setFrozen(account: address, frozen: bool):
    self._check_owner()
    self.isFrozen[account] = frozen


@external
def approve(spender: address, amount: uint256) -> bool:
    if spender == empty(address):
        raise "ERC20: approve to the zero address"
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    self._transfer(msg.sender, to, amount)
    return True


@external
def transferFrom(sender: address, to: address, amount: uint256) -> bool:
    allowed: uint256 = self.allowance[sender][msg.sender]
    if allowed != max_value(uint256):
        if allowed < amount:
            raise "ERC20: insufficient allowance"
        self.allowance[sender][msg.sender] = allowed - amount
    self._transfer(sender, to, amount)
    return True


@internal
@view
def _check_owner():
    if msg.sender != self.owner:
        raise "Ownable: caller is not the owner"


@internal
def _transfer(sender: address, to: address, amount: uint256):
    if self.isFrozen[sender] or self.isFrozen[to]:
        raise "ERC20: account is frozen"
    if to == empty(address):
        raise "ERC20: transfer to the zero address"
    if self.balanceOf[sender] < amount:
        raise "ERC20: transfer amount exceeds balance"
    self.balanceOf[sender] -= amount
    self.balanceOf[to] += amount
    log Transfer(sender=sender, receiver=to, value=amount)
