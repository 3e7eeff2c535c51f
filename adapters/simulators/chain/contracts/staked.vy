# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What a staked token stands for
@notice One rate, told in the words of the staking protocols and of ERC-4626. Its maker sets it; it holds no balances.
"""

decimals: public(constant(uint8)) = 18
stEthPerToken: public(uint256)
owner: public(address)


@deploy
def __init__(rate: uint256):
    self.stEthPerToken = rate
    self.owner = msg.sender


@external
def setRate(rate: uint256):
    if msg.sender != self.owner:
        raise "Ownable: caller is not the owner"
    self.stEthPerToken = rate


@view
@external
def getExchangeRate() -> uint256:
    return self.stEthPerToken


@view
@external
def exchangeRate() -> uint256:
    return self.stEthPerToken


@view
@external
def convertToAssets(shares: uint256) -> uint256:
    return shares * self.stEthPerToken // 10**18
