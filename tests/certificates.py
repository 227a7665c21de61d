"""Certificates for tests, made by openssl."""

import subprocess


class Authority:
    """Makes certificates."""

    def __init__(self, directory) -> None:
        self._directory = directory
        self.certificate, self._key = directory / "ca.pem", directory / "ca.key"
        self._openssl("req", "-x509", *self._new("ca", "-keyout", self._key, "-out", self.certificate))

    def issue(self, name: str, days: int = 2):
        """A certificate for this machine, and its key."""
        key, request, certificate = (self._directory / f"{name}.{part}" for part in ("key", "csr", "pem"))
        self._openssl("req", *self._new(name, "-keyout", key, "-out", request))
        extensions = self._directory / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        signed = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-extfile", extensions)
        self._openssl("x509", "-req", "-days", days, "-in", request, "-out", certificate, *signed)
        return certificate, key

    def _new(self, name, *rest):
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        return (*curve, "-days", "2", "-subj", f"/CN={name}", *rest)

    @staticmethod
    def _openssl(*arguments) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)  # noqa: S607 (from the path)
