#include "headers.h"

#include <stdatomic.h>
#include <unistd.h>

static atomic_uint changes[RTE_MAX_ETHPORTS];

// On DPDK's thread for interrupts.
static int on_change(uint16_t port, enum rte_eth_event_type type, void *bell, void *result) {
    (void)type, (void)result;
    atomic_fetch_add_explicit(&changes[port], 1, memory_order_release);
    uint64_t one = 1;
    // A full counter is readable all the same.
    (void)!write((int)(intptr_t)bell, &one, sizeof one);
    return 0;
}

int apus_port_watch_link(uint16_t port, int bell) {
    if (port >= RTE_MAX_ETHPORTS) return -EINVAL;
    return rte_eth_dev_callback_register(port, RTE_ETH_EVENT_INTR_LSC, on_change, (void *)(intptr_t)bell);
}

void apus_port_unwatch_link(uint16_t port, int bell) {
    // While it runs it can't be taken off, and it does not run for long.
    while (rte_eth_dev_callback_unregister(port, RTE_ETH_EVENT_INTR_LSC, on_change, (void *)(intptr_t)bell) == -EAGAIN)
        usleep(100);
}

unsigned apus_port_link_events(uint16_t port) {
    return port < RTE_MAX_ETHPORTS ? atomic_load_explicit(&changes[port], memory_order_acquire) : 0;
}

int apus_port_link(uint16_t port, uint32_t *speed, bool *full_duplex) {
    struct rte_eth_link link;
    int code = rte_eth_link_get_nowait(port, &link);
    if (code < 0) return code;
    *speed = link.link_speed, *full_duplex = link.link_duplex;
    return link.link_status;
}

uint64_t apus_port_received(uint16_t port) {
    struct rte_eth_stats stats;
    return rte_eth_stats_get(port, &stats) < 0 ? 0 : stats.ipackets;
}

DPDK_END
