#!/bin/sh
# run.sh [NAME...] [--quick] [--one-core] [--same] [--json FILE] [--html FILE] [--targets FILE] [--baseline FILE]:
#     builds, and measures all suites or these (rings, rings/spsc).
# run.sh --check [NAME...]: the suites' own tests, then a quick run that fails when a target is missed.
# run.sh --ci: those tests, then a quick run on one core that fails when a ratio is worse than that of record by more than the room for noise.
# run.sh --record: makes the ratios of a full run on one core those of record.
# run.sh build: only builds. run.sh names [NAME...]: only fails when there is no such suite.
# SCRATCH=FOLDER: where it builds, if not in .build beside this file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=${SCRATCH:-$here/.build}
case "$scratch" in
    /*) ;;
    *) scratch=$PWD/$scratch ;;
esac
twins="$scratch/twins"
suites="rings pool wire crypto dpdk ports tax scale forwarder filter"

refuse() {
    echo "bench: $1" >&2
    exit 64
}

mode=${1:-}
case "$mode" in
    help | --help | -h) sed -n 's/^# run.sh/run.sh/p; s/^#     /    /p; s/^# SCRATCH/SCRATCH/p; /^set/q' "$0" && exit ;;
    build | names | --check | --ci | --record) shift ;;
    *) mode= ;;
esac
# Before anything is installed or built for it.
value=
for word in "$@"; do
    if [ -n "$value" ]; then
        case "$word" in
            '' | --*) refuse "$value takes a file" ;;
        esac
        value=
        continue
    fi
    case "$mode $word" in
        build* | --ci* | --record*) refuse "$mode takes nothing more: $word" ;;
        " --quick" | " --one-core" | " --same" | "--check --one-core") ;;
        " --json" | " --html" | " --targets" | " --baseline" | "--check --json" | "--check --html" | "--check --baseline") value=$word ;;
        *" -"*) refuse "there is no option $word${mode:+ with $mode}" ;;
        *)
            case " $suites " in
                *" ${word%%/*} "*) ;;
                *) refuse "there is no suite $word; there are: $suites" ;;
            esac
            ;;
    esac
done
[ -z "$value" ] || refuse "$value takes a file"
[ "$mode" != names ] || exit 0
# What sudo has built is not for others to write.
for folder in "$scratch" "$twins" "$scratch/release" "$scratch/release/bench"; do
    if [ -e "$folder" ] && [ ! -w "$folder" ]; then
        echo "bench: $folder belongs to $(stat -L -c %U "$folder"): sudo rm -r $scratch, or SCRATCH=FOLDER builds elsewhere" >&2
        exit 73
    fi
done
for library in libdpdk libxdp; do
    pkg-config --exists "$library" || {
        echo "bench: pkg-config does not know $library: make setup installs it" >&2
        exit 69
    }
done
mkdir -p "$twins"

# The clang of the Swift toolchain, for the same processors as swiftc: one LLVM compiles both, both at its
# highest level of optimization. What is DPDK's is compiled as DPDK says.
clang="$(dirname "$(readlink -f "$(command -v swift)")")/clang"
dpdk=$(pkg-config --cflags libdpdk | sed 's/-I/-isystem /g')
for source in "$here"/Twins/*.c; do
    flags=
    ! grep -q '<rte_' "$source" || flags=$dpdk
    ! grep -q LIBXDP_VERSION "$source" || flags="-DLIBXDP_VERSION=\"$(pkg-config --modversion libxdp)\""
    "$clang" -O3 $flags -std=gnu11 -Wall -Werror -fPIC -I "$here/Sources/CTwins/include" \
        -c -o "$twins/$(basename "$source").o" "$source"
done
# As for Apus: where it is installed.
ipsec=
[ ! -e /usr/include/intel-ipsec-mb.h ] || [ "$(uname -m)" != x86_64 ] || ipsec=-lIPSec_MB
"$clang" -shared -o "$twins/libapustwins.so.new" "$twins"/*.c.o -lrte_ethdev -lrte_mbuf -lrte_mempool -lrte_ring -lrte_eal \
    -lxdp -lbpf -lcrypto $ipsec
mv "$twins/libapustwins.so.new" "$twins/libapustwins.so"

# What sends and counts for forwarders and filters: BPF programs, embedded in the library that loads them.
for program in arrivals flooding sending spray; do
    "$clang" -target bpf -mcpu=v3 -O2 -g -Wall -Werror -I "/usr/include/$(uname -m)-linux-gnu" \
        -c -o "$twins/$program.bpf.o" "$here/Traffic/$program.bpf.c"
done
"$clang" -O3 -std=gnu23 -Wall -Werror -fPIC -shared -I "$here/Sources/CTraffic/include" --embed-dir="$twins" \
    -o "$twins/libapustraffic.so.new" "$here/Traffic/program.c" "$here/Traffic/sender.c" "$here/Traffic/counter.c" \
    "$here/Traffic/process.c" "$here/Traffic/widen.c" "$here/Traffic/flooder.c" "$here/Traffic/judge.c" -lbpf
mv "$twins/libapustraffic.so.new" "$twins/libapustraffic.so"

# An incremental build does not see all that has changed of another package's inlinable code, and then gives a
# program that is wrong. So Apus is built anew when it has changed.
bench="$scratch/release/bench"
if [ -e "$bench" ] && [ -n "$(find "$here/../Sources" "$here/../CModules" "$here/../BPF" "$here/../Package.swift" \
    -newer "$bench" -type f | head -1)" ]; then
    rm -rf "$(readlink -f "$scratch/release")"
fi
[ "$mode" = build ] || [ -e "$bench" ] || echo "bench: building, which takes some minutes; see $twins/build.log" >&2
# The forwarder as well, which is measured as a whole.
for what in --build-tests "--product apus"; do
    swift build --package-path "$here" --scratch-path "$scratch" -c release $what -Xlinker "-L$twins" -Xlinker -rpath \
        -Xlinker "$twins" >"$twins/build.log" 2>&1 || {
        cat "$twins/build.log" >&2
        exit 1
    }
done
commit=$(git -C "$here" describe --always --dirty 2>/dev/null || echo unknown)
compiler=$(swift --version 2>/dev/null | sed -n 's/^Swift version //p')

[ "$suites" = "$("$bench" suites)" ] || {
    echo "run.sh: these are not the suites of the program: $suites" >&2
    exit 1
}
case "$mode" in
    build) exit ;;
    '') exec "$bench" run "$@" --commit "$commit" --swift "$compiler" ;;
esac
[ "$mode" = --record ] || swift test --package-path "$here" --scratch-path "$scratch" -c release --skip-build \
    >"$twins/test.log" 2>&1 || {
    cat "$twins/test.log" >&2
    exit 1
}
# What instructions.sh counts, by its name in the program.
round=$(sed -n "s/^round='\(.*\)'$/\1/p" "$here/instructions.sh")
[ -n "$round" ] && grep -qF "$round" "$bench" || {
    echo "run.sh: the program has no ${round:-function} that instructions.sh counts" >&2
    exit 1
}
# Suites that need no network, and stay in this process; and of the filter, which the kernel runs on one core, what tells a
# slower one: judging all lists, a verdict of theirs, a limit's, and a table that is in no cache.
inside="rings pool wire tax scale filter/pass filter/denied filter/limited"
case "$mode" in
    --ci)
        if [ "$(id -u)" != 0 ]; then
            echo "bench: the filter is left out: namespaces take root: sudo env PATH=\"\$PATH\" make bench-short" >&2
            inside=${inside%% filter/*}
        fi
        exec "$bench" run $inside --quick --one-core --baseline "$here/baseline.json" --commit "$commit" --swift "$compiler"
        ;;
    --record)
        "$bench" run $inside --one-core --json "$twins/record.json" --commit "$commit" --swift "$compiler"
        exec "$bench" record --results "$twins/record.json" --baseline "$here/baseline.json"
        ;;
esac
# That the check finds what it is for: in these results one ratio was made worse.
if "$bench" check --results "$here/../Tests/ApusBenchTests/Fixtures/missed.json" \
    --targets "$here/targets.json" >/dev/null; then
    echo "bench: the check passes results that miss a target" >&2
    exit 1
fi
exec "$bench" run "$@" --quick --targets "$here/targets.json" --commit "$commit" --swift "$compiler"
