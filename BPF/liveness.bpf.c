// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// Tells whether a steering program's XSKMAP still holds a socket, which a process can't read from
// user space. It is never attached, only run with BPF_PROG_TEST_RUN: the packet's first four octets
// are the queue, and the verdict is XDP_REDIRECT when that queue has a socket. A socket leaves the
// map with its process, so this needs no process table and works across PID namespaces.
#include "parse.h"
#include "steer.h"

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, APUS_STEER_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} apus_xsks SEC(".maps");

SEC("xdp")
int apus_liveness(struct xdp_md *ctx)
{
	__u32 *queue = (void *)(long)ctx->data;

	if ((void *)(queue + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	return bpf_redirect_map(&apus_xsks, *queue, XDP_PASS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
