"""The verb doctor: what there is, what would go wrong, and how to mend it; fit to be pasted into a bug report."""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator

from ...data.storage.typed_json import SchemaError, loads, to_plain
from ...engine.child_process import child_environment, python_module
from ...engine.results import DeviceReport
from .exit_codes import DONE, FAILED
from .findings import Finding, folders, programs, system, terminal

_PATIENCE = 120.0  # seconds that a process has to import torch


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Say what there is here (versions, device, folders, terminal), what would go wrong, and how to mend it. "
        "Nothing is written and nothing is downloaded; the home folder is shown as ~."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print all findings, and the problems once more at the end; FAILED where one of them is an error."""
    findings = [*programs(), *system(), *device(), *folders(), *terminal()]
    failed = any(finding.severity == "error" for finding in findings)
    if arguments.json:
        print(json.dumps({"fine": not failed, "findings": to_plain(findings)}, indent=2))
    else:
        _print(findings)
    return FAILED if failed else DONE


def device() -> Iterator[Finding]:
    """What torch would compute on, asked in a process of its own: torch takes a second or more to import."""
    command = python_module("minigpt_tui.engine.training.device_process")
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=_PATIENCE,
            env=child_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        yield Finding(
            "device", "torch", "", "error", f"it could not be imported within {_PATIENCE:.0f} seconds",
            "look whether the disk or the memory is full, and install torch anew",
        )  # fmt: skip
        return
    try:
        report = loads(DeviceReport, asked.stdout)
    except SchemaError:
        lines = asked.stderr.strip().splitlines() or [f"the process ended with code {asked.returncode}"]
        yield Finding(
            "device", "torch", "", "error", f"it cannot be used: {lines[-1]}",
            "install torch as https://pytorch.org says for this system",
        )  # fmt: skip
        return
    yield Finding("device", "device", f"{report.device} ({report.device_name})")
    yield Finding("device", "all", ", ".join(report.devices))
    yield Finding("device", "training", report.training_dtype)
    yield Finding("device", "generation", report.generation_dtype)
    yield Finding("device", "threads", f"up to {report.threads}")
    yield Finding("device", "why", report.reason)


def _print(findings: list[Finding]) -> None:
    section, width = "", max(len(finding.name) for finding in findings)
    for finding in findings:
        if finding.section != section:
            section = finding.section
            print(section)
        print(f"  {finding.name:<{width}}  {finding.value or finding.problem}")
    print()
    problems = [finding for finding in findings if finding.problem]
    for finding in problems:
        print(f"{finding.severity}: {finding.section}, {finding.name}: {finding.problem}; {finding.remedy}")
    if not problems:
        print("everything is fine")
