#include "headers.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Some drivers start threads, which leave signals to the program's own.
static sigset_t block_signals(void) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    return before;
}

static void restore_signals(sigset_t before) { pthread_sigmask(SIG_SETMASK, &before, NULL); }

int apus_port_probe(const char *devargs, const char *name, uint16_t *port) {
    sigset_t before = block_signals();
    int code = rte_dev_probe(devargs);
    restore_signals(before);
    if (code < 0) return code;
    return rte_eth_dev_get_port_by_name(name, port);
}

bool apus_port_exists(const char *name) {
    uint16_t port;
    return rte_eth_dev_get_port_by_name(name, &port) == 0;
}

int apus_port_info(uint16_t port, struct apus_port_info *info) {
    struct rte_eth_dev_info known;
    int code = rte_eth_dev_info_get(port, &known);
    if (code < 0) return code;
    *info = (struct apus_port_info){
        .socket = rte_eth_dev_socket_id(port), .max_rx_queues = known.max_rx_queues, .max_tx_queues = known.max_tx_queues,
        .min_mtu = known.min_mtu, .max_mtu = known.max_mtu,
        .min_rx_bufsize = known.min_rx_bufsize > UINT16_MAX ? UINT16_MAX : (uint16_t)known.min_rx_bufsize,
        .rss_key_size = known.hash_key_size,
        .rx_offloads = known.rx_offload_capa, .tx_offloads = known.tx_offload_capa,
        .rss_types = known.flow_type_rss_offloads, .index = known.if_index,
        .has_link_interrupts = known.dev_flags != NULL && *known.dev_flags & RTE_ETH_DEV_INTR_LSC,
    };
    snprintf(info->driver, sizeof info->driver, "%s", known.driver_name == NULL ? "" : known.driver_name);
    snprintf(info->device, sizeof info->device, "%s", rte_dev_name(known.device));
    return 0;
}

// The same value for both directions of a flow (Woo and Park, Scalable TCP Session Monitoring with Symmetric RSS).
static const uint8_t symmetric[128] = {
#define FOUR 0x6d, 0x5a, 0x6d, 0x5a
#define SIXTEEN FOUR, FOUR, FOUR, FOUR
    SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN
};

// Whether a driver is to tell of link changes by an interrupt. A card has it on the line of its queues' interrupts unless it
// has several, which can't be found out, and then either is lost; and what it told last is all that is to be had of its link.
static bool tells_of_link(const struct rte_eth_dev_info *info, bool rx_interrupts) {
    if (info->dev_flags == NULL || !(*info->dev_flags & RTE_ETH_DEV_INTR_LSC)) return false;
    return !rx_interrupts || strcmp(rte_bus_name(rte_dev_bus(info->device)), "vdev") == 0;
}

