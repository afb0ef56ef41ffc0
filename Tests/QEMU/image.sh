#!/bin/bash
# image.sh OUT PROGRAM...: writes OUT, an initramfs in which the programs run over DPDK on two PCI devices; `init` is its
# first process.
#
# With the programs come the libraries that they are linked to, DPDK's drivers of both devices, and busybox. Libraries
# have the same paths as here.
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
mkdir -p dev proc sys tmp modules usr/{bin,lib,lib64}
for folder in bin lib lib64; do ln -s usr/$folder $folder; done
cp "$kernel"/*.ko* modules
cp "$here/init" init
cp "$here/give" "$(command -v busybox)" bin

# A file, and the links that lead to it, as they are: a driver that is found by two paths must not be two files, or it
# registers twice and DPDK aborts.
add() {
    local path target
    path=$(realpath "$(dirname "$1")")/$(basename "$1")
    [[ ! -e .$path ]] || return 0
    mkdir -p ".$(dirname "$path")"
    if [[ -L $path ]]; then
        cp -P "$path" ".$path"
        target=$(readlink "$path")
        [[ $target == /* ]] || target=$(dirname "$path")/$target
        add "$target"
    else
        # What a debugger would want is most of a program.
        strip -g -o ".$path" "$path" 2>/dev/null || cp "$path" ".$path"
        chmod --reference="$path" ".$path"
    fi
}

drivers=/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0
files=()
for name in bus_pci bus_vdev mempool_ring net_e1000 net_virtio; do
    # DPDK loads what has this name.
    files+=("$drivers/librte_$name.so.23.0")
done
for program in "$@"; do
    cp "$program" "bin/$(basename "$program")"
    strip -g "bin/$(basename "$program")"
done
# The C library loads libgcc_s by itself, to end threads.
libraries=$({ ldd "$@" "${files[@]}"; ldconfig -p; } | awk '
    /=> not found/ { print $1 > "/dev/stderr"; lost = 1 }
    $2 == "=>" && $3 ~ /^\// { print $3 }
    $1 ~ /^\// && $2 ~ /^\(/ { print $1 }
    $1 == "libgcc_s.so.1" { print $NF }
    END { exit lost }') || { echo "image.sh: these libraries are not found" >&2; exit 69; }
for file in "${files[@]}" $libraries; do add "$file"; done

find . | busybox cpio -o -H newc -R 0:0 >"$out" 2>/dev/null
