"""certificates: an authority of a test's own, and what it signs, as files in PEM made by `openssl`."""

import os
import subprocess
import tempfile


def openssl(*words, text=None):
    done = subprocess.run(("openssl", *words), input=text, capture_output=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"openssl {words[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout


class Identity:
    """A certificate with its key, in two files and, for those who want that, in one."""

    def __init__(self, folder, name):
        self.cert, self.key = os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key")


class Authority(Identity):
    """Its folder goes with close()."""

    def __init__(self, name="authority"):
        self.folder = tempfile.TemporaryDirectory(prefix="repram-certificates-")
        super().__init__(self.folder.name, name)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                self.key, "-out", self.cert, "-days", "30", "-subj", f"/CN={name}")

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", days=10):
        """Signed by this authority, for these names ("" for none), until so many days from now: behind us
        where that is less than none."""
        made = Identity(self.folder.name, name)
        request = openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                          "-keyout", made.key, "-subj", f"/CN={name}")
        extensions = os.path.join(self.folder.name, f"{name}.ext")
        with open(extensions, "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", str(days),
                "-extfile", extensions, "-out", made.cert, text=request)
        return made

    def close(self):
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
