// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// Takes the UDP datagrams that were asked for to AF_XDP sockets and leaves the rest to the kernel:
// ARP, neighbor discovery, ICMP, SSH, fragments, and everything while no socket is open.
#include "parse.h"
#include "steer.h"
#include <xdp/xdp_helpers.h>

// Early among the programs of the interface, but behind filters, which have 10; what is passed goes
// on to the programs behind.
struct {
	__uint(priority, 40);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(apus_steer);

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, APUS_STEER_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} apus_xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, APUS_STEER_ENDPOINTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct apus_steer_key);
	__type(value, __u32);
} apus_taken SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, APUS_STEER_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} apus_counters SEC(".maps");

// Written before the program is loaded. Read-only data is bound to its program, so whoever looks for
// leftovers finds it there.
const volatile struct apus_steer_owner apus_owner = {.version = APUS_STEER_VERSION};

static __always_inline void count(__u32 reason)
{
	__u64 *counter = bpf_map_lookup_elem(&apus_counters, &reason);

	if (counter)
		*counter += 1;
}

/* Finds the frame's UDP destination, and the length of its IP packet. */
static __always_inline enum apus_parse parse(void *at, void *end, struct apus_steer_key *key, __u32 *octets)
{
	struct apus_ethernet *ethernet = APUS_HEADER(apus_ethernet, at, end);
	struct apus_udp *udp;
	__be16 type;

	if (!ethernet)
		return APUS_PARSE_MALFORMED;
	type = ethernet->type;
	for (int i = 0; i < APUS_MAX_TAGS; i++) {
		struct apus_tag *tag;

		if (type != bpf_htons(APUS_ETHERTYPE_CTAG) && type != bpf_htons(APUS_ETHERTYPE_STAG))
			break;
		tag = APUS_HEADER(apus_tag, at, end);
		if (!tag)
			return APUS_PARSE_MALFORMED;
		type = tag->type;
	}
	if (type == bpf_htons(APUS_ETHERTYPE_IPV4)) {
		struct apus_ipv4 *ipv4 = at;
		__u32 length;

		if ((void *)(ipv4 + 1) > end)
			return APUS_PARSE_MALFORMED;
		length = (ipv4->version_length & 0xf) << 2;
		if (ipv4->version_length >> 4 != 4 || length < sizeof(*ipv4))
			return APUS_PARSE_MALFORMED;
		/* More fragments, or an offset: RFC 791 section 3.1. */
		if (ipv4->fragment & bpf_htons(0x3fff))
			return APUS_PARSE_FRAGMENT;
		if (ipv4->protocol != IPPROTO_UDP)
			return APUS_PARSE_NOT_UDP;
		__builtin_memcpy(key->address, ipv4->destination, 4);
		key->family = 4;
		*octets = bpf_ntohs(ipv4->length);
		at += length;
	} else if (type == bpf_htons(APUS_ETHERTYPE_IPV6)) {
		struct apus_ipv6 *ipv6 = APUS_HEADER(apus_ipv6, at, end);
		enum apus_parse result;

		if (!ipv6 || *(__u8 *)ipv6 >> 4 != 6)
			return APUS_PARSE_MALFORMED;
		__builtin_memcpy(key->address, ipv6->destination, 16);
		key->family = 6;
		*octets = sizeof(*ipv6) + bpf_ntohs(ipv6->payload_length);
		result = apus_parse_extensions(&at, end, ipv6->next_header);
		if (result != APUS_PARSE_UDP)
			return result;
	} else {
		return APUS_PARSE_NOT_IP;
	}
	udp = at;
	if ((void *)(udp + 1) > end)
		return APUS_PARSE_MALFORMED;
	key->port = udp->destination;
	return APUS_PARSE_UDP;
}

/* Whether a packet is longer than its interface receives any. In generic mode those are several datagrams that the
 * kernel has merged (UDP_SEGMENT over veth, receive offload) under one header: XDP is not told how to part them, while
 * the kernel knows. The same within the MTU can't be told from one datagram. */
static __always_inline int is_merged(struct xdp_md *ctx, __u32 octets)
{
	__u32 mtu = 0;

	/* Known when the program is loaded, so that kernels without the call never see it. */
	if (!(apus_owner.flags & APUS_STEER_FLAG_MTU))
		return 0;
	/* It gives the MTU, whatever it says of the packet. */
	bpf_check_mtu(ctx, 0, &mtu, 0, 0);
	return mtu && octets > mtu;
}

// Loaded with BPF_F_XDP_HAS_FRAGS where the kernel has it: only the first buffer of a frame is looked at,
// and it holds all headers.
SEC("xdp")
int apus_steer(struct xdp_md *ctx)
{
	struct apus_steer_key key = {};
	__u32 octets = 0;
	int action;

	switch (parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &key, &octets)) {
	case APUS_PARSE_UDP:
		break;
	case APUS_PARSE_NOT_IP:
		count(APUS_STEER_PASS_NOT_IP);
		return XDP_PASS;
	case APUS_PARSE_FRAGMENT:
		count(APUS_STEER_PASS_FRAGMENT);
		return XDP_PASS;
	case APUS_PARSE_NOT_UDP:
		count(APUS_STEER_PASS_NOT_UDP);
		return XDP_PASS;
	default:
		count(APUS_STEER_PASS_MALFORMED);
		return XDP_PASS;
	}
	if (!bpf_map_lookup_elem(&apus_taken, &key)) {
		__builtin_memset(key.address, 0, sizeof(key.address));
		if (!bpf_map_lookup_elem(&apus_taken, &key)) {
			count(APUS_STEER_PASS_NO_PORT);
			return XDP_PASS;
		}
	}
	if (is_merged(ctx, octets)) {
		count(APUS_STEER_PASS_MERGED);
		return XDP_PASS;
	}
	action = bpf_redirect_map(&apus_xsks, ctx->rx_queue_index, XDP_PASS);
	count(action == XDP_REDIRECT ? APUS_STEER_STEERED : APUS_STEER_PASS_NO_SOCKET);
	return action;
}

char _license[] SEC("license") = "Dual BSD/GPL";
