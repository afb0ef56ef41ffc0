// The ethtool ioctl: what a driver says about its interface.
#pragma once
#include <linux/ethtool.h>

/// Fills in a command structure of linux/ethtool.h for the interface of this name in the network
/// namespace of the calling thread. Returns 0, or -1 with errno.
int apus_ethtool(const char *interface, void *command);
