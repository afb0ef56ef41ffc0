// Packet sockets: packet(7), Documentation/networking/packet_mmap.rst, and classic BPF.
#pragma once
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if_arp.h>

/// A flag of PACKET_FANOUT newer than Debian 12's headers (include/uapi/linux/if_packet.h).
enum { APUS_PACKET_FANOUT_FLAG_IGNORE_OUTGOING = 0x4000 };

/// Asks for the cache line of an address; never faults.
static inline void apus_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }
