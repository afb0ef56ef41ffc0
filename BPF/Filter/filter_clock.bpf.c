// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// Reads both clocks at one tick, so that rules programs can tell the time by ticks: a look at a variable of the kernel's,
// where bpf_ktime_get_ns reads the clock source.
#include "filter.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct apus_clocks);
} apus_both SEC(".maps");

SEC("xdp")
int apus_clock(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct apus_clocks *clocks = bpf_map_lookup_elem(&apus_both, &zero);

	if (clocks) {
		// The time of the last tick, which goes on with them. It comes first: if there is a tick between the two, what is
		// told by ticks is behind by one, and never ahead.
		clocks->now = bpf_ktime_get_coarse_ns();
		clocks->ticks = bpf_jiffies64();
	}
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
