// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// Counts the frames, then goes on in the program of slot 0, or says a verdict that is set before it is loaded.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(apus_count);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

const volatile __u32 verdict = XDP_PASS;

SEC("xdp")
int apus_count(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&counted, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	bpf_tail_call(ctx, &next, 0);
	return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";
