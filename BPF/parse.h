/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* From a frame to its UDP destination. Every step is bounded, as the verifier demands. */
#ifndef APUS_PARSE_H
#define APUS_PARSE_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define APUS_ETHERTYPE_IPV4 0x0800 /* RFC 894 */
#define APUS_ETHERTYPE_IPV6 0x86dd /* RFC 2464 section 3 */
#define APUS_ETHERTYPE_CTAG 0x8100 /* IEEE 802.1Q */
#define APUS_ETHERTYPE_STAG 0x88a8 /* IEEE 802.1ad */

/* Tags and extension headers looked at before giving up. These, and the lists of both, are the same in ApusWire
 * (EtherType.isVLAN, IPv6UpperLayer) and in the filter of packet sockets: ParsingAgreementTests. What is in neither
 * list is left to the kernel: 0x9100, which it knows no better; AH, which only it can verify; the headers of mobility,
 * HIP and shim6, behind which no UDP comes that it would deliver. */
#define APUS_MAX_TAGS 2
#define APUS_MAX_EXTENSIONS 8

#define APUS_IPV6_HOP_BY_HOP 0	  /* RFC 8200 section 4.3 */
#define APUS_IPV6_ROUTING 43	  /* RFC 8200 section 4.4 */
#define APUS_IPV6_FRAGMENT 44	  /* RFC 8200 section 4.5 */
#define APUS_IPV6_DESTINATION 60  /* RFC 8200 section 4.6 */

enum apus_parse {
	APUS_PARSE_UDP,
	APUS_PARSE_NOT_IP,
	APUS_PARSE_FRAGMENT,
	APUS_PARSE_NOT_UDP,
	APUS_PARSE_MALFORMED,
};

struct apus_ethernet {
	__u8 destination[6];
	__u8 source[6];
	__be16 type;
} __attribute__((packed));

struct apus_tag {
	__be16 control;
	__be16 type;
} __attribute__((packed));

/* RFC 791 section 3.1 */
struct apus_ipv4 {
	__u8 version_length;
	__u8 service;
	__be16 length;
	__be16 identification;
	__be16 fragment;
	__u8 time_to_live;
	__u8 protocol;
	__be16 checksum;
	__u8 source[4];
	__u8 destination[4];
} __attribute__((packed));

/* RFC 8200 section 3 */
struct apus_ipv6 {
	__be32 version_class_flow;
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__u8 source[16];
	__u8 destination[16];
} __attribute__((packed));

/* The two octets every extension header but the fragment header starts with. */
struct apus_extension {
	__u8 next_header;
	__u8 length;
} __attribute__((packed));

/* RFC 8200 section 4.5 */
struct apus_fragment {
	__u8 next_header;
	__u8 reserved;
	__be16 offset; /* in units of 8 octets, in the upper 13 bits; the lowest says that more follow */
	__be32 identification;
} __attribute__((packed));

/* RFC 768 */
struct apus_udp {
	__be16 source;
	__be16 destination;
	__be16 length;
	__be16 checksum;
} __attribute__((packed));

/* A header of that type at `at`, and `at` moved behind it; or null past the end of the frame. */
#define APUS_HEADER(type, at, end)                                             \
	({                                                                     \
		struct type *header__ = (at);                                  \
		if ((void *)(header__ + 1) > (end))                            \
			header__ = 0;                                          \
		else                                                           \
			(at) = header__ + 1;                                   \
		header__;                                                      \
	})

/* Walks the IPv6 extension headers to UDP. */
static __always_inline enum apus_parse apus_parse_extensions(void **at, void *end, __u8 next)
{
	for (int i = 0; i < APUS_MAX_EXTENSIONS; i++) {
		struct apus_extension *extension;
		struct apus_fragment *fragment;

		switch (next) {
		case IPPROTO_UDP:
			return APUS_PARSE_UDP;
		case APUS_IPV6_FRAGMENT:
			/* The only fragment of its packet is a whole one: RFC 6946 section 4. */
			fragment = APUS_HEADER(apus_fragment, *at, end);
			if (!fragment)
				return APUS_PARSE_MALFORMED;
			if (fragment->offset & bpf_htons(0xfff9))
				return APUS_PARSE_FRAGMENT;
			next = fragment->next_header;
			continue;
		case APUS_IPV6_HOP_BY_HOP:
		case APUS_IPV6_ROUTING:
		case APUS_IPV6_DESTINATION:
			break;
		default:
			return APUS_PARSE_NOT_UDP;
		}
		extension = *at;
		if ((void *)(extension + 1) > end)
			return APUS_PARSE_MALFORMED;
		next = extension->next_header;
		/* In units of 8 octets behind the first 8. */
		*at += (extension->length + 1u) << 3;
		if (*at > end)
			return APUS_PARSE_MALFORMED;
	}
	return next == IPPROTO_UDP ? APUS_PARSE_UDP : APUS_PARSE_MALFORMED;
}

#endif
