#!/bin/bash
# image.sh OUT PROGRAM...: writes OUT, an initramfs in which the programs run; `init` is its first process.
#
# With the programs come the libraries that they are linked to, and busybox. Those over DPDK find its drivers of the
# devices that the tests have, and those over libbpf the BPF objects of it and of xdp-tools.
set -euo pipefail
(( $# > 1 )) || { echo "usage: image.sh OUT PROGRAM..." >&2; exit 64; }
here=$(cd "$(dirname "$0")" && pwd)
kernel=$here/../../.build/qemu/kernel
[[ -e $kernel/version ]] || { echo "image.sh: there is no kernel; get it with: make setup WITH=test" >&2; exit 69; }
out=$(realpath "$1")
shift
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

cd "$root"
libraries=usr/lib/x86_64-linux-gnu drivers=usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0
mkdir -p dev proc sys tmp modules usr/{bin,lib64} $drivers
for folder in bin lib lib64; do ln -s usr/$folder $folder; done
cp "$kernel"/*.ko* modules
cp "$here/init" init
cp "$here/give" "$(command -v busybox)" "$@" bin

# DPDK loads what has this name in the folder of its drivers, and nothing else shall be there.
needed=()
linked=$(ldd "$@" 2>/dev/null || true)
if [[ $linked == *librte_eal.so* ]]; then
    for name in bus_pci bus_vdev mempool_ring net_e1000 net_virtio; do needed+=("/$drivers/librte_$name.so.23.0"); done
fi
if [[ $linked == *libbpf.so* ]]; then cp -r /$libraries/bpf $libraries; fi
# The C library loads libgcc_s by itself, to end threads.
list=$({ ldd "$@" "${needed[@]}"; ldconfig -p; } | awk '
    /=> not found/ { print "image.sh: not found: " $1 > "/dev/stderr"; lost = 1 }
    $2 == "=>" && $3 ~ /^\// { print $3 }
    $1 == "libgcc_s.so.1" && $2 ~ /^\(libc6/ { print $NF }
    END { exit lost }')
cp -L $(echo "$list" | sort -u | awk -F / '!seen[$NF]++') $libraries
cp -L /lib64/ld-linux-x86-64.so.2 lib64
# Links: a driver that a program is linked to too must be one file, or it registers twice and DPDK aborts.
for file in "${needed[@]}"; do
    library=$libraries/$(basename "${file%.0}")
    [[ -e $library ]] || cp -L "$file" "$library"
    ln -s "/$library" ".$file"
done
# What a debugger would want is most of a program.
strip -g bin/* $libraries/*.so* 2>/dev/null || true

find . | busybox cpio -o -H newc -R 0:0 >"$out" 2>/dev/null
