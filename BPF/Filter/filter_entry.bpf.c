// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// What sits on the interface while rules come and go: it jumps to the rules in force. They are exchanged by one write to
// a slot, so a packet meets the old rules or the new ones, never none.
#include "filter.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

// Before steering, which has 40, and all that does not say otherwise; what is passed goes on to the programs behind.
struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(apus_filter);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} apus_rules SEC(".maps");

SEC("xdp")
int apus_filter(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &apus_rules, 0);
	// No rules are in force yet.
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
