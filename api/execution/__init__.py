"""The execution worker: orders, accounts, sweeps and the venue's dead-man's switch."""
