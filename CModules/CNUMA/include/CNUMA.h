// libnuma: memory placed on a chosen node, and where it came to lie.
#pragma once
#include <numa.h>
#include <stddef.h>

/// Has pages that are touched from now on taken from a node, if it has some (mbind(2), MPOL_PREFERRED).
/// - Returns: 0, or the error number.
int apus_prefer_node(void *address, size_t length, int node);

/// The node of the page at an address that was touched (get_mempolicy(2)), or the error number, negated.
int apus_node_of(void *address);