static int set_up(uint16_t port, struct apus_port_setup *setup, enum apus_port_step *step) {
    struct rte_eth_dev_info info;
    int code = rte_eth_dev_info_get(port, &info);
    if (code < 0) return code;
    uint64_t rss = setup->rss_types & info.flow_type_rss_offloads;
    struct rte_eth_conf conf = {
        .rxmode = {.mq_mode = rss != 0 ? RTE_ETH_MQ_RX_RSS : RTE_ETH_MQ_RX_NONE, .offloads = setup->rx_offloads},
        .txmode = {.offloads = setup->tx_offloads},
        .intr_conf = {.rxq = setup->rx_interrupts, .lsc = tells_of_link(&info, setup->rx_interrupts)},
    };
    if (setup->sets_mtu) conf.rxmode.mtu = setup->mtu;
    if (rss != 0) {
        conf.rx_adv_conf.rss_conf.rss_hf = rss;
        if (info.hash_key_size > 0 && info.hash_key_size <= sizeof symmetric) {
            conf.rx_adv_conf.rss_conf.rss_key = (uint8_t *)symmetric;
            conf.rx_adv_conf.rss_conf.rss_key_len = info.hash_key_size;
        }
    }
    *step = APUS_STEP_CONFIGURE;
    code = rte_eth_dev_configure(port, setup->rx_queues, setup->tx_queues, &conf);
    if (code < 0) return code;
    *step = APUS_STEP_DESCRIPTORS;
    code = rte_eth_dev_adjust_nb_rx_tx_desc(port, &setup->rx_descriptors, &setup->tx_descriptors);
    if (code < 0) return code;
    if (setup->sets_mtu) {
        *step = APUS_STEP_MTU;
        code = rte_eth_dev_set_mtu(port, setup->mtu);
        // A device that always takes the longest has no call for it.
        if (code < 0 && code != -ENOTSUP) return code;
    }
    int socket = rte_eth_dev_socket_id(port);
    *step = APUS_STEP_RX_QUEUE;
    for (uint16_t queue = 0; queue < setup->rx_queues; queue++) {
        struct rte_eth_rxconf queue_conf = info.default_rxconf;
        queue_conf.offloads = setup->rx_offloads;
        code = rte_eth_rx_queue_setup(port, queue, setup->rx_descriptors, (unsigned)socket, &queue_conf, setup->pools[queue]);
        if (code < 0) return code;
    }
    *step = APUS_STEP_TX_QUEUE;
    for (uint16_t queue = 0; queue < setup->tx_queues; queue++) {
        struct rte_eth_txconf queue_conf = info.default_txconf;
        queue_conf.offloads = setup->tx_offloads;
        code = rte_eth_tx_queue_setup(port, queue, setup->tx_descriptors, (unsigned)socket, &queue_conf);
        if (code < 0) return code;
    }
    if (setup->mac != NULL) {
        *step = APUS_STEP_MAC;
        struct rte_ether_addr mac;
        memcpy(mac.addr_bytes, setup->mac, sizeof mac.addr_bytes);
        code = rte_eth_dev_default_mac_addr_set(port, &mac);
        // A device without any, which can't be given one, has that of who uses it.
        struct rte_ether_addr own;
        if (code == -ENOTSUP && rte_eth_macaddr_get(port, &own) == 0 && rte_is_zero_ether_addr(&own)) code = 0;
        if (code < 0) return code;
    }
    *step = APUS_STEP_START;
    code = rte_eth_dev_start(port);
    if (code < 0) return code;
    if (setup->promiscuous) {
        *step = APUS_STEP_PROMISCUOUS;
        code = rte_eth_promiscuous_enable(port);
        if (code < 0) {
            rte_eth_dev_stop(port);
            return code;
        }
    }
    // Groups are asked for by nobody, so all come; a device without the call lets all through.
    rte_eth_allmulticast_enable(port);
    *step = APUS_STEP_NONE;
    return 0;
}

int apus_port_start(uint16_t port, struct apus_port_setup *setup, enum apus_port_step *step) {
    sigset_t before = block_signals();
    int code = set_up(port, setup, step);
    // Drivers that can't tell of received packets by an interrupt refuse it when they are configured or started.
    if (code < 0 && setup->rx_interrupts) {
        setup->rx_interrupts = false;
        code = set_up(port, setup, step);
    }
    restore_signals(before);
    return code;
}

void apus_port_stop(uint16_t port) {
    // There are drivers that lose the packets which nobody has received. Bounded, as packets may come on and on.
    struct rte_eth_dev_info info;
    unsigned queues = rte_eth_dev_info_get(port, &info) == 0 ? info.nb_rx_queues : 0;
    for (uint16_t queue = 0; queue < queues; queue++) {
        struct rte_mbuf *mbufs[64];
        for (int round = 0; round < 1024; round++) {
            uint16_t count = rte_eth_rx_burst(port, queue, mbufs, 64);
            if (count == 0) break;
            rte_pktmbuf_free_bulk(mbufs, count);
        }
    }
    rte_eth_dev_stop(port);
}

int apus_port_close(uint16_t port) {
    struct rte_eth_dev_info info;
    struct rte_device *device = rte_eth_dev_info_get(port, &info) == 0 ? info.device : NULL;
    int code = rte_eth_dev_close(port);
    if (device == NULL) return code;
    int removed = rte_dev_remove(device);
    return code < 0 ? code : removed;
}

int apus_port_mac(uint16_t port, uint8_t mac[6]) {
    struct rte_ether_addr address;
    int code = rte_eth_macaddr_get(port, &address);
    memcpy(mac, address.addr_bytes, 6);
    return code;
}

int apus_port_mtu(uint16_t port, uint16_t *mtu) { return rte_eth_dev_get_mtu(port, mtu); }
int apus_port_set_mtu(uint16_t port, uint16_t mtu) { return rte_eth_dev_set_mtu(port, mtu); }

int apus_port_set_promiscuous(uint16_t port, bool promiscuous) {
    return promiscuous ? rte_eth_promiscuous_enable(port) : rte_eth_promiscuous_disable(port);
}

int apus_port_timestamps(int *offset, uint64_t *flag) {
    return rte_mbuf_dyn_rx_timestamp_register(offset, flag) == 0 ? 0 : -rte_errno;
}

