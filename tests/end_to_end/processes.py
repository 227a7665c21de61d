"""`mnemic serve` as a process of its own."""

import re
import subprocess
import sys


class ServerProcess:
    """A server on a free port over a data directory."""

    def __init__(self, data_directory, *arguments):
        self.process = self.begin(data_directory, *arguments)
        for line in self.process.stdout:
            found = re.search(r"mnemic serving on (\S+:\d+)", line)
            if found:
                self.address = found.group(1)
                return
        raise AssertionError(f"the server ended with code {self.process.wait()} before it listened")

    @staticmethod
    def begin(data_directory, *arguments):
        """The process, which need not listen yet."""
        command = [sys.executable, "-m", "mnemic.cli", "serve", "--address", "127.0.0.1:0", "--embedding", "static"]
        command += ["--data-directory", str(data_directory), "--log-level", "warning", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def end(process):
        """As `kill -9`: nothing in the process gets to run any more."""
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()

    def kill(self):
        """As `kill -9`."""
        self.end(self.process)

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code
