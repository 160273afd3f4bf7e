#!/usr/bin/python3
"""Every scenario of repram-sim does what it says, by the counts of its effects. And repram-sim
refuses senseless options by name. So does sweep.sh, which counts what fails. usage: scenarios.py SIM"""
import json
import os
import pathlib
import subprocess
import sys

SIM = sys.argv[1]
SWEEP = pathlib.Path(__file__).resolve().parent / "sweep.sh"

# What must have happened at least once: of the network's and faults' effects, or the nodes' counters.
EFFECTS = {
    "steady": [],
    "crash": ["silent_crashes", "streams_reset"],
    "kill": ["kills", "datagrams_refused"],
    "burst": ["kills", "starts"],
    "churn": ["kills", "silent_crashes", "leaves", "starts"],
    "partition": ["cuts", "heals", "datagrams_blocked", "pieces_held"],
    "oneway": ["cuts", "heals", "datagrams_blocked", "pieces_held"],
    "pairs": ["cuts", "heals", "datagrams_blocked", "pieces_held"],
    "loss": ["datagrams_lost", "segments_resent"],
    "burst-loss": ["datagrams_burst", "segments_resent"],
    "reorder": ["datagrams_late"],
    "udp-block": ["cuts", "datagrams_blocked"],
    "tcp-block": ["cuts", "heals", "pieces_held"],
    "pause": ["pauses"],
    "clock": ["clocks_set", "kills"],
    "rolling": ["leaves", "kills", "starts"],
    "replay": ["datagrams_twice", "datagrams_replayed", "datagrams_spoiled", "datagrams_malformed"],
    "corrupt": ["streams_spoiled", "frames_malformed"],
    "full": ["puts_rejected_full"],
    "loner": ["clocks_set", "cuts", "heals", "kills", "clock_conflicts"],
    "no-tcp": ["cuts", "pieces_held"],
    "swarm": [],
    "watch": ["watches", "watches_resumed"],
    "memory": ["allocations_failed"],
    "hostile": ["datagrams_forged", "links_claimed"],
    "blind": ["blinded"],
    "half-open": ["ends_lost"],
    "rotate": ["key_changes"],
}
ARGUMENTS = {
    "corrupt": ["--writes", "40"],
    "full": ["--writes", "20"],
    "pairs": ["--nodes", "12"],
}
# Only partitions outlast half a minute.
SEEDS = "1-4"  # one alone may draw no fault of some kind
MINUTES = {"partition": "0.9", "crash": "0.7", "churn": "2", "pairs": "0.9", "tcp-block": "0.6",
           "full": "0.8", "loner": "0.7"}
WRONG = [
    ["--nodes", "0"], ["--nodes", "9-3"], ["--nodes", "17000"], ["--minutes", "x"], ["--loss", "1"],
    ["--loss", "0."], ["--burst-loss", "0.95"], ["--burst-time", "3"], ["--delay", "11s"],
    ["--scenario", "sunny"], ["--scenario", "loss,"], ["--seeds", "3-1"], ["--seed", "-1"],
    ["--contacts", "random:0"], ["--contacts", "star"], ["--value-size", "7"], ["--ttl", "7h"],
    ["--sealing", "closed"], ["--sealing", ""],
]


def run(arguments):
    return subprocess.run([SIM] + arguments, capture_output=True, text=True, check=False)


def check_scenario(name):
    arguments = ["--nodes", "8", "--minutes", MINUTES.get(name, "0.4"), "--scenario", name,
                 "--seeds", SEEDS, "--walk", "0", "--json"] + ARGUMENTS.get(name, [])
    done = run(arguments)
    if done.returncode != 0:
        return [f"{name}: exit code {done.returncode}: {done.stdout[:300]}"]
    report = json.loads(done.stdout.splitlines()[-1])
    counted = {**report["counters"], **report["effects"]}
    return [f"{name}: no {effect}" for effect in EFFECTS[name] if counted[effect] == 0]


def check_formed():
    """With --formed everybody lists everybody before any time has passed."""
    done = run(["--nodes", "30", "--minutes", "0.1", "--writes", "2", "--formed", "--json"])
    forming = json.loads(done.stdout.splitlines()[-1])["forming_us"]
    is_so = done.returncode == 0 and forming["count"] == 1 and forming["max"] == 0
    return [] if is_so else [f"--formed: {done.returncode}, {forming}"]


def check_sealing():
    """Each word changes the history, `any` is one of them by the seed, and who listens is busy."""
    wrong = []
    seen = {}
    for word in ("open", "sealed", "mixed", "rotate", "any"):
        done = run(["--nodes", "4", "--minutes", "0.3", "--scenario", "hostile", "--walk", "0",
                    "--sealing", word, "--seed", "3", "--json"])
        report = json.loads(done.stdout.splitlines()[-1])
        seen[word] = report["history"]
        effects = {name for name in ("datagrams_overheard", "key_changes") if report["effects"][name]}
        wanted = {"open": set(), "rotate": {"datagrams_overheard", "key_changes"}}
        if word != "any" and (done.returncode, effects) != (0, wanted.get(word, {"datagrams_overheard"})):
            wrong.append(f"--sealing {word}: {done.returncode}, {effects}")
    is_drawn = seen.pop("any") in list(seen.values())[1:]
    return wrong + ([] if is_drawn and len(set(seen.values())) == 4 else [f"--sealing: {seen}"])


def check_wrong(arguments):
    done = run(arguments)
    if done.returncode != 64 or not done.stderr.startswith(f"repram-sim: {arguments[0]} takes "):
        return [f"{arguments}: {done.returncode}, {done.stderr!r}"]
    return []


def check_sweep(sim, arguments, code, last):
    """The exit code, and what is said last, on standard output."""
    done = subprocess.run(["bash", SWEEP, *arguments], env={**os.environ, "SIM": sim, "JOBS": "1"},
                          text=True, capture_output=True, check=False)
    if (done.returncode, done.stdout.splitlines()[-1:]) != (code, last):
        return [f"sweep.sh {arguments} with {sim}: {done.returncode}, {done.stdout[-300:]!r}"]
    return []


def check_sweeps():
    wrong = check_sweep("true", ["2"], 64, [])  # no path
    for arguments in ([], ["0"], ["x"], ["2", "x"], ["2", "-1"], ["12345678901"]):
        wrong += check_sweep(SIM, arguments, 64, [])
    wrong += check_sweep("/bin/true", ["2", "7"], 0, ["2 seeds, 0 failed"])
    wrong += check_sweep("/bin/false", ["2", "007"], 1, ["2 seeds, 2 failed"])
    return wrong


def main():
    text = run(["--help"]).stdout
    named = [line.split()[0] for line in text.split("scenarios:\n")[1].split("\n\n")[0].splitlines()]
    wrong = [f"--help names {name}, this test does not" for name in named if name not in EFFECTS]
    wrong += [f"--help does not name {name}" for name in EFFECTS if name not in named]
    for name in named:
        if name in EFFECTS:
            wrong += check_scenario(name)
    wrong += check_formed() + check_sealing() + check_sweeps()
    for arguments in WRONG:
        wrong += check_wrong(arguments)
    print("\n".join(wrong))
    print(f"{len(named)} scenarios, {len(WRONG)} wrong options, {len(wrong)} failed")
    return len(wrong) > 0


sys.exit(main())
