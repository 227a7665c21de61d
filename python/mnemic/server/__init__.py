"""The gRPC server: an adapter from the wire to the engine. `mnemic.server.server` builds and runs it."""
