# pragma version 0.4.3
# pragma evm-version cancun
"""
@title The issued dollar
@notice An ERC-20 that one minter mints and that burns what was allowed to the burner, as USDe does. No permit.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

event MinterUpdated:
    newMinter: indexed(address)
    oldMinter: indexed(address)

name: public(String[32])
symbol: public(String[16])
decimals: public(constant(uint8)) = 18
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
owner: public(address)
minter: public(address)


@deploy
def __init__(name_: String[32], symbol_: String[16], admin: address):
    assert admin != empty(address)
    self.name = name_
    self.symbol = symbol_
    self.owner = admin


@external
def setMinter(newMinter: address):
    if msg.sender != self.owner:
        raise "Ownable: caller is not the owner"
    log MinterUpdated(newMinter=newMinter, oldMinter=self.minter)
    self.minter = newMinter


@external
def mint(to: address, amount: uint256):
    if msg.sender != self.minter:
        raw_revert(method_id("OnlyMinter()"))
    if to == empty(address):
        raise "ERC20: mint to the zero address"
    self.totalSupply += amount
    self.balanceOf[to] += amount
    log Transfer(sender=empty(address), receiver=to, value=amount)


@external
def burn(amount: uint256):
    self._burn(msg.sender, amount)


@external
def burnFrom(account: address, amount: uint256):
    self._spend(account, msg.sender, amount)
    self._burn(account, amount)


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
    self._spend(sender, msg.sender, amount)
    self._transfer(sender, to, amount)
    return True


@internal
def _spend(holder: address, spender: address, amount: uint256):
    allowed: uint256 = self.allowance[holder][spender]
    if allowed == max_value(uint256):
        return
    if allowed < amount:
        raise "ERC20: insufficient allowance"
    self.allowance[holder][spender] = allowed - amount


@internal
def _burn(account: address, amount: uint256):
    if self.balanceOf[account] < amount:
        raise "ERC20: burn amount exceeds balance"
    self.balanceOf[account] -= amount
    self.totalSupply -= amount
    log Transfer(sender=account, receiver=empty(address), value=amount)


@internal
def _transfer(sender: address, to: address, amount: uint256):
    if to == empty(address):
        raise "ERC20: transfer to the zero address"
    if self.balanceOf[sender] < amount:
        raise "ERC20: transfer amount exceeds balance"
    self.balanceOf[sender] -= amount
    self.balanceOf[to] += amount
    log Transfer(sender=sender, receiver=to, value=amount)
