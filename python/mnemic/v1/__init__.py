"""The generated stubs of the contract, package `mnemic.v1`.

Everything else here is written by `scripts/generate_stubs.py`; nothing is edited by hand. Import the modules
themselves (`from mnemic.v1 import memory_service_pb2`): this package loads none of them.
"""
