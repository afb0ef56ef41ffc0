// DPDK's headers, which want its configuration first, and on x86 instructions that every processor has on which Debian's
// DPDK runs. What includes this ends with DPDK_END.
#pragma once
#include <rte_config.h>

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("ssse3,sse4.2"))), apply_to = function)
#define DPDK_END _Pragma("clang attribute pop")
#else
#define DPDK_END
#endif

// rte_eth_read_clock, which DPDK has had since 2019 and calls experimental still.
#define ALLOW_EXPERIMENTAL_API
#include <errno.h>
#include <rte_bus.h>
#include <rte_bus_pci.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_version.h>

#include "CDPDK.h"

#define SAME(ours, theirs) \
    _Static_assert(offsetof(struct apus_mbuf, ours) == offsetof(struct rte_mbuf, theirs), "apus_mbuf is not as rte_mbuf is")
SAME(buf_addr, buf_addr);
SAME(buf_iova, buf_iova);
SAME(data_off, data_off);
SAME(refcnt, refcnt);
SAME(nb_segs, nb_segs);
SAME(port, port);
SAME(ol_flags, ol_flags);
SAME(packet_type, packet_type);
SAME(pkt_len, pkt_len);
SAME(data_len, data_len);
SAME(vlan_tci, vlan_tci);
SAME(rss, hash);
SAME(vlan_tci_outer, vlan_tci_outer);
SAME(buf_len, buf_len);
SAME(pool, pool);
SAME(next, next);
SAME(tx_offload, tx_offload);
_Static_assert(sizeof(struct rte_mbuf) == APUS_MBUF_SIZE, "an mbuf has another size");
_Static_assert(RTE_ETH_RX_OFFLOAD_VLAN_STRIP == 1 << 0 && RTE_ETH_RX_OFFLOAD_UDP_CKSUM == 1 << 2
    && RTE_ETH_RX_OFFLOAD_SCATTER == 1 << 13 && RTE_ETH_RX_OFFLOAD_TIMESTAMP == 1 << 14
    && RTE_ETH_RX_OFFLOAD_RSS_HASH == 1 << 19 && RTE_ETH_TX_OFFLOAD_VLAN_INSERT == 1 << 0
    && RTE_ETH_TX_OFFLOAD_UDP_CKSUM == 1 << 2 && RTE_ETH_TX_OFFLOAD_TCP_CKSUM == 1 << 3
    && RTE_ETH_TX_OFFLOAD_MULTI_SEGS == 1 << 15, "offloads have other bits");
_Static_assert((RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_TCP
        | RTE_ETH_RSS_NONFRAG_IPV6_UDP) == 0xc30
    && (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6
        | RTE_ETH_RSS_NONFRAG_IPV6_OTHER) == 0x238c, "kinds of packets have other bits");
_Static_assert(RTE_MBUF_F_RX_RSS_HASH == 1 << 1 && RTE_MBUF_F_RX_VLAN_STRIPPED == 1 << 6
    && RTE_MBUF_F_RX_L4_CKSUM_BAD == 1 << 3 && RTE_MBUF_F_RX_L4_CKSUM_GOOD == 1 << 8
    && (RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT) == 3ull << 61 && RTE_MBUF_F_TX_TCP_CKSUM == 1ull << 52
    && RTE_MBUF_F_TX_UDP_CKSUM == 3ull << 52 && RTE_MBUF_F_TX_IPV4 == 1ull << 55 && RTE_MBUF_F_TX_IPV6 == 1ull << 56
    && RTE_MBUF_F_TX_VLAN == 1ull << 57 && RTE_MBUF_L2_LEN_BITS == APUS_MBUF_L3_SHIFT, "flags have other bits");
