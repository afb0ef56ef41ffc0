// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// Writes another source address into an IPv4 packet and jumps to the program that is measured: each packet it is run
// on is of another source.
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "spray.h"

enum { source = 14 + 12 };

struct spray spray;

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} measured SEC(".maps");

// As the program that it jumps to, which takes frames of several buffers.
SEC("xdp.frags")
int spray_one(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    __u64 state = spray.state * spray.multiplier + spray.increment;

    if (data + source + 4 > end) return XDP_ABORTED;
    spray.state = state;
    *(__u32 *)(data + source) = bpf_htonl(spray.first + (__u32)((state >> 32) * spray.count >> 32));
    bpf_tail_call(ctx, &measured, 0);
    return XDP_ABORTED;
}

char _license[] SEC("license") = "Dual BSD/GPL";
