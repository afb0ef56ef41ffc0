// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// The end of the way: counts what arrives, notes how long it took if it is asked to, and drops it. It runs at the tc
// hook, the first after the driver. XDP would cost more here: veth copies each packet that was sent from a socket to
// make room for it. It costs the same whoever relayed the packet.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "arrivals.h"

struct arrivals arrivals;

static void keep(struct __sk_buff *ctx, __u32 length)
{
    __u32 place = arrivals.kept;

    if (place >= arrivals_kept || place >= arrivals.keep || length == 0 || length > arrivals_frame) return;
    if (bpf_skb_load_bytes(ctx, 0, arrivals.frames[place], length) < 0) return;
    arrivals.lengths[place] = length;
    arrivals.kept = place + 1;
}

SEC("tc")
int arrive(struct __sk_buff *ctx)
{
    // What comes from an AF_PACKET ring has only its first octets at hand.
    if (ctx->data_end - ctx->data < arrivals_clock + 8) bpf_skb_pull_data(ctx, arrivals_clock + 8);

    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *link = data;
    struct iphdr *ip = (void *)(link + 1);
    struct udphdr *udp = (void *)(ip + 1);
    __u64 *clock = data + arrivals_clock;

    if ((void *)(clock + 1) > end || link->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5
        || ip->protocol != IPPROTO_UDP || bpf_ntohs(udp->dest) < arrivals.first_port
        || bpf_ntohs(udp->dest) > arrivals.last_port) {
        __sync_fetch_and_add(&arrivals.others, 1);
        return TC_ACT_OK;
    }
    __sync_fetch_and_add(&arrivals.count, 1);
    if (arrivals.kept < arrivals.keep) keep(ctx, ctx->len);
    if (arrivals.is_timing) {
        __u64 latency = bpf_ktime_get_ns() - *clock;
        __u32 place = arrivals.timed;

        if (place < arrivals_latencies) {
            arrivals.latencies[place] = latency < 0xffffffff ? latency : 0xffffffff;
            arrivals.timed = place + 1;
        }
    }
    return TC_ACT_SHOT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