int apus_port_clock(uint16_t port, uint64_t *ticks) { return rte_eth_read_clock(port, ticks); }

int apus_port_counters(uint16_t port, struct apus_port_counters *counters) {
    struct rte_eth_stats stats;
    int code = rte_eth_stats_get(port, &stats);
    if (code < 0) return code;
    *counters = (struct apus_port_counters){stats.imissed, stats.ierrors, stats.oerrors, stats.rx_nombuf};
    return 0;
}

int apus_port_xstat_names(uint16_t port, char *names, unsigned count) {
    _Static_assert(sizeof(struct rte_eth_xstat_name) == 64, "a name has 64 bytes");
    return rte_eth_xstats_get_names(port, (struct rte_eth_xstat_name *)names, count);
}

int apus_port_xstats(uint16_t port, uint64_t *values, unsigned count) {
    struct rte_eth_xstat stats[count > 0 ? count : 1];
    int got = rte_eth_xstats_get(port, stats, count);
    for (int i = 0; i < got && (unsigned)got <= count; i++)
        if (stats[i].id < count) values[stats[i].id] = stats[i].value;
    return got;
}

int apus_port_interrupt_descriptor(uint16_t port, uint16_t queue) {
    int descriptor = rte_eth_dev_rx_intr_ctl_q_get_fd(port, queue);
    return descriptor >= 0 ? descriptor : -ENOTSUP;
}

enum apus_port_event apus_port_event(uint16_t port) {
    int descriptor = rte_eth_dev_rx_intr_ctl_q_get_fd(port, 0);
    if (descriptor < 0) return APUS_EVENT_NONE;
    char path[64], target[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    if (readlink(path, target, sizeof target - 1) < 0) return APUS_EVENT_NONE;
    if (strcmp(target, "anon_inode:[eventfd]") == 0) return APUS_EVENT_COUNTER;
    // That of net_vhost, over an eventfd that nobody can get at to read it.
    if (strcmp(target, "anon_inode:[eventpoll]") == 0) return APUS_EVENT_NONE;
    if (strncmp(target, "/dev/uio", 8) == 0) return APUS_EVENT_COUNTER;
    return APUS_EVENT_LEVEL;
}

bool apus_port_clear_event(uint16_t port, uint16_t queue) {
    int descriptor = rte_eth_dev_rx_intr_ctl_q_get_fd(port, queue);
    uint64_t count;
    // Looked at first, in case it is one that blocks.
    if (descriptor < 0 || poll(&(struct pollfd){.fd = descriptor, .events = POLLIN}, 1, 0) != 1) return false;
    // From a UIO device four octets are read, and no other number.
    if (read(descriptor, &count, sizeof count) < 0 && errno == EINVAL) (void)!read(descriptor, &count, 4);
    return true;
}

int apus_port_arm(uint16_t port, uint16_t queue) { return rte_eth_dev_rx_intr_enable(port, queue); }
int apus_port_disarm(uint16_t port, uint16_t queue) { return rte_eth_dev_rx_intr_disable(port, queue); }

struct apus_mbuf *apus_mbuf_own(struct apus_mbuf *mbuf, struct rte_mempool *pool) {
    struct rte_mbuf *copy = rte_pktmbuf_copy((struct rte_mbuf *)mbuf, pool, 0, UINT32_MAX);
    rte_pktmbuf_free((struct rte_mbuf *)mbuf);
    return (struct apus_mbuf *)copy;
}

void apus_mbuf_join(struct apus_mbuf *mbuf, struct apus_mbuf *next) {
    ((struct rte_mbuf *)mbuf)->next = (struct rte_mbuf *)next;
}

uint16_t apus_port_receive(uint16_t port, uint16_t queue, struct apus_mbuf **mbufs, uint16_t count) {
    return rte_eth_rx_burst(port, queue, (struct rte_mbuf **)mbufs, count);
}

uint16_t apus_port_transmit(uint16_t port, uint16_t queue, struct apus_mbuf **mbufs, uint16_t count) {
    return rte_eth_tx_burst(port, queue, (struct rte_mbuf **)mbufs, count);
}

uint16_t apus_port_prepare(uint16_t port, uint16_t queue, struct apus_mbuf **mbufs, uint16_t count) {
    return rte_eth_tx_prepare(port, queue, (struct rte_mbuf **)mbufs, count);
}

void apus_port_clean_up(uint16_t port, uint16_t queue) { rte_eth_tx_done_cleanup(port, queue, 0); }

DPDK_END
