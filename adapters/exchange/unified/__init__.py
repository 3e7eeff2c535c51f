"""Any other venue, through ccxt's unified methods: looked at, never hedged on."""
