"""The parts of the contract's messages that server and clients read and write alike. Imports `model` and `v1` only."""
