# SPDX-License-Identifier: Apache-2.0
"""Settings by flag, environment variable and file, upstream's own among them; `tq config`; completions and the manual."""

import json
import os
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from nodes import ROOT, Cluster, tq_binary
from peer_client import connect
from shell import NOT_FOUND, OK, USAGE

AT_ONCE = 20
UPSTREAM = Path(str(files("transfer_queue"))) / "config.yaml"


def tq(*args, env: dict | None = None) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TQ_")}
    return subprocess.run([tq_binary(), *map(str, args)], capture_output=True, text=True, timeout=AT_ONCE,
                          env={**clean, **(env or {})})


def settings(*args, env: dict | None = None, command: str = "up") -> dict:
    got = tq("config", command, "--json", *args, env=env)
    assert got.returncode == OK, got.stderr
    return json.loads(got.stdout)


def upstream_with(tmp_path, **changes) -> Path:
    """Upstream's file with these changed, "backend.SimpleStorage.total_storage_size" by its last name."""
    conf = yaml.safe_load(UPSTREAM.read_text())
    for path, value in changes.items():
        *sections, name = path.split("__")
        place = conf
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    file = tmp_path / "tq.yaml"
    file.write_text(yaml.safe_dump(conf))
    return file


# ---- the file


def test_upstreams_file_as_it_is():
    got = tq("--config", UPSTREAM, "config", "up")
    assert (got.returncode, got.stderr) == (OK, ""), got.stderr
    shown = settings("--config", UPSTREAM)
    assert shown["units"]["value"] == "2" and f"{UPSTREAM}:" in shown["units"]["from"]
    assert shown["sampler"]["value"] == "SequentialSampler" and "(controller.sampler)" in shown["sampler"]["from"]
    assert shown["polling"]["value"] == "false"
    assert shown["capacity"]["value"] == "-" and shown["capacity"]["from"] == "default"
    assert shown["metrics-port"]["value"] == "-"  # metrics.enabled is false


def test_what_upstreams_settings_mean_here(tmp_path):
    file = upstream_with(tmp_path, metrics__enabled=True, metrics__port=9400, controller__polling_mode=True,
                         controller__sampler="RankAwareSampler", backend__SimpleStorage__total_storage_size=1000,
                         backend__SimpleStorage__num_data_storage_units=3)
    want = {"metrics-port": "9400", "polling": "true", "sampler": "RankAwareSampler", "units": "3",
            "capacity": "334"}  # each unit's share, rounded up
    shown = settings("--config", file)
    assert {name: shown[name]["value"] for name in want} == want
    # Upstream's units take free ports for their metrics.
    assert settings("--config", file, command="storage")["metrics-port"]["value"] == "0"


def test_flag_over_variable_over_file_over_default(tmp_path):
    file = upstream_with(tmp_path, backend__SimpleStorage__num_data_storage_units=3, tq__sampler="RankAwareSampler")
    variable = {"TQ_CONFIG": str(file), "TQ_SAMPLER": "GRPOGroupNSampler,n_samples_per_prompt=2"}
    steps = [
        ([], {}, "SequentialSampler", "default"),
        ([], {"TQ_CONFIG": str(file)}, "RankAwareSampler", f"{file}:"),
        ([], variable, variable["TQ_SAMPLER"], "variable TQ_SAMPLER"),
        (["--sampler", "SequentialSampler"], variable, "SequentialSampler", "flag --sampler"),
        (["--sampler=SequentialSampler"], variable, "SequentialSampler", "flag --sampler"),
    ]
    for args, env, value, source in steps:
        shown = settings(*args, env=env)["sampler"]
        assert shown["value"] == value and shown["from"].startswith(source), shown
        assert shown["variable"] == "TQ_SAMPLER"


def test_the_section_tq_takes_any_flag(tmp_path):
    folder = tmp_path / "nodes"
    file = tmp_path / "tq.yaml"
    file.write_text(f"tq:\n  info-dir: {folder}\n  units: 1\n  pre-alloc: 5\n  keep-memory: 64MiB\n"
                    "  capacity-bytes: 1GiB\nbackend:\n  SimpleStorage:\n    num_data_storage_units: 7\n")
    shown = settings("--config", file)
    assert {name: shown[name]["value"] for name in ("info-dir", "units", "pre-alloc", "capacity-bytes")} == {
        "info-dir": str(folder), "units": "1", "pre-alloc": "5", "capacity-bytes": "1GiB"}
    assert "(tq.units)" in shown["units"]["from"]


