/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* What the filter wants to know of a frame. Every step is bounded, as the verifier demands. */
#ifndef APUS_FLOW_H
#define APUS_FLOW_H

#include "../parse.h"
#include "filter.h"

#define APUS_ETHERTYPE_ARP 0x0806      /* RFC 826 */
#define APUS_ICMPV6 58		       /* RFC 4443 */
#define APUS_LISTENER_QUERY 130	       /* of multicast listeners: RFC 2710 section 3; 131 and 132 answer it */
#define APUS_LISTENER_DONE 132
#define APUS_LISTENER_REPORT 143       /* RFC 3810 section 5.2 */
#define APUS_ROUTER_SOLICITATION 133   /* the first message of neighbor discovery: RFC 4861 section 4 */
#define APUS_ROUTER_ADVERTISEMENT 134
#define APUS_REDIRECT 137	       /* and the last */

/* What an IP header can count; longer packets, which the kernel has merged, have a length of 0. */
#define APUS_LONGEST 65535

/* Takes the header of a type at `at`, or leaves the function. Without CAP_PERFMON a pointer into a packet may be compared
 * with the packet's end alone, so there is no null to be told from it. */
#define APUS_TAKE(type, name, at, end)                                         \
	struct type *name = (at);                                              \
	if ((void *)(name + 1) > (end))                                        \
		return APUS_KIND_MALFORMED;                                    \
	(at) = name + 1

enum apus_kind {
	APUS_KIND_IP,
	APUS_KIND_NEIGHBOR, /* neighbor discovery, or that of multicast listeners, without which the first does not come */
	APUS_KIND_ARP,
	APUS_KIND_NOT_IP,
	APUS_KIND_MALFORMED,
};

struct apus_flow {
	struct apus_address source, destination;
	__u64 now;		 /* 0 until somebody asks: see clock_of */
	__u32 octets;		 /* of the frame, from the Ethernet header on */
	__u16 from_port, to_port; /* in host order */
	__u8 family;		 /* 4 or 6 */
	__u8 protocol;
	__u8 has_ports;
	__u8 is_fragment; /* the first or a later one */
	/* A later fragment of IPv6, whose receiver does not look at the protocol that it names: RFC 8200 section 4.5. */
	__u8 may_be_any_protocol;
	__u8 reserved[3];
};

struct apus_ports {
	__be16 source, destination;
};

/* RFC 9293 section 3.1, as far as it is looked at */
struct apus_tcp {
	__be16 source, destination;
	__be32 sequence, acknowledgment;
	__u8 offset; /* of the data, in units of 4 octets, in the upper 4 bits */
	__u8 flags;
	__be16 window;
	__be16 checksum, urgent;
} __attribute__((packed));

/* RFC 826, for Ethernet and IPv4 */
struct apus_arp {
	__be16 hardware, protocol;
	__u8 hardware_length, protocol_length;
	__be16 operation;
	__u8 sender_hardware[6];
	__u8 sender[4];
	__u8 target_hardware[6];
	__u8 target[4];
} __attribute__((packed));

/* RFC 4443 section 2.1 */
struct apus_icmp6 {
	__u8 type, code;
	__be16 checksum;
} __attribute__((packed));

static __always_inline void apus_map(struct apus_address *address, __u32 ipv4)
{
	address->high = 0;
	address->low = (__u64)ipv4 << 32 | bpf_htonl(0xffff);
}

/* Copies octets of the frame, from whichever of its buffers. A pointer that is moved by what a packet says takes
 * CAP_PERFMON to load, so what lies behind IPv4 options and IPv6 extension headers is copied. */
static __always_inline int apus_copy(struct xdp_md *ctx, __u32 offset, void *to, __u32 size)
{
	return bpf_xdp_load_bytes(ctx, offset, to, size) == 0;
}

static __always_inline enum apus_kind apus_udp(const struct apus_udp *udp, struct apus_flow *flow)
{
	flow->from_port = bpf_ntohs(udp->source);
	flow->to_port = bpf_ntohs(udp->destination);
	flow->has_ports = 1;
	return APUS_KIND_IP;
}

