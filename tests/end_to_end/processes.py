"""`mnemic serve` as a process of its own."""

import re
import subprocess
import sys


class ServerProcess:
    """A server on a free port over a data directory."""

    def __init__(self, data_directory, *arguments):
        command = [sys.executable, "-m", "mnemic.cli", "serve", "--address", "127.0.0.1:0", "--embedding", "static"]
        command += ["--data-directory", str(data_directory), "--log-level", "warning", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            found = re.search(r"mnemic serving on (\S+:\d+)", line)
            if found:
                self.address = found.group(1)
                return
        raise AssertionError(f"the server ended with code {self.process.wait()} before it listened")

    def kill(self):
        """As `kill -9`: nothing in the process gets to run any more."""
        self.process.kill()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code
