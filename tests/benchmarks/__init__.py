"""Benchmarks of the engine beside other programs, and what only they need: no part of what people install.

`python -m benchmarks train|generate` (with `tests` on PYTHONPATH; `make bench` sees to it) lets programs take turns on
the same work. Nothing here may be imported by the four rooms; this process itself loads neither torch nor textual.

command      options, exit codes, what is printed and when
harness      candidates run in turns, so that a slow minute of the machine hits them all alike; trials are kept
report       the table for people and, last, one line of JSON with every figure
machine      what this machine is; processes of ours
nanogpt      a checkout of nanoGPT
train/, generate/    one suite each: its workloads, and how each is measured

A suite is a module with `add_options(parser)` and `run(arguments, harness)`; `command.SUITES` names it. `run` makes a
`Benchmark` of each workload (its candidates, and which of their figures are compared) and has the harness measure it.
The other files of this folder are programs of their own, which docs/benchmarks.md names.
"""