def test_nodes_start_by_the_file_alone(tmp_path):
    folder = tmp_path / "nodes"
    file = tmp_path / "tq.yaml"
    file.write_text(f"tq:\n  info-dir: {folder}\n  pre-alloc: 5\nbackend:\n  SimpleStorage:\n    num_data_storage_units: 3\n")
    cluster = Cluster(folder, units=("cpp",) * 3, env={"TQ_CONFIG": str(file)})
    try:
        assert sorted(path.name for path in folder.glob("storage-*.json")) == [f"storage-{i}.json" for i in range(3)]
        client = connect(*cluster.addresses())
        client.kv_retrieve_meta(keys=["a"], partition_id="p", create=True)
        assert len(client.get_consumption_status(task_name="t", partition_id="p")[0]) == 5
        # The file says where the nodes are to every command.
        assert tq("kv", "list", env={"TQ_CONFIG": str(file)}).returncode == OK
    finally:
        cluster.stop()


def test_a_table_says_where_each_comes_from(tmp_path):
    file = upstream_with(tmp_path)
    got = tq("config", "up", "--units", 4, env={"TQ_CONFIG": str(file), "TQ_KEEP_MEMORY": "1GiB"})
    header, *lines = got.stdout.splitlines()
    by_setting = {line.split()[0]: line for line in lines}
    assert header.split() == ["setting", "value", "from", "variable"]
    assert "flag --units" in by_setting["units"] and "variable TQ_KEEP_MEMORY" in by_setting["keep-memory"]
    assert f"{file}:" in by_setting["sampler"] and "default" in by_setting["bind"]
    begin = header.index("value")
    assert all(line[begin - 2:begin] == "  " and line[begin] != " " for line in lines)


@pytest.mark.parametrize("unit", ["tq.service", "tq-storage@.service"])
def test_what_is_packaged_is_in_order(unit):
    """The example of a file, and the commands of systemd's units, whose %i is a number."""
    text = (ROOT / "packaging/systemd" / unit).read_text().replace("%i", "3")
    words = re.search(r"^ExecStart=/usr/bin/tq (.*)$", text, re.MULTILINE).group(1).split()
    assert "\nEnvironment=TQ_CONFIG=/etc/tq.yaml\n" in text
    got = tq("config", *words, env={"TQ_CONFIG": str(ROOT / "packaging/tq.yaml")})
    assert (got.returncode, got.stderr) == (OK, "")
    folder = re.search(r"^RuntimeDirectory=(.*)$", text, re.MULTILINE).group(1)
    assert f"/run/{folder}" in got.stdout
    docker = (ROOT / "packaging/Dockerfile").read_text()
    command = json.loads(re.search(r"^CMD (.*)$", docker, re.MULTILINE).group(1))
    assert tq("config", *command).returncode == OK


# ---- files that make no sense


@pytest.mark.parametrize("text, words", [
    ("a: [", ["tq.yaml:1", "no YAML"]),
    ("- a\n- b\n", ["map of sections"]),
    ("tq:\n  units: many\n", ["tq.yaml:2", "tq.units", "many"]),
    ("tq:\n  no-such-flag: 1\n", ["tq.yaml:2", "tq.no-such-flag", "tq config up"]),
    ("tq:\n  units: [1, 2]\n", ["tq.yaml:2", "tq.units", "list"]),
    ("controller:\n  polling_mode: perhaps\n", ["tq.yaml:2", "polling_mode", "true or false"]),
    ("metrics:\n  enabled: true\n  port: 99999\n", ["tq.yaml:3", "metrics.port"]),
    ("backend:\n  storage_backend: MooncakeStore\n", ["tq.yaml:2", "MooncakeStore", "SimpleStorage"]),
    ("backend:\n  SimpleStorage:\n    total_storage_size: -5\n", ["tq.yaml:3", "total_storage_size", "positive"]),
    ("backend:\n  SimpleStorage:\n    ssd_offload:\n      enabled: true\n", ["tq.yaml:4", "ssd_offload.path", "false"]),
    ("backend:\n  SimpleStorage:\n    ssd_offload:\n      threshold_bytes: 0\n", ["tq.yaml:4", "threshold_bytes", "positive"]),
    ("controller: 3\n", ["tq.yaml:1", "map of settings"]),
    ("x" * (2 << 20), ["no configuration file"]),
], ids=lambda value: value[:30].replace("\n", " ") if isinstance(value, str) else "")
def test_a_wrong_file_is_one_sentence(tmp_path, text, words):
    file = tmp_path / "tq.yaml"
    file.write_text(text)
    got = tq("--config", file, "up", "--info-dir", tmp_path / "nodes")
    assert got.returncode == USAGE and got.stdout == "", got
    assert len(got.stderr.splitlines()) == 1 and all(word in got.stderr for word in words), got.stderr
    assert not (tmp_path / "nodes").exists()


def test_a_file_that_is_not_there(tmp_path):
    got = tq("--config", tmp_path / "none.yaml", "config", "up")
    assert got.returncode == NOT_FOUND and len(got.stderr.splitlines()) == 1 and "none.yaml" in got.stderr


def test_what_means_nothing_is_told_and_left_out(tmp_path):
    file = tmp_path / "tq.yaml"
    file.write_text("controller:\n  poling_mode: true\nother: 1\n")
    got = tq("--config", file, "config", "up")
    assert got.returncode == OK
    assert "controller.poling_mode" in got.stderr and f"{file}:2" in got.stderr and "other" in got.stderr


