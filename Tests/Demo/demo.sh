#!/bin/bash
# Shows a real video stream cross Apus: three network namespaces, ffmpeg at both ends.
# Everything is made for this run and removed when it ends, also by Ctrl-C.
set -eu
apus=$(realpath "${1:?usage: demo.sh PATH-TO-APUS [SECONDS] [forward options]}")
seconds=${2:-10}
shift $(($# < 2 ? $# : 2))

say() { printf '%s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit "${code:-69}"; }
((EUID == 0)) || code=77 fail "network namespaces need root; run: sudo make demo"
for program in ip ffmpeg; do
    command -v $program >/dev/null || fail "$program is missing; make setup WITH=\"build demo\" installs it"
done

run=apus-demo-$$
camera=$run-camera relay=$run-relay screen=$run-screen
scratch=$(mktemp -d)
started=()
clean_up() {
    trap - EXIT
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    for space in $camera $relay $screen; do ip netns del $space 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

for space in $camera $relay $screen; do
    ip netns add $space || fail "this kernel or container does not let root make network namespaces"
    ip -n $space link set lo up
done
ip link add eth0 netns $camera type veth peer name in0 netns $relay
ip link add eth0 netns $screen type veth peer name out0 netns $relay
ip -n $camera address add 10.77.1.1/24 dev eth0
ip -n $relay address add 10.77.1.2/24 dev in0
ip -n $relay address add 10.77.2.2/24 dev out0
ip -n $screen address add 10.77.2.1/24 dev eth0
ip -n $camera link set eth0 up
ip -n $screen link set eth0 up
ip -n $relay link set in0 up
ip -n $relay link set out0 up

say ""
say "   camera (ffmpeg)            relay (apus forward)             screen (ffmpeg)"
say "   10.77.1.1  ──── RTP ────▶  10.77.1.2:5004 ─ 10.77.2.2  ──── RTP ────▶  10.77.2.1:5006"
say "   H.264, 1280×720, 30/s      past the kernel's stack          decodes and counts"
say ""

cat >"$scratch/stream.sdp" <<'SDP'
v=0
o=- 0 0 IN IP4 10.77.2.2
s=apus demo
c=IN IP4 10.77.2.1
t=0 0
m=video 5006 RTP/AVP 96
a=rtpmap:96 H264/90000
SDP

ip netns exec $screen ffmpeg -nostdin -v error -progress "$scratch/progress" \
    -protocol_whitelist file,udp,rtp -t "$seconds" -i "$scratch/stream.sdp" -an \
    -fps_mode passthrough -f null - -update 1 -r 1 "$scratch/picture.png" 2>"$scratch/screen.log" &
screen_pid=$!
started+=($screen_pid)

# `ip netns exec` gives the process a fresh /sys; libxdp looks for its pins below /sys/fs/bpf.
ip netns exec $relay bash -c 'mount -t bpf bpf /sys/fs/bpf 2>/dev/null || true; exec "$@"' - \
    "$apus" forward --listen 10.77.1.2:5004 --to 10.77.2.1:5006 --stats "$@" 2>"$scratch/relay.log" &
relay_pid=$!
started+=($relay_pid)
for _ in {1..100}; do
    grep -q '^ready' "$scratch/relay.log" && break
    kill -0 $relay_pid 2>/dev/null || {
        wait $relay_pid || code=$?
        cat "$scratch/relay.log" >&2
        fail "apus did not start"
    }
    sleep 0.1
done
fold -s -w "${COLUMNS:-$(tput cols 2>/dev/null || echo 80)}" "$scratch/relay.log"
say ""

ip netns exec $camera ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=1280x720:rate=30 \
    -t $((seconds + 30)) -c:v libx264 -preset ultrafast -tune zerolatency -g 15 -pix_fmt yuv420p \
    -f rtp 'rtp://10.77.1.2:5004?pkt_size=1200' >/dev/null 2>"$scratch/camera.log" &
started+=($!)

wait $screen_pid || { cat "$scratch/screen.log" >&2; fail "the screen got no stream it could decode"; }
lines=$(wc -l <"$scratch/relay.log")
kill -TERM $relay_pid
wait $relay_pid 2>/dev/null || true
tail -n +$((lines + 1)) "$scratch/relay.log"

frames=$(awk -F= '$1 == "frame" { n = $2 } END { print n + 0 }' "$scratch/progress")
say ""
say "The screen decoded $frames frames of video that crossed Apus."
if [ -s "$scratch/picture.png" ]; then
    # A name that nobody can guess: this is root, and /tmp is everybody's.
    picture=$(mktemp --tmpdir apus-demo-XXXXXX.png)
    cat "$scratch/picture.png" >"$picture"
    chmod a+r "$picture"
    say "The last of them: $picture"
fi
((frames > 0)) || fail "no frame arrived"
