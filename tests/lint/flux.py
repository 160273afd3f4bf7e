#!/usr/bin/python3
"""The Flux specification satisfies the rules of FluxOS and the needs of our nodes there.

docs/flux.md says why each rule is there. A rule that no change to the file can break would be worth
nothing: SPOILED lists a change for each, and every one of them must be complained about."""

import copy
import json
import re
import sys

from sources import read, report

FILE = "fade/flux.json"

# The keys of version 8. FluxOS refuses a missing one, and one that it does not know.
APP = {"version": int, "name": str, "description": str, "owner": str, "compose": list,
       "instances": int, "contacts": list, "geolocation": list, "expire": int, "nodes": list,
       "staticip": bool, "enterprise": str}
COMPONENT = {"name": str, "description": str, "repotag": str, "ports": list, "containerPorts": list,
             "domains": list, "environmentParameters": list, "commands": list,
             "containerData": str, "cpu": (int, float), "ram": int, "hdd": int, "repoauth": str}
PORTS_MAX = 5
SURCHARGED = {8081}
# Read by Flux's domain manager, not by the nodes.
FOREIGN = {"TIMEOUT"}
SECRET = re.compile(r"SECRET|PASSWORD|TOKEN|TLS_KEY|PRIVATE")


def keys_and_types(what, value, wanted):
    if not isinstance(value, dict):
        return [f"{what} is no object"]
    found = [f"{what}: unknown key {key!r}" for key in value if key not in wanted]
    found += [f"{what}: key {key!r} is missing" for key in wanted if key not in value]
    found += [f"{what}: {key!r} has the wrong type" for key, kind in wanted.items()
              if key in value and (not isinstance(value[key], kind) or
                                   (isinstance(value[key], bool) and kind is not bool))]
    return found


def ports(component):
    outside, inside = component["ports"], component["containerPorts"]
    found = []
    if not 1 <= len(outside) <= PORTS_MAX:
        found.append(f"a component has 1 to {PORTS_MAX} ports, not {len(outside)}")
    if not len(outside) == len(inside) == len(component["domains"]):
        found.append("ports, containerPorts and domains differ in length")
    if not all(isinstance(port, int) and 1 <= port <= 65535 for port in outside + inside):
        return found + ["a port is no number from 1 to 65535"]
    if SURCHARGED.intersection(outside):
        found.append(f"port {SURCHARGED.intersection(outside).pop()} is surcharged")
    if outside != inside:
        found.append("ports differ from containerPorts: a node tells others the port it listens on")
    if outside and outside != list(range(outside[0], outside[0] + len(outside))):
        found.append("the ports are no range: nodes claim BASE_PORT and those that follow")
    return found


def environment(component, settings):
    found, values = [], {}
    for entry in component["environmentParameters"]:
        name, equals, value = str(entry).partition("=")
        if not equals or name in values:
            found.append(f"environment: {entry!r} is no NAME=value, or NAME stands twice")
        if SECRET.search(name):
            found.append(f"environment: {name} is a secret, and the environment is world-readable")
        elif name not in settings | FOREIGN:
            found.append(f"environment: {name} is no setting of docs/configuration.md")
        values[name] = value
    outside = component["ports"]
    if values.get("BASE_PORT") != str(outside[0] if outside else None):
        found.append("BASE_PORT is not the first port")
    if values.get("MAX_PORTS") != str(len(outside)):
        found.append("MAX_PORTS is not the number of ports")
    if not 1 <= int(values.get("NODE_COUNT", "3")) <= len(outside):
        found.append("NODE_COUNT nodes do not fit into the ports")
    if "flux" not in values.get("REPRAM_DISCOVERY", "").split(","):
        found.append("REPRAM_DISCOVERY lacks flux, which finds the other instances")
    if not re.fullmatch(r"[1-9][0-9]*s", values.get("TIMEOUT", "")):
        found.append("TIMEOUT is not said: the proxy ends a quiet stream after 25 s")
    return found


