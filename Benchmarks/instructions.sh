#!/bin/sh
# instructions.sh NAME...: counts the instructions of a worker's round over ports in memory, of Apus and of its C twin,
#     by callgrind: of these comparisons of the suite tax, or of all that forward.
# SCRATCH=FOLDER: where run.sh has built, if not in .build beside this file.
#
# What it prints is for each packet, with nothing of the kernel's and nothing of what lies beside the round. It is the same in
# each run but for a few tenths: what differs between two builds is code, wherever it came to lie.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=${SCRATCH:-$here/.build}
bench="$scratch/release/bench"
case "${1:-}" in
    -*) sed -n 's/^# instructions.sh/instructions.sh/p; s/^#     /    /p; s/^# SCRATCH/SCRATCH/p' "$0" && exit ;;
esac
[ -x "$bench" ] || { echo "instructions: there is no $bench: Benchmarks/run.sh build makes it" >&2; exit 66; }
for program in valgrind objcopy python3; do
    command -v "$program" >/dev/null || { echo "instructions: $program is missing: apt-get install valgrind binutils python3" >&2; exit 69; }
done
[ $# -gt 0 ] || set -- tax/forward-to-1/batch-1 tax/forward-to-1/batch-32 tax/forward-to-4/batch-1 tax/forward-to-4/batch-32
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# Valgrind can't read all of what Swift says for debuggers.
objcopy --strip-debug "$bench" "$out/bench"
cat >"$out/count.py" <<'PYTHON'
import collections, re, sys
# By function: the instructions at each address (callgrind's format: valgrind.org/docs/manual/cl-format.html).
counts = collections.defaultdict(collections.Counter)
names, function, address, isCall = {}, None, 0, False
for line in open(sys.argv[1]):
    if name := re.match(r'(fn|cfn)=\((\d+)\)(?: (.*))?', line):
        kind, number, text = name.groups()
        if text: names[number] = text
        if kind == 'fn': function = names[number]
    elif line.startswith('calls='):
        isCall = True
    elif cost := re.match(r'(0x[0-9a-f]+|[+-]\d+|\*) (?:\S+ )?(\d+)$', line):
        place = cost[1]
        if place.startswith('0x'): address = int(place, 16)
        elif place != '*': address += int(place)
        # What a call cost is in the function that was called.
        if not isCall: counts[function][address] += int(cost[2])
        isCall = False
def total(ours): return sum(sum(c.values()) for f, c in counts.items() if ours(f))
# Those of the C library that both call, to copy payloads, are nobody's.
apus = total(lambda f: f.startswith('$s'))
peer = total(lambda f: re.match(r'(worker_round|sum_bytes|compact|note_slowly)\b', f))
# The pass in which each packet is settled has more instructions for each of them than for a burst.
settle = [c for f, c in counts.items() if f.startswith('$s') and 'RelayV6settle' in f]
if not settle or not peer: sys.exit(f'instructions: {sys.argv[2]} has no round of a worker: see {sys.argv[3]}')
packets = collections.Counter(settle[0].values()).most_common(1)[0][0]
print(f'{sys.argv[2]:28} Apus {apus / packets:7.1f}  C {peer / packets:7.1f}  difference {(apus - peer) / packets:+6.1f}')
PYTHON
round='$s11ApusRuntime13ForwardWorkerVAARi_zrlE5roundySi0A3RTP13RelayCountersVF0A5Ports12MemoryDriverV_Tg5'
for name in "$@"; do
    rm -f "$out/counted"
    valgrind --tool=callgrind --dump-instr=yes --collect-atstart=no --toggle-collect="$round" --toggle-collect='worker_round*' \
        --callgrind-out-file="$out/counted" "$out/bench" run "$name" --quick --one-core >"$out/log" 2>&1 || {
        cat "$out/log" >&2
        exit 1
    }
    python3 "$out/count.py" "$out/counted" "$name" "$bench"
done
