/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* What the steering program and the process that loads it both know: the layout of its maps. */
#ifndef APUS_STEER_H
#define APUS_STEER_H

#include <linux/types.h>

/* Changes whenever a layout here does; a program of another version is never taken over. */
#define APUS_STEER_VERSION 2

/* The most RX queues of one interface, and the most endpoints taken on one. */
#define APUS_STEER_QUEUES 1024
#define APUS_STEER_ENDPOINTS 65536

/* A destination that is taken. An address of zeros takes the port at any address of that family. */
struct apus_steer_key {
	__u8 address[16]; /* as on the wire; an IPv4 address is in the first four octets */
	__u16 port;	  /* as on the wire */
	__u16 family;	  /* 4 or 6 */
};

/* What became of each frame: the index of a per-CPU counter. */
enum apus_steer_counter {
	APUS_STEER_STEERED,	   /* redirected to a socket */
	APUS_STEER_PASS_NOT_IP,	   /* ARP and all else that is neither IPv4 nor IPv6 */
	APUS_STEER_PASS_FRAGMENT,  /* a fragment: only the kernel reassembles */
	APUS_STEER_PASS_NOT_UDP,   /* TCP, ICMP, neighbor discovery, ... */
	APUS_STEER_PASS_NO_PORT,   /* UDP that nobody here asked for */
	APUS_STEER_PASS_NO_SOCKET, /* asked for, but no socket is open on that queue */
	APUS_STEER_PASS_MALFORMED, /* headers cut short or more of them than is looked at */
	APUS_STEER_PASS_MERGED,	   /* longer than the MTU: datagrams that the kernel has merged */
	APUS_STEER_COUNTERS,
};

/* Compare lengths with the MTU: generic mode sees packets that the kernel has merged, and bpf_check_mtu of Linux 5.12
 * is there. */
#define APUS_STEER_FLAG_MTU 1

/* Who loaded the program, so that what a killed process left behind can be recognised. */
struct apus_steer_owner {
	__u32 version;
	__u32 pid;	      /* in the PID namespace below */
	__u64 start_time;     /* field 22 of /proc/PID/stat: clock ticks after boot */
	__u64 pid_namespace;  /* inode of /proc/PID/ns/pid */
	__u64 attached_at;    /* CLOCK_BOOTTIME, nanoseconds */
	__u32 flags;	      /* APUS_STEER_FLAG_ */
	__u32 reserved;
};

#endif
