#!/bin/sh
# run.sh SECONDS [TARGET...]: fuzzes each target (by default all) for that long, as many at a time as there
# are cores. Prints a line a target; exits with 1 if there was a finding, which stays under .build/findings.
# run.sh build: only builds.
#
# A target is a file Sources/Fuzz/Targets/NAME.swift with a function exported as fuzz_NAME; its seeds, if it
# has any, are the lines of Corpus/NAME.hex. What the fuzzer learns is kept under .build/corpus. Captures in
# $APUS_SHARED/captures (by default ../shared beside the package) become seeds too.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program="$here/.build/release/Fuzz"

# One target, called by this script itself. exec/s is of the sanitized build.
if [ "${1:-}" = --one ]; then
    seconds=$2 target=$3
    log="$here/.build/logs/$target.log"
    corpus="$here/.build/corpus/$target"
    # Swift's backtracer can hang on a crash under the sanitizer; the limit is for what hangs all the same.
    if SWIFT_BACKTRACE=enable=no timeout -k 5 $((seconds + 60)) "$program" "$target" \
        -max_total_time="$seconds" -max_len=2048 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$here/.build/findings/$target-" "$corpus" >"$log" 2>&1; then
        result=ok
    else
        result=FOUND
    fi
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
    printf '%-16s %12s executions %5s edges  %s\n' "$target" "${executions:-?}" "${covered:-?}" "$result"
    [ $result = ok ] && exit 0
    grep -E 'ERROR|SUMMARY|Fatal error' "$log" | sed 's/^/    /'
    sed -n "s|.*Test unit written to |    again with: SWIFT_BACKTRACE=enable=no $program $target |p" "$log"
    exit 1
fi

seconds=${1:?usage: run.sh SECONDS [TARGET...] | run.sh build}
shift
cd "$here"
[ $# -gt 0 ] || set -- $(basename -s .swift Sources/Fuzz/Targets/*.swift)

# The rooms under test, which lie outside this package.
for room in ApusWire ApusRings ApusDevices ApusEndHost ApusRTP ApusConfig ApusPorts; do ln -sfn "../../../Sources/$room" "Sources/$room"; done
for module in CLinux CNUMA CPcap; do ln -sfn "../../../CModules/$module" "Sources/$module"; done

# The sanitizers are the command line's: a manifest can't name them without unsafe flags. Exported symbols
# are how targets are found; gold can't link this.
mkdir -p .build/logs .build/findings
swift build -c release --product Fuzz -Xswiftc -sanitize=fuzzer,address \
    -Xswiftc -Xclang-linker -Xswiftc -fuse-ld=lld -Xlinker --export-dynamic >.build/logs/build.log 2>&1 || {
    cat .build/logs/build.log
    exit 1
}
[ "$seconds" != build ] || exit 0

for target in "$@"; do
    mkdir -p ".build/corpus/$target"
    [ -f "Corpus/$target.hex" ] || continue
    "$program" --hexadecimal "Corpus/$target.hex" ".build/corpus/$target"
done

captures="${APUS_SHARED:-$here/../../../shared}/captures"
for folder in ethernet_udp ipv4 icmp rtp checksum; do mkdir -p ".build/corpus/$folder"; done
for capture in "$captures"/*.pcap; do
    [ -f "$capture" ] || { echo "no captures in $captures: fuzzing without seeds from there"; continue; }
    "$program" --capture "$capture" .build/corpus
done

# xargs exits with 123 if one of them failed.
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} "$here/run.sh" --one "$seconds" {} || exit 1
