#!/bin/bash
# kernel.sh: gets Debian's kernel for the tests under QEMU, once: unpacked into .build/qemu/kernel, and not installed.
#
# `make setup` calls it where it installs what the tests need. `make clean` removes it, and the next setup gets Debian's
# newest.
set -euo pipefail
cd "$(dirname "$0")/../.."
kernel=.build/qemu/kernel
modules=(uio uio_pci_generic e1000e veth)
# Programs of this machine run in it, so it is no use elsewhere.
[[ $(uname -m) == x86_64 ]] || exit 0
is_whole() { for module in version "${modules[@]/%/.ko}"; do compgen -G "$kernel/$module*" >/dev/null || return 1; done; }
! is_whole || exit 0

newest() { apt-cache depends linux-image-amd64 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image/ { print $2; exit }'; }
package=$(newest)
mkdir -p .build/qemu
made=$(mktemp -d .build/qemu/new.XXXXXX)
trap 'rm -rf "$made"' EXIT
# Root's download is done by another user, who may not write here.
download() { (cd "$made" && apt-get -o APT::Sandbox::User=root download -qq "$package" >/dev/null 2>&1); }
[[ -n $package ]] && download || {
    (( EUID == 0 )) && apt-get update -qq
    package=$(newest)
    download || { echo "apus: cannot download the kernel, Debian's package ${package:-linux-image-amd64}; is its archive in apt's sources?" >&2; exit 69; }
}

deb=$(echo "$made"/linux-image-*.deb)
# As patterns for tar, so not for the shell.
set -f
dpkg-deb --fsys-tarfile "$deb" | tar x -C "$made" --wildcards './boot/vmlinuz-*' $(printf "*/%s.ko* " "${modules[@]}")
set +f
find "$made/lib" -name '*.ko*' -exec mv -t "$made" {} +
mv "$made"/boot/vmlinuz-* "$made/kernel"

# Unpacked here, as an emulated processor takes three seconds for it. Where the compressed kernel lies is in its header
# (Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length); its last four octets are its size unpacked.
number() { od -A n -t "u$2" -j $(($1)) -N "$2" "$made/kernel"; }
offset=$(( ($(number 0x1f1 1) + 1) * 512 + $(number 0x248 4) )) length=$(( $(number 0x24c 4) - 4 ))
if head -c $((offset + length)) "$made/kernel" | tail -c +$((offset + 1)) | xz -dc >"$made/vmlinux" 2>/dev/null; then
    mv "$made/vmlinux" "$made/kernel"
else
    rm "$made/vmlinux"  # Packed otherwise: it does so itself.
fi

echo "$package $(dpkg-deb -f "$deb" Version)" >"$made/version"
rm -r "$deb" "$made/boot" "$made/lib"
rm -rf $kernel && mv "$made" $kernel && chmod 755 $kernel
echo "got Debian's kernel for the tests under QEMU: $(<$kernel/version)"