static __always_inline enum apus_kind apus_tcp(const struct apus_tcp *tcp, struct apus_flow *flow)
{
	if (tcp->offset >> 4 < 5)
		return APUS_KIND_MALFORMED;
	flow->from_port = bpf_ntohs(tcp->source);
	flow->to_port = bpf_ntohs(tcp->destination);
	flow->has_ports = 1;
	return APUS_KIND_IP;
}

/* The ports of TCP and UDP, whose headers must be whole and within the `left` octets of the IP packet; of other protocols
 * nothing is looked at. The header is at `at` when that lies in the first buffer, and in any case `offset` octets behind
 * the frame's beginning. */
static __always_inline enum apus_kind apus_upper(struct xdp_md *ctx, void *at, void *end, __u32 offset, __u32 left,
						 struct apus_flow *flow)
{
	if (flow->protocol == IPPROTO_UDP) {
		struct apus_udp copy, *udp = at;

		if (left < sizeof(*udp))
			return APUS_KIND_MALFORMED;
		if ((void *)(udp + 1) <= end)
			return apus_udp(udp, flow);
		return apus_copy(ctx, offset, &copy, sizeof(copy)) ? apus_udp(&copy, flow) : APUS_KIND_MALFORMED;
	}
	if (flow->protocol == IPPROTO_TCP) {
		struct apus_tcp copy, *tcp = at;

		if (left < sizeof(*tcp))
			return APUS_KIND_MALFORMED;
		if ((void *)(tcp + 1) <= end)
			return apus_tcp(tcp, flow);
		return apus_copy(ctx, offset, &copy, sizeof(copy)) ? apus_tcp(&copy, flow) : APUS_KIND_MALFORMED;
	}
	return APUS_KIND_IP;
}

/* The same where the place of the header is known as an offset alone. */
static __always_inline enum apus_kind apus_upper_copied(struct xdp_md *ctx, __u32 offset, __u32 left,
							struct apus_flow *flow)
{
	if (flow->protocol == IPPROTO_UDP) {
		struct apus_udp copy;

		return left >= sizeof(copy) && apus_copy(ctx, offset, &copy, sizeof(copy)) ? apus_udp(&copy, flow)
											   : APUS_KIND_MALFORMED;
	}
	if (flow->protocol == IPPROTO_TCP) {
		struct apus_tcp copy;

		return left >= sizeof(copy) && apus_copy(ctx, offset, &copy, sizeof(copy)) ? apus_tcp(&copy, flow)
											   : APUS_KIND_MALFORMED;
	}
	return APUS_KIND_IP;
}

/* An IPv4 header at `at`, `offset` octets behind the frame's beginning. */
static __always_inline enum apus_kind apus_flow_ipv4(struct xdp_md *ctx, void *at, void *end, __u32 offset,
						     struct apus_flow *flow)
{
	struct apus_ipv4 *ipv4 = at;
	__u32 length, total;
	__u32 address;

	if ((void *)(ipv4 + 1) > end)
		return APUS_KIND_MALFORMED;
	length = (ipv4->version_length & 0xf) << 2;
	total = bpf_ntohs(ipv4->length);
	if (!total && flow->octets - offset > APUS_LONGEST)
		total = flow->octets - offset;
	if (ipv4->version_length >> 4 != 4 || length < sizeof(*ipv4) || total < length || total > flow->octets - offset)
		return APUS_KIND_MALFORMED;
	flow->family = 4;
	flow->protocol = ipv4->protocol;
	__builtin_memcpy(&address, ipv4->source, 4);
	apus_map(&flow->source, address);
	__builtin_memcpy(&address, ipv4->destination, 4);
	apus_map(&flow->destination, address);
	/* More fragments, or an offset: RFC 791 section 3.1. */
	if (ipv4->fragment & bpf_htons(0x3fff)) {
		flow->is_fragment = 1;
		if (ipv4->fragment & bpf_htons(0x1fff))
			return APUS_KIND_IP;
	}
	if (length == sizeof(*ipv4))
		return apus_upper(ctx, ipv4 + 1, end, offset + sizeof(*ipv4), total - sizeof(*ipv4), flow);
	return apus_upper_copied(ctx, offset + length, total - length, flow);
}