def test_a_wrong_variable_is_named():
    got = tq("config", "up", env={"TQ_METRICS_PORT": "http"})
    assert got.returncode == USAGE and "TQ_METRICS_PORT" in got.stderr


# ---- completions and the manual: of every command and flag


def commands() -> dict[tuple, set[str]]:
    """Every command and its flags, as the help texts tell them."""
    found = {}

    def walk(path: tuple) -> None:
        text = tq(*path, "--help").stdout
        found[path] = set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.MULTILINE))
        section = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
        for name in re.findall(r"^  (\w+)", section.group(1), re.MULTILINE) if section else []:
            walk((*path, name))

    walk(())
    return found


@pytest.fixture(scope="module")
def tree():
    found = commands()
    assert {("up",), ("kv", "put"), ("status",), ("doctor",), ("config", "storage"), ("completion",)} <= found.keys()
    return found


def completed(*words: str) -> set[str]:
    """What bash offers for the last word."""
    line = " ".join(words)
    script = f"""
        source <({tq_binary()} completion bash)
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'
        compopt() {{ :; }}
        _tq
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    got = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=AT_ONCE)
    assert (got.returncode, got.stderr) == (0, "")
    return set(got.stdout.split())


def test_bash_completes_every_command_and_flag(tree):
    for path, flags in tree.items():
        offered = completed("tq", *path, "")
        assert flags <= offered, path
        below = {other[len(path)] for other in tree if len(other) == len(path) + 1 and other[:len(path)] == path}
        assert below <= offered, path
    assert completed("tq", "u") == {"up"}
    assert "--units" in completed("tq", "--log-level", "info", "up", "--info-dir", "x", "--un")


def test_bash_completes_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nodes-here").mkdir()
    assert completed("tq", "up", "--info-dir", "nod") == {"nodes-here"}
    assert completed("tq", "up", "--units", "") == set()


def test_zsh_completes_every_command_and_flag(tree, tmp_path):
    script = tq("completion", "zsh").stdout
    for path, flags in tree.items():
        body = script.split(f"_tq{''.join('_' + word for word in path)}() {{\n")[1].split("\n}\n")[0]
        assert {f for f in flags if f"'{f}[" not in body} == set(), path
    zsh = shutil.which("zsh")
    assert zsh, "zsh is missing: scripts/install-deps installs it"
    (tmp_path / "_tq").write_text(script)
    # The commands and flags that zsh's own completion takes from it.
    got = subprocess.run([zsh, "-f", "-c", ZSH, "zsh", str(tmp_path), "tq st", "tq kv put --fi"], capture_output=True,
                         text=True, timeout=AT_ONCE)
    assert got.returncode == 0, got.stderr
    assert "storage" in got.stdout and "status" in got.stdout and "--field" in got.stdout, got.stdout


# A zsh in a pseudo terminal completes the lines and prints what it would insert. It reads keys as keys from when it
# asks the terminal to mark what is pasted (CSI ? 2004 h); a tab that comes before that is one more blank.
ZSH = r"""
zmodload zsh/zpty
cd $1
zpty z zsh -f -i
zpty -w z "PROMPT=; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; zstyle ':completion:*' list-prompt ''"
zpty -w z "LISTMAX=1000; bindkey '^I' list-choices; print rea''dy"
zpty -m -r z line $'*ready*\e\\[\\?2004h*'
for words in $2 $3; do
  zpty -w -n z "$words"$'\t'$'\C-u'"print do''ne"$'\n'
  zpty -m -r z line $'*done*\e\\[\\?2004h*'
  print -r -- $line
done
zpty -d z
"""


def test_the_manual_names_every_command_and_flag(tree):
    page = tq("completion", "man").stdout
    for path, flags in tree.items():
        if path[:1] == ("config",) and len(path) > 1:
            continue  # what it shows stands with the commands that it shows
        if path:
            assert f".SS tq {' '.join(path)}\n" in page
        missing = {flag for flag in flags - {"--help", "--version"} if f"\\fB{flag.replace('-', chr(92) + '-')}\\fR" not in page}
        assert missing == set(), path
    variables = set(re.findall(r"Env:(\w+)", "".join(tq(*path, "--help").stdout for path in tree)))
    assert len(variables) > 10 and all(f"\\fB{name}\\fR" in page for name in variables)


def test_the_manual_is_good_troff():
    page = tq("completion", "man").stdout
    man = shutil.which("groff")
    assert man, "groff is missing: scripts/install-deps installs it"
    got = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True)
    assert (got.returncode, got.stderr) == (0, "")


@pytest.mark.parametrize("args", [["completion"], ["completion", "fish"], ["config"]])
def test_wrong_words(args):
    got = tq(*args)
    assert got.returncode == USAGE and got.stdout == "" and got.stderr
