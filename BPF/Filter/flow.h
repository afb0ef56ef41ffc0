/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* What the filter wants to know of a frame. Every step is bounded, as the verifier demands. */
#ifndef APUS_FLOW_H
#define APUS_FLOW_H

#include "../parse.h"
#include "filter.h"

#define APUS_ETHERTYPE_ARP 0x0806      /* RFC 826 */
#define APUS_IPV6_AUTHENTICATION 51    /* RFC 4302 */
#define APUS_ICMPV6 58		       /* RFC 4443 */
#define APUS_ROUTER_SOLICITATION 133   /* the first message of neighbor discovery: RFC 4861 section 4 */
#define APUS_REDIRECT 137	       /* and the last */

enum apus_kind {
	APUS_KIND_IP,
	APUS_KIND_NEIGHBOR, /* ARP, or neighbor discovery */
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

/* The ports of TCP and UDP, whose headers must be whole; of other protocols nothing is looked at. */
static __always_inline enum apus_kind apus_upper(void *at, void *end, struct apus_flow *flow)
{
	if (flow->protocol == IPPROTO_UDP) {
		struct apus_udp *udp = at;

		if ((void *)(udp + 1) > end)
			return APUS_KIND_MALFORMED;
		flow->from_port = bpf_ntohs(udp->source);
		flow->to_port = bpf_ntohs(udp->destination);
		flow->has_ports = 1;
	} else if (flow->protocol == IPPROTO_TCP) {
		struct apus_tcp *tcp = at;

		if ((void *)(tcp + 1) > end || tcp->offset >> 4 < 5)
			return APUS_KIND_MALFORMED;
		flow->from_port = bpf_ntohs(tcp->source);
		flow->to_port = bpf_ntohs(tcp->destination);
		flow->has_ports = 1;
	}
	return APUS_KIND_IP;
}

/* `left` octets of the frame lie behind `at`, some of them perhaps in buffers behind `end`. */
static __always_inline enum apus_kind apus_flow_ipv4(void *at, void *end, __u32 left, struct apus_flow *flow)
{
	struct apus_ipv4 *ipv4 = at;
	__u32 length, total;
	__u32 address;

	if ((void *)(ipv4 + 1) > end)
		return APUS_KIND_MALFORMED;
	length = (ipv4->version_length & 0xf) << 2;
	total = bpf_ntohs(ipv4->length);
	/* A length of 0 is that of packets the kernel has merged to more than 64 KiB. */
	if (ipv4->version_length >> 4 != 4 || length < sizeof(*ipv4) || (total && total < length))
		return APUS_KIND_MALFORMED;
	if (total > left)
		return APUS_KIND_MALFORMED;
	flow->family = 4;
	flow->protocol = ipv4->protocol;
	__builtin_memcpy(&address, ipv4->source, 4);
	apus_map(&flow->source, address);
	__builtin_memcpy(&address, ipv4->destination, 4);
	apus_map(&flow->destination, address);
	at += length;
	if (at > end)
		return APUS_KIND_MALFORMED;
	/* More fragments, or an offset: RFC 791 section 3.1. */
	if (ipv4->fragment & bpf_htons(0x3fff)) {
		flow->is_fragment = 1;
		if (ipv4->fragment & bpf_htons(0x1fff))
			return APUS_KIND_IP;
	}
	return apus_upper(at, end, flow);
}

static __always_inline enum apus_kind apus_flow_ipv6(void *at, void *end, __u32 left, struct apus_flow *flow)
{
	struct apus_ipv6 *ipv6 = APUS_HEADER(apus_ipv6, at, end);
	__u8 next;

	if (!ipv6 || *(__u8 *)ipv6 >> 4 != 6)
		return APUS_KIND_MALFORMED;
	/* A length of 0 is that of jumbograms: RFC 2675, and what the kernel has merged. */
	if (bpf_ntohs(ipv6->payload_length) > left - sizeof(*ipv6))
		return APUS_KIND_MALFORMED;
	flow->family = 6;
	__builtin_memcpy(&flow->source, ipv6->source, 16);
	__builtin_memcpy(&flow->destination, ipv6->destination, 16);
	/* No address on the wire, and that of IPv4 hosts in our tables. */
	if (flow->source.high == 0 && (__u32)flow->source.low == bpf_htonl(0xffff))
		return APUS_KIND_MALFORMED;
	next = ipv6->next_header;
	for (int i = 0; i < APUS_MAX_EXTENSIONS; i++) {
		struct apus_extension *extension;
		__u32 length;

		if (next == APUS_IPV6_FRAGMENT) {
			struct apus_fragment *fragment = APUS_HEADER(apus_fragment, at, end);

			if (!fragment)
				return APUS_KIND_MALFORMED;
			next = fragment->next_header;
			/* The only fragment of its packet is a whole one: RFC 6946 section 4. */
			if (!(fragment->offset & bpf_htons(0xfff9)))
				continue;
			flow->is_fragment = 1;
			if (!(fragment->offset & bpf_htons(0xfff8)))
				continue;
			flow->protocol = next;
			return APUS_KIND_IP;
		}
		if (next != APUS_IPV6_HOP_BY_HOP && next != APUS_IPV6_ROUTING && next != APUS_IPV6_DESTINATION &&
		    next != APUS_IPV6_AUTHENTICATION)
			break;
		extension = at;
		if ((void *)(extension + 1) > end)
			return APUS_KIND_MALFORMED;
		/* In units of 8 octets behind the first 8; of 4, behind the first 8, for the authentication header. */
		length = next == APUS_IPV6_AUTHENTICATION ? (extension->length + 2u) << 2 : (extension->length + 1u) << 3;
		next = extension->next_header;
		at += length;
		if (at > end)
			return APUS_KIND_MALFORMED;
	}
	if (next == APUS_IPV6_FRAGMENT || next == APUS_IPV6_HOP_BY_HOP || next == APUS_IPV6_ROUTING ||
	    next == APUS_IPV6_DESTINATION || next == APUS_IPV6_AUTHENTICATION)
		return APUS_KIND_MALFORMED;
	flow->protocol = next;
	if (next == APUS_ICMPV6 && !flow->is_fragment) {
		struct apus_icmp6 *message = at;

		if ((void *)(message + 1) > end)
			return APUS_KIND_MALFORMED;
		/* From a neighbor, which the hop limit shows: RFC 4861 section 6.1. */
		if (message->type >= APUS_ROUTER_SOLICITATION && message->type <= APUS_REDIRECT && ipv6->hop_limit == 255)
			return APUS_KIND_NEIGHBOR;
	}
	return apus_upper(at, end, flow);
}

/* Parses a frame; `flow` is all zeros but for the octets. */
static __always_inline enum apus_kind apus_parse_flow(void *at, void *end, struct apus_flow *flow)
{
	struct apus_ethernet *ethernet = APUS_HEADER(apus_ethernet, at, end);
	__u32 left = flow->octets - sizeof(*ethernet);
	__be16 type;

	if (!ethernet)
		return APUS_KIND_MALFORMED;
	type = ethernet->type;
	for (int i = 0; i < APUS_MAX_TAGS; i++) {
		struct apus_tag *tag;

		if (type != bpf_htons(APUS_ETHERTYPE_CTAG) && type != bpf_htons(APUS_ETHERTYPE_STAG))
			break;
		tag = APUS_HEADER(apus_tag, at, end);
		if (!tag)
			return APUS_KIND_MALFORMED;
		type = tag->type;
		left -= sizeof(*tag);
	}
	if (type == bpf_htons(APUS_ETHERTYPE_IPV4))
		return apus_flow_ipv4(at, end, left, flow);
	if (type == bpf_htons(APUS_ETHERTYPE_IPV6))
		return apus_flow_ipv6(at, end, left, flow);
	if (type == bpf_htons(APUS_ETHERTYPE_ARP))
		return APUS_KIND_NEIGHBOR;
	/* More tags than are looked at. */
	if (type == bpf_htons(APUS_ETHERTYPE_CTAG) || type == bpf_htons(APUS_ETHERTYPE_STAG))
		return APUS_KIND_MALFORMED;
	return APUS_KIND_NOT_IP;
}

#endif