/* ICMPv6 from a neighbor, which the hop limit shows (RFC 4861 section 6.1 and 7.1), or about multicast listeners, which
 * comes from a link-local address (RFC 3810 section 5): switches that listen would else forget who wants the first. */
static __always_inline int apus_is_neighbor(const struct apus_icmp6 *message, __u8 hop_limit, __u32 left,
					    const struct apus_flow *flow)
{
	__u32 type = message->type;

	if (message->code != 0)
		return 0;
	if (type >= APUS_ROUTER_SOLICITATION && type <= APUS_REDIRECT)
		return hop_limit == 255 && left >= (type == APUS_ROUTER_SOLICITATION	? 8
						    : type == APUS_ROUTER_ADVERTISEMENT ? 16
						    : type == APUS_REDIRECT		? 40
											: 24);
	if (type == APUS_LISTENER_REPORT || (type >= APUS_LISTENER_QUERY && type <= APUS_LISTENER_DONE))
		return hop_limit == 1 && left >= (type == APUS_LISTENER_REPORT ? 8 : 24) &&
		       (flow->source.high & bpf_cpu_to_be64(0xffc0000000000000)) == bpf_cpu_to_be64(0xfe80000000000000);
	return 0;
}

/* The authentication header is none here, as for IPv4: who may send it only the kernel can tell. */
static __always_inline int apus_is_extension(__u8 next)
{
	return next == APUS_IPV6_HOP_BY_HOP || next == APUS_IPV6_ROUTING || next == APUS_IPV6_FRAGMENT ||
	       next == APUS_IPV6_DESTINATION;
}

/* What comes behind an IPv6 header with extension headers, the first of which is at `offset`; the packet ends before
 * `last`. */
static __always_inline enum apus_kind apus_flow_extensions(struct xdp_md *ctx, __u32 offset, __u32 last, __u8 next,
							   __u8 hop_limit, struct apus_flow *flow)
{
	int has_fragment = 0;

	for (int i = 0; i < APUS_MAX_EXTENSIONS; i++) {
		/* The shortest of them has 8 octets. */
		struct apus_fragment header;

		if (!apus_is_extension(next))
			break;
		if (offset + sizeof(header) > last || !apus_copy(ctx, offset, &header, sizeof(header)))
			return APUS_KIND_MALFORMED;
		if (next == APUS_IPV6_FRAGMENT) {
			offset += sizeof(header);
			next = header.next_header;
			has_fragment = 1;
			/* The only fragment of its packet is a whole one: RFC 6946 section 4. */
			if (header.offset & bpf_htons(0xfff9))
				flow->is_fragment = 1;
			if (header.offset & bpf_htons(0xfff8)) {
				flow->protocol = next;
				flow->may_be_any_protocol = 1;
				return APUS_KIND_IP;
			}
			continue;
		}
		/* In units of 8 octets behind the first 8. */
		offset += (header.reserved + 1u) << 3;
		next = header.next_header;
		if (offset > last)
			return APUS_KIND_MALFORMED;
	}
	if (apus_is_extension(next))
		return APUS_KIND_MALFORMED;
	flow->protocol = next;
	/* Neighbors don't send theirs in fragments: RFC 6980 section 5. */
	if (next == APUS_ICMPV6 && !has_fragment) {
		struct apus_icmp6 message;

		if (offset + sizeof(message) > last || !apus_copy(ctx, offset, &message, sizeof(message)))
			return APUS_KIND_MALFORMED;
		if (apus_is_neighbor(&message, hop_limit, last - offset, flow))
			return APUS_KIND_NEIGHBOR;
	}
	return apus_upper_copied(ctx, offset, last - offset, flow);
}