def check(spec, settings, version):
    """What is wrong with a specification, as a list of sentences."""
    found = keys_and_types("the specification", spec, APP)
    if found:
        return found
    if spec["version"] != 8:
        found.append("version is not 8")
    if spec["instances"] < 1 or not spec["compose"]:
        found.append("there is no instance or no component")
    for component in spec["compose"]:
        wrong = keys_and_types("a component", component, COMPONENT)
        if wrong:
            found += wrong
            continue
        found += ports(component) + environment(component, settings)
        if not component["repotag"].endswith(f":v{version}"):
            found.append(f"repotag is not of version {version}")
        if min(component["cpu"], component["ram"], component["hdd"]) <= 0:
            found.append("cpu, ram and hdd are more than nothing")
        if not component["containerData"].startswith("/"):
            found.append("containerData is no absolute path")
    return found


def change(spec, path, value):
    """A copy in which one member, by its path, has another value; None removes it."""
    spoiled = copy.deepcopy(spec)
    place = spoiled
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return spoiled


def spoiled(spec):
    """(name, specification) of every way to break a rule."""
    part = ("compose", 0)
    variables = spec["compose"][0]["environmentParameters"]

    def with_variables(*more, without=""):
        kept = [v for v in variables if not (without and v.startswith(without + "="))]
        return change(spec, (*part, "environmentParameters"), kept + list(more))

    for key in APP:
        yield f"no {key}", change(spec, (key,), None)
    for key in COMPONENT:
        yield f"no component's {key}", change(spec, (*part, key), None)
    yield "the plan's docker_image", change(spec, (*part, "docker_image"), "x")
    yield "the plan's healthCheck", change(spec, ("healthCheck",), {})
    yield "another version", change(spec, ("version",), 7)
    yield "no component at all", change(spec, ("compose",), [])
    yield "a truth for a number", change(spec, ("instances",), True)
    yield "six ports", change(change(change(
        spec, (*part, "ports"), list(range(38081, 38087))),
        (*part, "containerPorts"), list(range(38081, 38087))), (*part, "domains"), [""] * 6)
    yield "a domain too few", change(spec, (*part, "domains"), [""] * 4)
    yield "a surcharged port", change(spec, (*part, "ports"), list(range(8081, 8086)))
    yield "other ports inside", change(spec, (*part, "containerPorts"), list(range(8081, 8086)))
    yield "a hole in the range", change(change(
        spec, (*part, "ports"), [38081, 38082, 38083, 38084, 38086]),
        (*part, "containerPorts"), [38081, 38082, 38083, 38084, 38086])
    yield "a port that is none", change(spec, (*part, "ports", 4), "38085")
    yield "another BASE_PORT", with_variables("BASE_PORT=8081", without="BASE_PORT")
    yield "another MAX_PORTS", with_variables("MAX_PORTS=10", without="MAX_PORTS")
    yield "too many nodes", with_variables("NODE_COUNT=6", without="NODE_COUNT")
    yield "no provider flux", with_variables("REPRAM_DISCOVERY=port-range", without="REPRAM_DISCOVERY")
    yield "no TIMEOUT", with_variables(without="TIMEOUT")
    yield "a secret", with_variables("REPRAM_CLUSTER_SECRET=x")
    yield "a setting that there is not", with_variables("REPRAM_COLOUR=green")
    yield "no value", with_variables("REPRAM_LOG_LEVEL")
    yield "a name twice", with_variables("NODE_COUNT=3")
    yield "another release", change(spec, (*part, "repotag"), "ticktockbent/repram-flux:latest")
    yield "no processor", change(spec, (*part, "cpu"), 0)
    yield "a relative path", change(spec, (*part, "containerData"), "tmp")


def main():
    settings = set(re.findall(r"`([A-Z][A-Z_]+)`", read("docs/configuration.md")))
    version = re.search(r"project\(repram VERSION ([0-9.]+)", read("CMakeLists.txt")).group(1)
    spec = json.loads(read(FILE))
    found = [f"{FILE}: {sentence}" for sentence in check(spec, settings, version)]
    if not found:
        found = [f"the lint lets through: {name}" for name, other in spoiled(spec)
                 if not check(other, settings, version)]
    return report(found)


if __name__ == "__main__":
    sys.exit(main())
