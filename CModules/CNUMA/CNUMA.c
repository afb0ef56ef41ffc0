#include "CNUMA.h"

#include <errno.h>
#include <numaif.h>

// Not numa_tonode_memory(3): that writes to standard error when it fails, and tells the caller nothing.
int apus_prefer_node(void *address, size_t length, int node) {
    struct bitmask *nodes = numa_allocate_nodemask();
    if (nodes == NULL) return ENOMEM;
    numa_bitmask_setbit(nodes, (unsigned)node);
    int code = mbind(address, length, MPOL_PREFERRED, nodes->maskp, nodes->size + 1, 0) == 0 ? 0 : errno;
    numa_bitmask_free(nodes);
    return code;
}

enum { NODES = 8 * sizeof((struct apus_memory_policy *)0)->nodes };

int apus_prefer_own(int node, struct apus_memory_policy *before) {
    if (node < 0 || node >= NODES) return EINVAL;
    // The kernel looks at one bit less than it is told.
    if (get_mempolicy(&before->mode, before->nodes, NODES + 1, NULL, 0) != 0) return errno;
    unsigned long nodes[NODES / (8 * sizeof(long))] = {0};
    nodes[node / (8 * (int)sizeof(long))] |= 1ul << node % (8 * (int)sizeof(long));
    return set_mempolicy(MPOL_PREFERRED, nodes, NODES + 1) == 0 ? 0 : errno;
}

void apus_restore_own(const struct apus_memory_policy *before) {
    set_mempolicy(before->mode, before->mode == MPOL_DEFAULT ? NULL : before->nodes, before->mode == MPOL_DEFAULT ? 0 : NODES + 1);
}

int apus_node_of(void *address) {
    int node = -1;
    return get_mempolicy(&node, NULL, 0, address, MPOL_F_NODE | MPOL_F_ADDR) == 0 ? node : -errno;
}