static __always_inline enum apus_kind apus_flow_ipv6(struct xdp_md *ctx, void *at, void *end, __u32 offset,
						     struct apus_flow *flow)
{
	__u32 left;

	APUS_TAKE(apus_ipv6, ipv6, at, end);
	if (*(__u8 *)ipv6 >> 4 != 6)
		return APUS_KIND_MALFORMED;
	offset += sizeof(*ipv6);
	left = bpf_ntohs(ipv6->payload_length);
	if (!left && flow->octets - offset > APUS_LONGEST)
		left = flow->octets - offset;
	if (left > flow->octets - offset)
		return APUS_KIND_MALFORMED;
	flow->family = 6;
	__builtin_memcpy(&flow->source, ipv6->source, 16);
	__builtin_memcpy(&flow->destination, ipv6->destination, 16);
	/* No address on the wire, and that of IPv4 hosts in our tables. */
	if (flow->source.high == 0 && (__u32)flow->source.low == bpf_htonl(0xffff))
		return APUS_KIND_MALFORMED;
	if (apus_is_extension(ipv6->next_header))
		return apus_flow_extensions(ctx, offset, offset + left, ipv6->next_header, ipv6->hop_limit, flow);
	flow->protocol = ipv6->next_header;
	if (flow->protocol == APUS_ICMPV6) {
		struct apus_icmp6 *message = at;

		if (left < sizeof(*message) || (void *)(message + 1) > end)
			return APUS_KIND_MALFORMED;
		if (apus_is_neighbor(message, ipv6->hop_limit, left, flow))
			return APUS_KIND_NEIGHBOR;
	}
	return apus_upper(ctx, at, end, offset, left, flow);
}

/* ARP, with the address of the sender, for limits that are to hold it too. */
static __always_inline enum apus_kind apus_flow_arp(void *at, void *end, struct apus_flow *flow)
{
	struct apus_arp *arp = at;
	__u32 address;

	if ((void *)(arp + 1) > end || arp->protocol != bpf_htons(APUS_ETHERTYPE_IPV4) || arp->hardware_length != 6 ||
	    arp->protocol_length != 4)
		return APUS_KIND_ARP;
	flow->family = 4;
	__builtin_memcpy(&address, arp->sender, 4);
	apus_map(&flow->source, address);
	__builtin_memcpy(&address, arp->target, 4);
	apus_map(&flow->destination, address);
	return APUS_KIND_ARP;
}

/* Parses a frame; `flow` is all zeros but for the octets. */
static __always_inline enum apus_kind apus_parse_flow(struct xdp_md *ctx, struct apus_flow *flow)
{
	void *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 offset = sizeof(struct apus_ethernet);
	__be16 type;

	APUS_TAKE(apus_ethernet, ethernet, at, end);
	type = ethernet->type;
	for (int i = 0; i < APUS_MAX_TAGS; i++) {
		if (type != bpf_htons(APUS_ETHERTYPE_CTAG) && type != bpf_htons(APUS_ETHERTYPE_STAG))
			break;
		APUS_TAKE(apus_tag, tag, at, end);
		type = tag->type;
		offset += sizeof(*tag);
	}
	if (type == bpf_htons(APUS_ETHERTYPE_IPV4))
		return apus_flow_ipv4(ctx, at, end, offset, flow);
	if (type == bpf_htons(APUS_ETHERTYPE_IPV6))
		return apus_flow_ipv6(ctx, at, end, offset, flow);
	if (type == bpf_htons(APUS_ETHERTYPE_ARP))
		return apus_flow_arp(at, end, flow);
	/* More tags than are looked at. */
	if (type == bpf_htons(APUS_ETHERTYPE_CTAG) || type == bpf_htons(APUS_ETHERTYPE_STAG))
		return APUS_KIND_MALFORMED;
	return APUS_KIND_NOT_IP;
}

#endif
