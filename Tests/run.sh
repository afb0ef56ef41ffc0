#!/bin/bash
# run.sh: runs each test that `swift build --build-tests` has built into .build/debug once, and names those that failed.
#
# As four processes side by side, since most tests wait for the clock or the kernel and leave the cores idle: what
# they make in the machine has names of its own. In a process it is one test at a time, for two cores don't carry the
# senders and receivers of many. What process NAME prints is in .build/test-NAME.log, and here behind its name.
set -euo pipefail
cd "$(dirname "$0")/.."

# Regular expressions over Target.Suite/test. Last, with nothing beside them, are those that hold the cores or expect
# that nobody does: floods against the packet filter, eight loops on one core, a pace of 20,000 packets a second, a
# reload every 100 ms, a tenth of a core, huge pages that nobody else takes.
alone='^ApusFilterTests\.(Accuracy|Flood|Nftables|Traffic)Tests/|^ApusPacketSocketTests\.CongestionTests/|^ApusDPDKTests\.VirtualDeviceTests/.*hugepages|^LabTests\.Lab/(FilterForward|Idle|Load|Reload)Tests/'
# About as long as each other, and as all others together. Devices of DPDK's and what takes long of the packet filter, also
# in machines that QEMU emulates; and captures.
device='^LabTests\.Lab/([A-Za-z]*Device[A-Za-z]*|Filter(Kill|[A-Za-z]*Dispatcher))Tests/|^ApusCLITests\.(Capture|Generate)LabTests/'
lab='^(LabTests|ApusXDPTests)\.'
runtime='^(ApusRuntimeTests|ApusHostTests|ApusConfigTests|LawTests)\.'

# All are of Swift Testing. Not by `swift test`, which plans a build each time, and under a lock.
tests=(.build/debug/*PackageTests.xctest --testing-library swift-testing)
run() { # NAME OPTION...
    NO_COLOR=1 "${tests[@]}" --no-parallel "${@:2}" </dev/null 2>&1 | tee ".build/test-$1.log" | sed -u "s/^/$1: /"
}

rm -f .build/test-*.log
failed=()
# Each is a group of processes, and no group outlives this script.
set -m
trap 'kill -- $(jobs -p | sed s/^/-/) 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
run lab --filter "$lab" --skip "$alone" --skip "$device" & first=$!
run runtime --filter "$runtime" --skip "$alone" & second=$!
# All others, so that no target is left out because nobody named it.
run rest --skip "$lab" --skip "$runtime" --skip "$device" --skip "$alone" & third=$!
run device --filter "$device" & fourth=$!
wait $first || failed+=(lab)
wait $second || failed+=(runtime)
wait $third || failed+=(rest)
wait $fourth || failed+=(device)
run alone --filter "$alone" & wait $! || failed+=(alone)

if (( ${#failed[@]} )); then
    echo "apus: these tests failed (all that was printed is in .build/test-*.log):"
    for name in "${failed[@]}"; do
        log=.build/test-$name.log
        # Each with what the test says of it; and the end of the log as well, where a process did not come to its own.
        sed -nE '/^✘ (Test|Suite) .* recorded an issue|Fatal error/,/^(◇|✔)/{/^(◇|✔)/!p}' "$log"
        grep -q 'recorded an issue' "$log" && grep -q 'Test run with' "$log" || tail -n 20 "$log"
    done
    exit 1
fi >&2
ran=$(sed -n 's/.*Test run with \([0-9]*\) test.*/\1/p' .build/test-*.log | paste -sd+)
there=$("${tests[@]}" --list-tests | wc -l)
(( ran == there )) || { echo "apus: $ran tests ran, and there are $there: see the expressions in Tests/run.sh" >&2; exit 1; }
echo "apus: all $there tests passed"
