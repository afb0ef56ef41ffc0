/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* What the filter's programs and those who load them both know: the rules as data, and the layout of the maps. */
#ifndef APUS_FILTER_H
#define APUS_FILTER_H

#include <linux/types.h>

/* Changes whenever a layout here does: state of another version is not taken over. */
#define APUS_FILTER_VERSION 3

#define APUS_FILTER_LIMITS 32	/* limits at a time, and places for their buckets */
#define APUS_FILTER_SERVICES 256 /* services of management, one for each prefix they are managed from */

#define APUS_FILTER_NESTED 8 /* prefixes within prefixes that are looked at when they are over */

/* All times of buckets are in units of 2^-6 ns after boot, modulo 2^64, which is nine years: whole nanoseconds would be too
 * coarse for 148 million packets a second. No bucket's time is further ahead than two years, which have that many bits;
 * what seems to be is behind, and full. */
#define APUS_FILTER_TIME_SHIFT 6
#define APUS_FILTER_FURTHEST_BITS 62

/* What a port's place in the map of ports is made of: its kind in the bits above 16. */
enum apus_port_kind {
	APUS_PORT_TCP,
	APUS_PORT_UDP,
	APUS_PORT_FROM_TCP,
	APUS_PORT_FROM_UDP,
	APUS_PORT_KINDS,
};

/* What a limit has a bucket for. */
enum apus_scope {
	APUS_SCOPE_ALL,		/* one for all that it applies to */
	APUS_SCOPE_SOURCE,	/* each source prefix; an address is a prefix of full length */
	APUS_SCOPE_SOURCE_PORT, /* each source address and destination port */
};

/* What became of a packet, and of tables: the index of a per-CPU counter. What limits dropped comes behind, by the
 * places of their buckets. */
enum apus_reason {
	APUS_PASS_WITHIN,     /* judged, and within all limits that apply */
	APUS_PASS_NEIGHBOR,   /* ARP and neighbor discovery */
	APUS_PASS_MANAGEMENT, /* to a service of management */
	APUS_PASS_SOURCE,     /* from a source that is allowed, to which no limit applies */
	APUS_PASS_NOT_IP,     /* neither IP nor ARP, by policy */
	APUS_PASS_FRAGMENT,   /* a fragment, by policy */
	APUS_PASS_MALFORMED,  /* not to be parsed, by policy */
	APUS_DROP_MALFORMED,
	APUS_DROP_NOT_IP,
	APUS_DROP_FRAGMENT,
	APUS_DROP_BANNED,	/* a source that overran a limit, for a time */
	APUS_DROP_SOURCE,	/* a source on the deny list */
	APUS_DROP_PORT,		/* a destination port on the deny list */
	APUS_DROP_SOURCE_PORT,	/* a source port on the deny list */
	APUS_DROP_PROTOCOL,	/* an IP protocol on the deny list */
	APUS_DROP_POLICY,	/* on no list, and the policy is to deny */
	APUS_TABLE_ADDED,	/* a source came into the table */
	APUS_TABLE_EVICTED,	/* and took the place of another, whose buckets were full */
	APUS_TABLE_FORGOTTEN,	/* or of one whose buckets were not, so that it gets a new burst */
	APUS_TABLE_BANNED,	/* a source was banned */
	APUS_DROP_LIMIT,	/* a limit in place 0; those in other places follow */
	APUS_REASONS = APUS_DROP_LIMIT + APUS_FILTER_LIMITS,
};

