"""Completion in bash, zsh and fish, and the pages of the manual: made from the tables that parse."""

import os
import re
import select
import shutil
import subprocess
import tempfile

import harness
from harness import USAGE, Case, cli, wait_until

COMMANDS = re.findall(r"(?m)^  ([a-z]+)  ", cli("help").stdout.decode())
PAGES = ["repram.1", "repram.conf.5"] + [f"repram-{command}.1" for command in COMMANDS]


def shell(*command, script):
    return subprocess.run(command, input=script.encode(), capture_output=True, timeout=60, check=False)


class Completion(Case):
    """`complete(words)` gives what the shell offers for the last of them."""

    def script(self, name):
        done = cli("completion", name)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def bash(self, *words):
        quoted = " ".join(f"'{word}'" for word in words)
        done = shell("bash", "--norc", script=self.script("bash") + f"""
            compopt() {{ :; }}
            COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}
            _repram repram '{words[-1]}' '{words[-2]}'
            printf '%s\\n' "${{COMPREPLY[@]}}" """)
        self.assertEqual(done.stderr, b"")
        return sorted(done.stdout.decode().split())

    def zsh(self, *words):
        quoted = " ".join(f"'{word}'" for word in words)
        done = shell("zsh", "-f", script=f"""
            compdef() {{ : }}
            _files() {{ print -l *(N) }}
            compadd() {{ shift; print -l -- $@ }}
            _describe() {{ print -l -- ${{${{(P)@[-1]}}%%:*}} }}
            {self.script("zsh")}
            words=({quoted}) CURRENT={len(words)}
            _repram""")
        self.assertEqual(done.stderr, b"")
        return sorted(word for word in done.stdout.decode().split() if word.startswith(words[-1]))

    def fish(self, *words):
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(["fish", "--no-config", "-c", self.script("fish") + f"""
                complete -C '{' '.join(words)}' """], capture_output=True, timeout=60, check=False,
                                  env={"HOME": home, "PATH": os.environ["PATH"]})
        self.assertEqual(done.stderr, b"")
        return sorted(line.split("\t")[0] for line in done.stdout.decode().splitlines())

    def check(self, complete):
        self.assertEqual(complete("repram", "he"), ["head", "health", "help"])
        self.assertEqual(complete("repram", ""), sorted(COMMANDS))
        self.assertEqual(complete("repram", "put", "--t"), ["--timeout", "--token-in-clear", "--ttl"])
        self.assertEqual(complete("repram", "put", "key", "--f"), ["--file"])
        self.assertEqual(complete("repram", "node", "--log-l"), ["--log-level"])
        self.assertEqual(complete("repram", "node", "--log-level", ""), ["debug", "error", "info", "warn"])
        self.assertEqual(complete("repram", "peers", "--state", ""), ["alive", "dead", "left", "suspect"])
        self.assertEqual(complete("repram", "status", "--color", "a"), ["always", "auto"])
        self.assertEqual(complete("repram", "node", "--discovery", "d"), ["dns"])
        self.assertEqual(complete("repram", "launch", "--require"), ["--require-all"])
        self.assertEqual(complete("repram", "put", "--ttl", ""), [])
        self.assertEqual(complete("repram", "completion", ""), ["bash", "fish", "zsh"])
        self.assertEqual(complete("repram", "help", "se"), ["settings"])
        self.assertEqual(complete("repram", "node", "--ready"), [])

    def test_bash_completes_commands_options_and_values(self):
        self.check(self.bash)
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "value")
            open(name, "w", encoding="utf-8").close()
            self.assertEqual(self.bash("repram", "put", "--file", name[:-2]), [name])
            self.assertEqual(self.bash("repram", "import", name[:-2]), [name])

    def typed(self, shell_command, setup, keys, expected):
        """In a shell that somebody types into: what the keys and a tab make of the line."""
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        with tempfile.TemporaryDirectory() as home:
            script = os.path.join(home, "completion")
            with open(script, "w", encoding="utf-8") as file:
                file.write(self.script(shell_command[0]))
            env = {"HOME": home, "PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "200", "PS1": "$ "}
            with subprocess.Popen(shell_command, stdin=slave, stdout=slave, stderr=slave, env=env,
                                  start_new_session=True) as process:
                os.close(slave)
                seen = []

                def has(text):
                    if select.select([master], [], [], 0)[0]:
                        seen.append(os.read(master, 65536).decode())
                    return text in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", "".join(seen))
                os.write(master, f"{setup}; source {script}; echo rea''dy\n".encode())
                try:
                    wait_until(lambda: has("ready"), "the shell has begun", 20)
                    os.write(master, f"{keys}\t".encode())
                    wait_until(lambda: has(expected), f"{keys} becomes {expected}: {seen}", 20)
                finally:
                    process.kill()

    def test_values_behind_an_equals_sign_are_completed_by_those_who_type(self):
        for words in ("node --log-level=deb", "peers --color=alw", "peers --state dea", "heal", "put k --tt"):
            whole = re.sub(r"\S+$", lambda last: self.WHOLE[last.group()], words)
            for command, setup in ((("bash", "--norc", "-i"), ":"),
                                   (("zsh", "-f", "-i"), "autoload -Uz compinit; compinit -u -D")):
                with self.subTest(shell=command[0], words=words):
                    self.typed(command, setup, f"repram {words}", f"repram {whole} ")

    WHOLE = {"--log-level=deb": "--log-level=debug", "--color=alw": "--color=always", "dea": "dead",
             "heal": "health", "--tt": "--ttl"}

    def test_zsh_completes_commands_options_and_values(self):
        self.check(self.zsh)

    def test_fish_completes_commands_options_and_values(self):
        self.check(self.fish)

    def test_every_option_of_a_help_is_completed(self):
        for command in COMMANDS:
            named = set(re.findall(r"(?m)^ +(?:-\w, )?(--[a-z][\w-]+)", cli("help", command).stdout.decode()))
            with self.subTest(command=command):
                self.assertEqual(named - set(self.bash("repram", command, "--")), set())

    def test_another_shell_is_refused(self):
        for words in ((), ("csh",), ("bash", "zsh")):
            self.assertEqual(cli("completion", *words).returncode, USAGE)


class Manual(Case):
    def page(self, *topic):
        done = cli("help", "--man", *topic)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def rendered(self, page):
        """As a terminal shows it, without a warning."""
        done = subprocess.run(["groff", "-ww", "-man", "-Tascii", "-P-cbou"], input=page, capture_output=True,
                              timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout.decode()

    def test_every_page_is_rendered_without_a_warning(self):
        for topic in ((), ("settings",), *((command,) for command in COMMANDS)):
            with self.subTest(topic=topic):
                text = self.rendered(self.page(*topic))
                for heading in ("NAME", "SYNOPSIS"):
                    self.assertRegex(text, f"(?m)^{heading}$")

    def test_a_command_has_its_options_and_examples(self):
        text = self.rendered(self.page("put"))
        self.assertRegex(text, r"repram-put - store a value under a key")
        self.assertRegex(text, r"(?m)^ +-f, --file FILE\n +read the value from a file$")
        self.assertRegex(text, r"(?m)^EXAMPLES\n +repram put greeting hello --ttl 10m$")
        self.assertRegex(text, r"DESCRIPTION\n +Stores +a +value")
        self.assertNotRegex(text, "--ready-fd")

    def test_the_overview_names_the_commands_and_exit_codes(self):
        text = self.rendered(self.page())
        for command in COMMANDS:
            self.assertIn(f"repram-{command}(1)", text)
        self.assertRegex(text, r"(?s)EXIT STATUS.*0 ok, 1 failed.*78 bad")

    def test_settings_have_a_page_with_every_one(self):
        text = self.rendered(self.page("settings"))
        for name in re.findall(r"(?m)^([A-Z][A-Z_0-9]+)", cli("help", "settings").stdout.decode()):
            self.assertRegex(text, rf"(?m)^ +{name}\b")
        self.assertRegex(text, r"BASE_PORT\n +first port of the range\n +Default: 8081\n +Allowed: .*\n +Flag: --base-port")

    def test_no_such_page_is_refused(self):
        self.assertEqual(cli("help", "--man", "nothing").returncode, USAGE)

    def test_pages_and_completions_are_installed(self):
        folder = os.path.dirname(harness.BINARY)
        if not os.path.exists(os.path.join(folder, "cmake_install.cmake")):
            self.skipTest("the binary does not lie in its build folder")
        with tempfile.TemporaryDirectory() as prefix:
            done = subprocess.run([shutil.which("cmake"), "--install", folder, "--prefix", prefix],
                                  capture_output=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            share = os.path.join(prefix, "share")
            for page in PAGES:
                with open(os.path.join(share, "man", f"man{page[-1]}", page), "rb") as file:
                    self.assertTrue(file.read().startswith(b".TH"))
            for name in ("bash-completion/completions/repram", "zsh/site-functions/_repram",
                         "fish/vendor_completions.d/repram.fish"):
                self.assertTrue(os.path.getsize(os.path.join(share, name)) > 1000)


if __name__ == "__main__":
    harness.main()
