// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// The sender. The kernel runs it over and over on frames of its own (BPF_F_TEST_XDP_LIVE_FRAMES), and each goes out
// by an interface: no system call, no socket buffer and no copy a packet, so that one core offers more than a
// relay's core can take. Time and numbers are written here; the bursts are paced here as well.
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "pacing.bpf.h"
#include "sending.h"

enum { rtp = 14 + 20 + 8 };

struct sending sending;

static void put_twice(void *place, __u64 value, int distance)
{
    *(__u64 *)place = value;
    *(__u64 *)(place + distance) = ~value;
}

SEC("xdp")
int send_one(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    __u32 flow = sending.flow;
    __u64 sequence = sending.sequence;

    if (data + sending_head + 6 > end || flow >= sending_flows) return XDP_ABORTED;
    pace(&sending.pacing);
    sending.flow = flow + 1 < sending.flows ? flow + 1 : 0;
    sending.sequence = sequence + (sending.flow == 0);

    __builtin_memcpy(data, sending.heads[flow], sending_head);
    // Version 2, payload type 0, a timestamp of 20 ms at 8 kHz a packet. What is written twice, once upside down,
    // adds nothing to the UDP checksum.
    put_twice(data + rtp, bpf_cpu_to_be64(2ull << 62 | (sequence & 0xffff) << 32 | ((sequence * 160) & 0xffffffff)), 16);
    put_twice(data + rtp + 24, sending.pacing.last, 8);
    return bpf_redirect(sending.interface, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