/* Features that the rules use. What is not used is not in the program that the kernel runs. */
enum apus_feature {
	APUS_FILTER_DRY_RUN = 1 << 0,	       /* pass all, and count what would be dropped */
	APUS_FILTER_DENY = 1 << 1,	       /* the policy for what no list names */
	APUS_FILTER_DENY_MALFORMED = 1 << 2,
	APUS_FILTER_DENY_NOT_IP = 1 << 3,
	APUS_FILTER_DENY_FRAGMENTS = 1 << 4,
	APUS_FILTER_ALLOW_FRAGMENTS = 1 << 5,
	APUS_FILTER_LIMIT_NEIGHBORS = 1 << 6,
	APUS_FILTER_ADDRESSES = 1 << 7,	       /* look in the map of single addresses */
	APUS_FILTER_PREFIXES = 1 << 8,	       /* look in the trie of prefixes */
	APUS_FILTER_PORTS = 1 << 9,
	APUS_FILTER_SOURCE_PORTS = 1 << 10,
	APUS_FILTER_PROTOCOLS = 1 << 11,
	APUS_FILTER_BANS = 1 << 12,
	APUS_FILTER_TRIAL = 1 << 13,	       /* take the time from a map and say there what was judged: explain, tests */
	APUS_FILTER_TICKS = 1 << 14,	       /* tell the time by the kernel's ticks, which costs next to nothing */
	APUS_FILTER_ONE_BUFFER = 1 << 15,      /* no frame comes in several buffers, and who loads it has CAP_PERFMON */
	APUS_FILTER_SHORT_PREFIXES = 1 << 16,  /* look at the marks of short prefixes, too */
};

/* An address as 16 octets in network order, an IPv4 address mapped into IPv6 (RFC 4291 section 2.5.5.2). */
struct apus_address {
	__u64 high, low;
};

/* Where packets go, or come from. What does not matter is 0 in a mask or in the flags. */
struct apus_match {
	struct apus_address source, source_mask;
	struct apus_address destination, destination_mask;
	__u16 first_port, last_port; /* destination ports, in host order */
	__u8 protocol;
	__u8 has_protocol;
	__u8 has_ports; /* then the protocol is TCP or UDP */
	__u8 family;	/* 4 or 6; 0 for both */
};

enum apus_limit_flag {
	APUS_LIMIT_PACKETS = 1 << 0,
	APUS_LIMIT_BITS = 1 << 1,
	APUS_LIMIT_SERVICE = 1 << 2,
	APUS_LIMIT_BAN = 1 << 3,
};

struct apus_limit {
	struct apus_match service;
	struct apus_address mask4, mask6; /* what of the source address names a bucket */
	__u32 scope;
	__u32 flags;
	__u32 number; /* names its buckets: the place, and in the bits above 5 how many limits were there before */
	__u16 octet_shift;
	/* What the times of its buckets are shifted by to the right, so that those of one that is used up are about
	 * 2^APUS_FILTER_USE_BITS ahead, whatever the limit. */
	__u8 packet_use_shift, octet_use_shift;
	/* What a packet, and an octet shifted to the left, moves the time of a bucket by; and how far that may be ahead. */
	__u64 packet_cost, packet_room;
	__u64 octet_cost, octet_room;
	/* What a packet that is dropped for its number or its octets moves the time of the overrun by; how far that may be
	 * ahead; and the nanoseconds of the ban. */
	__u64 over_packet_cost, over_octet_cost, over_room;
	__u64 ban;
};

/* The read-only data of a rules program. */
struct apus_filter_rules {
	__u32 version;
	__u32 features;
	__u32 sets; /* of the table of sources */
	__u32 limit_count;
	__u32 management_count;
	__u32 list_mark_shift; /* 64 less the bits of a mark's number, in the marks of the lists */
	__u32 ban_mark_shift;  /* and in those of the bans */
	__u32 reserved;
	__u64 tick;	 /* nanoseconds of a tick of the kernel's; */
	__u64 tick_zero; /* CLOCK_MONOTONIC was that when there were none, modulo 2^64 */
	__u64 secret[8]; /* of the hash, so that nobody can choose addresses that meet in one set */
	struct apus_match management[APUS_FILTER_SERVICES];
	struct apus_limit limits[APUS_FILTER_LIMITS];
};

/* The ways of a set of the table of sources. */
#define APUS_FILTER_WAYS 14

/* The bits of the time of a bucket that is used up, shifted as its limit says. */
#define APUS_FILTER_USE_BITS 20

