"""Templates: addresses of pools and wallets, with a name, for playbooks to use."""
