# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Wrapped ether
@notice Ether as a token: deposited by sending it, withdrawn with as little gas as WETH9 forwards.
"""

event Transfer:
    src: indexed(address)
    dst: indexed(address)
    wad: uint256

event Approval:
    src: indexed(address)
    guy: indexed(address)
    wad: uint256

event Deposit:
    dst: indexed(address)
    wad: uint256

event Withdrawal:
    src: indexed(address)
    wad: uint256

name: public(constant(String[32])) = "Wrapped Ether"
symbol: public(constant(String[16])) = "WETH"
decimals: public(constant(uint8)) = 18
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@external
@payable
def __default__():
    assert len(msg.data) == 0
    self._deposit(msg.sender, msg.value)


@external
@payable
def deposit():
    self._deposit(msg.sender, msg.value)


@external
def withdraw(wad: uint256):
    self.balanceOf[msg.sender] -= wad
    send(msg.sender, wad)
    log Withdrawal(src=msg.sender, wad=wad)


@external
@view
def totalSupply() -> uint256:
    return self.balance


@external
def approve(guy: address, wad: uint256) -> bool:
    self.allowance[msg.sender][guy] = wad
    log Approval(src=msg.sender, guy=guy, wad=wad)
    return True


@external
def transfer(dst: address, wad: uint256) -> bool:
    self._transfer(msg.sender, dst, wad)
    return True


@external
def transferFrom(src: address, dst: address, wad: uint256) -> bool:
    if src != msg.sender and self.allowance[src][msg.sender] != max_value(uint256):
        self.allowance[src][msg.sender] -= wad
    self._transfer(src, dst, wad)
    return True


@internal
def _deposit(dst: address, wad: uint256):
    self.balanceOf[dst] += wad
    log Deposit(dst=dst, wad=wad)


@internal
def _transfer(src: address, dst: address, wad: uint256):
    self.balanceOf[src] -= wad
    self.balanceOf[dst] += wad
    log Transfer(src=src, dst=dst, wad=wad)