/* By how many bits the packets are shifted: of octets a terabyte, and of packets 2^24, may pass between two moments. */
#define APUS_PASSED_SHIFT 40

/* One source of one limit. */
struct apus_source {
	struct apus_address address;
	__u32 number; /* of its limit; */
	__u16 port;   /* in host order, where the limit is for each port */
	__u8 packet_use_shift, octet_use_shift; /* of its limit */
	__u64 packet_time; /* when its bucket of packets will be full */
	__u64 octet_time;  /* and that of octets */
	__u64 over_time;
	/* For differences between two moments: of what passed the packets, shifted to the left, and the octets in one number,
	 * which costs one addition; and the packets that were dropped. */
	__u64 passed;
	__u32 dropped;
	__u32 life; /* how many sources had this way before */
};

/* A set has a line of 64 octets for its tags, and one for each source. The array's values lie 56 octets behind a line's
 * beginning (Linux 6.18), so 8 octets come first. The lock is the very first: without CAP_PERFMON no pointer may be moved
 * to one. */
struct apus_set {
	__u32 lock;   /* struct bpf_spin_lock */
	__u32 chosen; /* a way, under the lock */
	__u32 tags[APUS_FILTER_WAYS]; /* of the hash; 0 is a way that is free */
	__s64 least; /* what the chosen way is worth, under the lock */
	struct apus_source ways[APUS_FILTER_WAYS];
	__u64 after[7];
};

/* The bucket of a limit that has one for all, with a pair of lines for itself. */
struct apus_bucket {
	__u64 before;
	__u64 packet_time;
	__u64 octet_time;
	__u64 after[13];
};

/* Packets, and octets of their frames. */
struct apus_count {
	__u64 packets, octets;
};

/* An entry of a list: of an address, a prefix, a port or a protocol. 0 octets are no entry. */
struct apus_entry {
	__u64 until; /* nanoseconds of CLOCK_MONOTONIC; 0 is for good */
	__u32 verdict;
	/* Where this one is not for good, what comes then. Of a prefix its own length, as in the trie's key, for another look.
	 * Of a port the verdict of the next wider range that outlasts this one, which ends at next_until; and in the bits above
	 * 8 that of the next one, of which the end is not known. */
	__u32 next;
	__u64 next_until;
};

enum apus_verdict {
	APUS_VERDICT_NONE,
	APUS_VERDICT_ALLOW,   /* and no limits, for a source */
	APUS_VERDICT_LIMITED, /* allow a source, and limit it all the same */
	APUS_VERDICT_DENY,
};

/* Marks are about single addresses, and about networks of so many bits: one is marked where the list of prefixes has
 * something about any part of it. Prefixes that have a part in too many of those have marks for shorter ones. */
#define APUS_MARKED_LENGTH4 24
#define APUS_MARKED_LENGTH6 32
#define APUS_SHORT_LENGTH4 8
#define APUS_SHORT_LENGTH6 16

/* A key of the trie of prefixes. The family comes first, since ::/0 is no prefix of IPv4 addresses. */
struct apus_prefix {
	__u32 length; /* of all that follows: 32 more than of the mapped address, and that 96 more than of IPv4's */
	__u32 family; /* 4 or 6 */
	__u8 address[16];
};

/* A ban. */
struct apus_ban {
	__u64 until; /* nanoseconds of CLOCK_MONOTONIC */
	__u32 number;
	__u32 reserved;
};

/* A piece of what is written down about the rules in force: text. */
struct apus_text {
	__u64 words[32];
};

/* A tick by both clocks. */
struct apus_clocks {
	__u64 now;   /* nanoseconds of CLOCK_MONOTONIC when it came */
	__u64 ticks; /* of the kernel's timer */
};

/* A trial's time, and what was judged. */
struct apus_trial {
	__u64 now;     /* nanoseconds */
	__u32 reason;  /* enum apus_reason */
	__u32 applied; /* the limits that had to do with the packet, a bit for each place in the rules */
};

#endif
